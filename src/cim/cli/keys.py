"""``cim keys``: make the keys by which the hosts of a cluster know each other."""

import argparse

from cim.cli.place import find_machine
from cim.leaf.machine_server import make_keys


def run(given: argparse.Namespace) -> int:
    """Make them where they are missing, and say what is to be done with them."""
    file = make_keys(find_machine(given.machine))
    print(f"{file}: copy it to the same place at each other host, readable by its owner alone (mode 0600)")
    return 0

"""``cim providers``: who provides what over NATS now."""

import argparse
from dataclasses import asdict

from cim.capabilities.instances import Instance, find_instances
from cim.cli.output import print_json, print_table
from cim.cli.place import find_machine, reach, run_until_stopped
from cim.domain.errors import CimError
from cim.leaf.machine import Machine

COLUMNS = ("instance", "provides", "as", "host", "pid", "since", "at work", "answered", "failed")


def run(given: argparse.Namespace) -> int:
    """List the instances that answer: what they provide, since when, and how much they have to do."""
    found = run_until_stopped(_found(find_machine(given.machine)))
    if given.json:
        for one in found:
            print_json(asdict(one))
    elif found:
        print_table(COLUMNS, [_row(one) for one in found])
    else:
        print("nobody provides anything over NATS")
    return 0


async def _found(machine: Machine) -> list[Instance]:
    async with reach(machine) as (client, running):
        if running is None:
            raise CimError(f"no leaf of machine {machine.name} runs, and nobody provides without one")
        return await find_instances(client)


def _row(one: Instance) -> tuple[str, ...]:
    what = f"{one.contract} {one.version} {one.binding}"
    working = f"{one.working} of {one.at_once}" + (", then it goes" if one.draining else "")
    return (
        one.id, what, one.provider, one.host, str(one.pid), one.since, working, str(one.done), str(one.failed)
    )  # fmt: skip

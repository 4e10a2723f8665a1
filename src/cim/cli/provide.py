"""``cim provide``: a process that answers for a contract over NATS, as one of as many as are started."""

import argparse
import os
import sys

from cim.capabilities.answering import Hangs
from cim.cli.output import tell
from cim.cli.place import find_machine, run_until_stopped
from cim.leaf.machine import Machine
from cim.leaf.provide import Provision, answering, make_provision


def run(given: argparse.Namespace) -> int:
    """Provide until interrupted; then end what is under way and go."""
    machine = find_machine(given.machine)
    name, _, use = given.contract.partition("=")
    made = make_provision(machine, name, use or None, given.binding, given.module)
    try:
        run_until_stopped(_provide(machine, made, given.at_once))
    except Hangs as hangs:
        print(f"cim provide: {hangs}", file=sys.stderr, flush=True)
        os._exit(1)  # the thread of a call that hangs would keep the process
    return 0


async def _provide(machine: Machine, made: Provision, at_once: int) -> None:
    async with answering(machine, made, at_once, tell) as one:
        subject = made.contract.subject(made.binding)
        print(f"{made.use} provides {subject} as {one.id}, {one.at_once} calls at once", flush=True)
        await one.until_hangs()

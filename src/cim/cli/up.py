"""``cim up``: run a machine until it is interrupted."""

import argparse
import asyncio
import os
from dataclasses import replace
from functools import partial

from cim.cli.output import tell
from cim.cli.place import find_machine, run_until_stopped
from cim.domain.errors import Misdeclared
from cim.leaf.compose import Leaf, leaf, leaf_in_turn
from cim.leaf.garbage import let_stay
from cim.leaf.hosts import VARIABLE, find_host
from cim.leaf.machine import Machine


def run(given: argparse.Namespace) -> int:
    """Run the machine's leaf, systems and page; of a cluster this host's node, and the leaf in turn."""
    machine = find_machine(given.machine)
    if machine.hosts:
        machine = replace(machine, here=find_host(machine.hosts, given.host or os.environ.get(VARIABLE)))
        up = partial(_is_up, machine)
        run_until_stopped(leaf_in_turn(machine, tell, up, port=given.port, stand_by=not given.node))
    elif given.host or given.node:
        raise Misdeclared(f"{machine.folder}: --as and --node are for a machine with [cluster]")
    else:
        run_until_stopped(_up(machine, given.port))
    return 0


async def _up(machine: Machine, port: int | None) -> None:
    async with leaf(machine, tell, port=port) as running:
        await _is_up(machine, running)
        await asyncio.get_running_loop().create_future()


async def _is_up(machine: Machine, running: Leaf) -> None:
    print(f"machine {machine.name} is up: {running.page}", flush=True)
    await running.node.world.until_caught_up()
    let_stay()

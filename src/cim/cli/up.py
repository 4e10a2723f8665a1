"""``cim up``: run a machine until it is interrupted."""

import argparse
import asyncio

from cim.cli.output import tell
from cim.cli.place import find_machine, run_until_stopped
from cim.leaf.compose import leaf
from cim.leaf.garbage import let_stay
from cim.leaf.machine import Machine


def run(given: argparse.Namespace) -> int:
    """Run the machine's leaf, systems and page."""
    run_until_stopped(_up(find_machine(given.machine), given.port))
    return 0


async def _up(machine: Machine, port: int | None) -> None:
    async with leaf(machine, tell, port=port) as running:
        print(f"machine {machine.name} is up: {running.page}", flush=True)
        await running.node.world.until_caught_up()
        let_stay()
        await asyncio.get_running_loop().create_future()

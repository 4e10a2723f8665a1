"""A second host of actors beside the leaf, in a process of its own: ``door FOLDER URLS``."""

import asyncio
import sys
from pathlib import Path

from cim.actors.actors import Actors
from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.doors.commands import CommandDoor
from cim.leaf.machine import load_contexts, load_machine
from cim.leaf.node import join
from cim.testing.faults.reaching import credentials_of


def tell(text: str) -> None:
    """To the process's own output."""
    print(text, flush=True)


async def main(folder: Path, urls: str) -> None:
    """Take commands until killed: every jar has an actor in the leaf and one here."""
    machine, clock = load_machine(folder), SystemClock()
    composition = compose(load_contexts(machine, machine.modules))
    async with (
        connect(urls, await credentials_of(folder), "a second door", tell, patience=120) as client,
        join(machine, client, composition, (), tell) as node,
    ):
        actors = Actors(composition, node.log, clock, machine.source)
        async with CommandDoor(composition, actors, node.world).serve(client, tell):
            await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))

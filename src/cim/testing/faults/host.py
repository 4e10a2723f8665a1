"""One host of three, in a process of its own: a node, the world with its systems and rows, and a door.

``host FOLDER NUMBER ADDRESS OTHER OTHER``; the addresses are those of the routes, ``host:port``.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from cim.actors.actors import Actors
from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.subjects import MACHINE
from cim.doors.commands import CommandDoor
from cim.doors.queries import QueryDoor
from cim.leaf.accounts import Keys, machine_credentials
from cim.leaf.cluster import node_folder
from cim.leaf.configuration import Member
from cim.leaf.lock import LeafAddress, MachineLock
from cim.leaf.machine import load_contexts, load_machine
from cim.leaf.machine_server import until_ready
from cim.leaf.node import join
from cim.leaf.server import Server
from cim.testing.faults.door import tell


async def main(folder: Path, member: Member) -> None:
    """Run until killed. What a leaf does, but for the page."""
    machine, clock = load_machine(folder), SystemClock()
    composition = compose(load_contexts(machine, machine.modules))
    with MachineLock.take(machine.state) as lock:
        keys = Keys.load_or_make(machine.state / "keys.json", now=int(time.time()))
        server = await Server.start(
            node_folder(machine.state, member.number),
            keys=keys,
            origins=(),
            cookie="cim_faults",
            durability="ha",
            member=member,
            on_event=tell,
        )
        user = machine_credentials(keys)
        try:
            async with connect(server.url, user, f"host {member.number}", tell) as client:
                await until_ready(client)
                async with join(
                    machine,
                    client,
                    composition,
                    composition.systems,
                    tell,
                    projections=composition.projections,
                ) as node:
                    actors = Actors(composition, node.log, clock, machine.source, sealing=node.sealing)
                    commands = CommandDoor(composition, actors, node.world)
                    queries = QueryDoor(composition, node.world, node.answers)
                    async with (
                        commands.serve(client, tell),
                        queries.serve(client, (MACHINE, *machine.modules), tell),
                    ):
                        lock.announce(LeafAddress(os.getpid(), server.url, (), "", user.jwt, user.seed))
                        await asyncio.get_running_loop().create_future()
        finally:
            await server.stop()


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(main(Path(given[0]), Member(int(given[1]), tuple(given[3:]), given[2])))

"""The server of one machine: started on its folder with its keys, and stopped.

A room of its own, so that a command that only reads need not load the doors and the page.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cim.leaf.accounts import Keys
from cim.leaf.machine import Machine
from cim.leaf.server import Server
from cim.leaf.sessions import PageSessions


@asynccontextmanager
async def machine_server(
    machine: Machine, origins: tuple[str, ...], tell: Callable[[str], None]
) -> AsyncIterator[tuple[Server, Keys]]:
    """The machine's keys and its supervised nats-server; the caller holds the machine's lock."""
    keys = Keys.load_or_make(machine.state / "keys.json", now=int(time.time()))
    running = await Server.start(
        machine.state,
        keys=keys,
        origins=origins,
        cookie=PageSessions.cookie_of(keys),
        durability="durable" if machine.durability == "durable" else "dev",
        on_event=tell,
    )
    try:
        yield running, keys
    finally:
        await running.stop()

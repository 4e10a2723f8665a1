"""A real server with a connection to it and nothing else of a leaf, for tests."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client

from cim.adapters.nats.link import connect
from cim.leaf.accounts import Credentials, Keys, machine_credentials
from cim.leaf.server import Server


@dataclass(frozen=True, slots=True)
class BareLeaf:
    """A supervised nats-server, the machine's user on it, and a connection of that user."""

    server: Server
    user: Credentials
    client: Client


@asynccontextmanager
async def bare_leaf(folder: Path, tell: Callable[[str], None] = lambda text: None) -> AsyncIterator[BareLeaf]:
    """Run one on ``folder`` until the block ends. ``tell`` hears what server and connection tell."""
    keys = Keys.load_or_make(folder / "keys.json", now=int(time.time()))
    server = await Server.start(folder, keys=keys, origins=(), cookie="cim_test", on_event=tell)
    user = machine_credentials(keys)
    try:
        async with connect(server.url, user, "test", tell) as client:
            yield BareLeaf(server, user, client)
    finally:
        await server.stop()

"""A real server, or three of them, with a connection to it and nothing else of a leaf, for tests."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client

from cim.adapters.nats.lean import ask_api
from cim.adapters.nats.link import connect
from cim.adapters.nats.stream import STREAM
from cim.leaf.accounts import Credentials, Keys, machine_credentials
from cim.leaf.cluster import Cluster
from cim.leaf.configuration import Durability
from cim.leaf.server import Server


@dataclass(frozen=True, slots=True)
class BareLeaf:
    """A supervised nats-server, its keys, the machine's user on it, and a connection of that user."""

    server: Server
    keys: Keys
    user: Credentials
    client: Client


@asynccontextmanager
async def bare_leaf(
    folder: Path, tell: Callable[[str], None] = lambda text: None, durability: Durability = "dev"
) -> AsyncIterator[BareLeaf]:
    """Run one on ``folder`` until the block ends. ``tell`` hears what server and connection tell."""
    keys = Keys.load_or_make(folder / "keys.json", now=int(time.time()))
    server = await Server.start(
        folder, keys=keys, origins=(), cookie="cim_test", durability=durability, on_event=tell
    )
    user = machine_credentials(keys)
    try:
        async with connect(server.url, user, "test", tell) as client:
            yield BareLeaf(server, keys, user, client)
    finally:
        await server.stop()


@dataclass(frozen=True, slots=True)
class BareCluster:
    """Three supervised nodes, the machine's user on them, and a connection of that user."""

    server: Cluster
    user: Credentials
    client: Client

    async def leader(self) -> int:
        """The number of the node that leads the log now; 0 where none is told."""
        info = await ask_api(self.client, f"STREAM.INFO.{STREAM}", {})
        return int(info.get("cluster", {}).get("leader", "-0").rpartition("-")[2])


@asynccontextmanager
async def bare_cluster(
    folder: Path, tell: Callable[[str], None] = lambda text: None
) -> AsyncIterator[BareCluster]:
    """As :func:`bare_leaf`, of durability ``ha``."""
    keys = Keys.load_or_make(folder / "keys.json", now=int(time.time()))
    cluster = await Cluster.start(folder, keys=keys, origins=(), cookie="cim_test", on_event=tell)
    user = machine_credentials(keys)
    try:
        async with connect(cluster.url, user, "test", tell) as client:
            yield BareCluster(cluster, user, client)
    finally:
        await cluster.stop()

"""The server of one machine: started on its folder with its keys, and stopped.

A room of its own, so that a command that only reads need not load the doors and the page.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from nats.aio.client import Client

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.link import connect
from cim.adapters.nats.stream import open_stream
from cim.adapters.system import SystemClock
from cim.domain.errors import Misdeclared
from cim.leaf.accounts import Keys, machine_credentials
from cim.leaf.cluster import Cluster, node_folder
from cim.leaf.configuration import NODES
from cim.leaf.machine import Machine
from cim.leaf.server import Server
from cim.leaf.sessions import PageSessions
from cim.log.backoff import outlast

STORE = "jetstream"
"""The folder in which a server keeps what it stores."""

OPENING = 30.0
"""Seconds that the nodes of a cluster have to elect a leader of the log."""

Tell = Callable[[str], None]


@asynccontextmanager
async def machine_server(
    machine: Machine, origins: tuple[str, ...], tell: Tell
) -> AsyncIterator[tuple[Server | Cluster, Keys]]:
    """The machine's keys and its supervised server, or the three of ``ha``; the caller holds the lock.

    Raises :class:`Misdeclared` where the machine's history was written under another durability.
    """
    _check_history(machine)
    keys = Keys.load_or_make(machine.state / "keys.json", now=int(time.time()))
    running = await _start(machine, keys, origins, tell)
    try:
        yield running, keys
    finally:
        await running.stop()


async def _start(machine: Machine, keys: Keys, origins: tuple[str, ...], tell: Tell) -> Server | Cluster:
    cookie = PageSessions.cookie_of(keys)
    if machine.durability == "ha":
        cluster = await Cluster.start(machine.state, keys=keys, origins=origins, cookie=cookie, on_event=tell)
        try:
            async with connect(cluster.url, machine_credentials(keys), "the leaf's start") as client:
                await until_ready(client)
        except BaseException:
            await cluster.stop()
            raise
        return cluster
    return await Server.start(
        machine.state,
        keys=keys,
        origins=origins,
        cookie=cookie,
        durability="durable" if machine.durability == "durable" else "dev",
        on_event=tell,
    )


async def until_ready(client: Client) -> None:
    """Wait until log and contents have a leader: in a cluster nothing can be asked before.

    Raises :class:`cim.ports.log.LinkLost` where they have none for half a minute.
    """
    clock = SystemClock()
    await outlast(lambda: open_stream(client), clock, OPENING)
    await outlast(lambda: NatsBlobs.open(client), clock, OPENING)


def stores(machine: Machine) -> list[Path]:
    """Where the machine's history is kept: in one folder, or in that of each node of ``ha``."""
    numbers = range(1, NODES + 1)
    nodes = [node_folder(machine.state, number) for number in numbers]
    return [node / STORE for node in (nodes if machine.durability == "ha" else [machine.state])]


def _check_history(machine: Machine) -> None:
    """One node's history is not that of three: a server that came up without it would show an empty log."""
    before = "dev" if machine.durability == "ha" else "ha"
    found = [store for store in stores(replace(machine, durability=before)) if _has_history(store)]
    if found:
        raise Misdeclared(
            f"{machine.folder}: durability is {machine.durability!r}, and {found[0]} holds a history that "
            f"was written under {before!r}. Put durability back to {before!r}, `cim export FILE.zip`, set it "
            f"to {machine.durability!r} again, move {' and '.join(map(str, found))} away, "
            f"`cim import FILE.zip`"
        )


def _has_history(store: Path) -> bool:
    return any((store / "jetstream").glob("A*/streams/*"))

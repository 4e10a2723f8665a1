"""The server of one machine: started on its folder with its keys, and stopped.

A room of its own, so that a command that only reads need not load the doors and the page.
"""

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
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
from cim.leaf.hosts import find_host
from cim.leaf.machine import Machine
from cim.leaf.own_node import OwnNode, check_folders, told_late
from cim.leaf.server import Server
from cim.leaf.sessions import PageSessions
from cim.log.backoff import outlast

_TO_HOSTS = ". All that without [cluster]; then move node-2 and node-3 from .cim to the hosts of these places"

_FIRST = "no node leads the log yet: the first time all hosts must be there, later any two are enough"

STORE = "jetstream"
"""The folder in which a server keeps what it stores."""

OPENING = 30.0
"""Seconds that the nodes of a cluster have to elect a leader of the log."""

Tell = Callable[[str], None]
Running = Server | Cluster | OwnNode


@asynccontextmanager
async def machine_server(
    machine: Machine, origins: tuple[str, ...], tell: Tell
) -> AsyncIterator[tuple[Running, Keys]]:
    """The machine's keys and its supervised server; the caller holds the lock.

    Of ``ha`` it is three of them, or, of a machine with several hosts, the one of this host.

    Raises :class:`Misdeclared` where the machine's history was written under another durability.
    """
    if machine.hosts and machine.here is None:
        machine = replace(machine, here=find_host(machine.hosts, None))
    _check_history(machine)
    keys = _keys(machine)
    running = await _start(machine, keys, origins, tell)
    try:
        yield running, keys
    finally:
        await running.stop()


KEYS = "keys.json"


def make_keys(machine: Machine) -> Path:
    """The file of the keys by which a machine's programs and nodes know each other, made if it is missing."""
    Keys.load_or_make(machine.state / KEYS, now=int(time.time()))
    return machine.state / KEYS


def _keys(machine: Machine) -> Keys:
    """The machine's keys. On one host of several they are never made by the way: each would make its own."""
    file = machine.state / KEYS
    if machine.hosts and not file.exists():
        raise Misdeclared(
            f"{file} is missing: the hosts of a cluster know each other by the same keys. Make them once, on "
            f"one host, with `cim keys`, and copy the file to the others, readable by its owner alone"
        )
    return Keys.load_or_make(file, now=int(time.time()))


async def _start(machine: Machine, keys: Keys, origins: tuple[str, ...], tell: Tell) -> Running:
    cookie = PageSessions.cookie_of(keys)
    if machine.durability == "ha":
        cluster = await _nodes(machine, keys, origins, cookie, tell)
        try:
            async with connect(cluster.url, machine_credentials(keys), "the leaf's start") as client:
                with told_late(tell, _FIRST) if machine.here else nullcontext():
                    await until_ready(client, math.inf if machine.here else OPENING)
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


async def _nodes(
    machine: Machine, keys: Keys, origins: tuple[str, ...], cookie: str, tell: Tell
) -> Cluster | OwnNode:
    """All three nodes on this host, or the one of this host."""
    if machine.here is None:
        return await Cluster.start(machine.state, keys=keys, origins=origins, cookie=cookie, on_event=tell)
    return await OwnNode.start(
        machine.state, machine.here, machine.hosts, keys=keys, origins=origins, cookie=cookie, on_event=tell
    )


async def until_ready(client: Client, patience: float = OPENING) -> None:
    """Wait until log and contents have a leader: in a cluster nothing can be asked before.

    Raises :class:`cim.ports.log.LinkLost` where they have none for ``patience`` seconds.
    """
    clock = SystemClock()
    await outlast(lambda: open_stream(client), clock, patience)
    await outlast(lambda: NatsBlobs.open(client), clock, patience)


def stores(machine: Machine) -> list[Path]:
    """Where the machine's history is kept: in one folder, or in that of each node of ``ha``."""
    numbers = range(1, NODES + 1)
    nodes = [node_folder(machine.state, number) for number in numbers]
    return [node / STORE for node in (nodes if machine.durability == "ha" else [machine.state])]


def _check_history(machine: Machine) -> None:
    """One node's history is not that of three: a server that came up without it would show an empty log."""
    check_folders(machine.state, machine.here, lambda node: _has_history(node / STORE))
    before = "dev" if machine.durability == "ha" else "ha"
    found = [store for store in stores(replace(machine, durability=before)) if _has_history(store)]
    if found:
        raise Misdeclared(
            f"{machine.folder}: durability is {machine.durability!r}, and {found[0]} holds a history that "
            f"was written under {before!r}. Put durability back to {before!r}, `cim export FILE.zip`, set it "
            f"to {machine.durability!r} again, move {' and '.join(map(str, found))} away, "
            f"`cim import FILE.zip`{_TO_HOSTS if machine.hosts else ''}"
        )


def _has_history(store: Path) -> bool:
    return any((store / "jetstream").glob("A*/streams/*"))

"""This host's node of a cluster of several hosts: one supervised nats-server at an address that all know.

The history on a host belongs to its place in the table: what does not fit is refused by name.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from cim.domain.errors import Misdeclared
from cim.leaf.accounts import Keys
from cim.leaf.cluster import node_folder
from cim.leaf.configuration import Member
from cim.leaf.hosts import Host
from cim.leaf.private import private_folder, write_private
from cim.leaf.server import Server

LONELY = 3.0
"""Seconds after which it is told that others are waited for."""

MARK = "host"
"""The file in a node's folder that says that it is one of several hosts', and whose."""


class OwnNode:
    """The node of ``here``, one of ``hosts``; to a leaf, what a :class:`Server` is on one host alone."""

    def __init__(self, server: Server, here: Host, hosts: Sequence[Host]) -> None:
        self._server, self._here, self._hosts = server, here, hosts

    @classmethod
    async def start(
        cls,
        folder: Path,
        here: Host,
        hosts: Sequence[Host],
        *,
        keys: Keys,
        origins: Sequence[str],
        cookie: str,
        on_event: Callable[[str], None] = lambda text: None,
    ) -> Self:
        """Start it in ``folder`` (``<machine>/.cim``) and wait until enough of the others are there.

        That may be long, and it is told that it waits. See :meth:`Server.start`, also for what it raises.
        """
        others = tuple(host for host in hosts if host is not here)
        own = private_folder(node_folder(folder, here.number))
        write_private(own / MARK, here.name)
        names = " or ".join(f"{host.name} ({host.route})" for host in others)
        with told_late(on_event, f"node {here.name} waits for {names}, with the same keys.json"):
            server = await Server.start(
                own,
                keys=keys,
                origins=origins,
                cookie=cookie,
                durability="ha",
                member=Member(
                    here.number,
                    tuple(host.route for host in others),
                    here.route,
                    (here.address, here.port),
                ),
                on_event=on_event,
            )
        return cls(server, here, hosts)

    @property
    def url(self) -> str:
        """Where programs connect: at this host's node first."""
        return ",".join(host.url for host in sorted(self._hosts, key=lambda host: host is not self._here))

    @property
    def websocket_ports(self) -> tuple[int, ...]:
        """Where pages connect: they are this host's own, so to its own node."""
        return self._server.websocket_ports

    @property
    def trouble(self) -> str | None:
        """Why this node can store nothing now, in words."""
        return self._server.trouble

    async def stop(self) -> None:
        """End it; a second call does nothing."""
        await self._server.stop()


@contextmanager
def told_late(tell: Callable[[str], None], text: str) -> Iterator[None]:
    """Tell that something is waited for, where the block takes long."""
    late = asyncio.get_running_loop().call_later(LONELY, tell, text)
    try:
        yield
    finally:
        late.cancel()


def check_folders(folder: Path, here: Host | None, is_kept: Callable[[Path], bool]) -> None:
    """Refuse a node that would come up empty beside a history that it should have.

    ``is_kept`` says whether a node's folder holds one. Raises :class:`Misdeclared` by name.
    """
    for other in sorted(folder.glob("node-*")):
        mark = other / MARK
        if here is None and mark.exists():
            raise Misdeclared(
                f"{other} is the node of {mark.read_text()}, one of several hosts: put [cluster] back into "
                f"machine.toml"
            )
        if here is not None and other != node_folder(folder, here.number) and is_kept(other):
            raise Misdeclared(
                f"{other} holds a history, and {here.name} is host {here.number} of [cluster]: each host has "
                f"the node of its place in the table. Move it to that host, or put the table in order again"
            )

"""The three nodes of an ``ha`` machine on one host: one supervised nats-server each, in a folder of its own.

What this gives: a node that dies, stands still, or whose folder is damaged stops nobody, and every receipt
stands on two disks' files before it is given. What one host cannot give: it ends with the host and its disk.
On several hosts each has one of them instead: see :mod:`cim.leaf.own_node`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Self

from cim.leaf.accounts import Keys
from cim.leaf.configuration import HOST, NODES, Configuration, Member, Ports
from cim.leaf.process import ServerFailed
from cim.leaf.server import Server
from cim.log.backoff import delays

Begin = Callable[[int], Coroutine[None, None, Server]]
"""Starts the node of a number."""

QUORUM = NODES // 2 + 1
"""How many nodes must be there, so that anything is written."""


def node_folder(folder: Path, number: int) -> Path:
    """The folder of one node in the leaf's own."""
    return folder / f"node-{number}"


class Cluster:
    """Three nodes on loopback, of which any two are enough; see :class:`Server` for each."""

    def __init__(self, on_event: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._nodes: dict[int, Server] = {}
        self._late: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(
        cls,
        folder: Path,
        *,
        keys: Keys,
        origins: Sequence[str],
        cookie: str,
        on_event: Callable[[str], None] = lambda text: None,
    ) -> Self:
        """Start the nodes on ``folder``; return when JetStream answers on all of them.

        Two are enough where one cannot start: that is told, and the third is tried on. The arguments are
        those of :meth:`Server.start`. Raises :class:`ServerFailed` where two nodes cannot start.
        """
        cluster = cls(on_event)
        ports = _ports(folder, keys)

        async def begin(number: int) -> Server:
            others = tuple(f"{HOST}:{one.route}" for other, one in ports.items() if other != number)
            return await Server.start(
                node_folder(folder, number),
                keys=keys,
                origins=origins,
                cookie=cookie,
                durability="ha",
                member=Member(number, others),
                ports=ports[number],
                on_event=lambda text: on_event(f"node {number}: {text}"),
            )

        await cluster._start_all(begin)
        return cluster

    @property
    def url(self) -> str:
        """Where the machine's programs connect: the nodes' addresses, parted by commas."""
        return ",".join(self._nodes[number].url for number in sorted(self._nodes))

    @property
    def websocket_ports(self) -> tuple[int, ...]:
        """Where pages connect: at any of the nodes."""
        return tuple(self._nodes[number].websocket_port for number in sorted(self._nodes))

    @property
    def trouble(self) -> str | None:
        """Why a node can store nothing now, in words; None while all can."""
        told = {number: node.trouble for number, node in self._nodes.items() if node.trouble is not None}
        return next((f"node {number}: {trouble}" for number, trouble in told.items()), None)

    @property
    def nodes(self) -> dict[int, Server]:
        """The nodes that were started, by their numbers."""
        return dict(self._nodes)

    async def stop(self) -> None:
        """End all nodes; a second call does nothing."""
        for task in self._late:
            task.cancel()
        if self._late:
            await asyncio.wait(self._late)
        await asyncio.gather(*(server.stop() for server in self._nodes.values()))

    async def _start_all(self, begin: Begin) -> None:
        starting = {asyncio.ensure_future(begin(number)): number for number in range(1, NODES + 1)}
        failed: dict[int, BaseException] = {}
        try:
            while len(self._nodes) + len(failed) < NODES:
                left = [task for task in starting if starting[task] not in {*self._nodes, *failed}]
                done, _ = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    error = task.exception()
                    if error is None:
                        self._nodes[starting[task]] = task.result()
                    else:
                        failed[starting[task]] = error
                if len(failed) > NODES - QUORUM:
                    raise next(iter(failed.values()))
        except BaseException:
            await self._give_up(starting)
            raise
        for number, error in failed.items():
            self._on_event(f"node {number} did not start, the others go on without it: {error}")
            self._late.add(asyncio.create_task(self._start_late(number, begin)))

    async def _give_up(self, starting: "dict[asyncio.Task[Server], int]") -> None:
        """End what was started of a cluster that cannot be."""
        for task in starting:
            task.cancel()
        ended = await asyncio.gather(*starting, return_exceptions=True)
        await asyncio.gather(*(one.stop() for one in ended if isinstance(one, Server)))

    async def _start_late(self, number: int, begin: Begin) -> None:
        for delay in delays(first=0.5, longest=5.0):
            await asyncio.sleep(delay)
            try:
                self._nodes[number] = await begin(number)
            except (ServerFailed, OSError):
                continue
            self._on_event(f"node {number} has started: all nodes are there")
            return


def _ports(folder: Path, keys: Keys) -> dict[int, Ports]:
    """The ports of each node: those of the last start where they are free."""
    found: dict[int, Ports] = {}
    for number in range(1, NODES + 1):
        known = Configuration(node_folder(folder, number), keys, (), "", "ha", Member(number, ()))
        found[number] = known.last_ports() or known.free_ports()
    return found

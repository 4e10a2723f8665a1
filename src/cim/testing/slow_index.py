"""An index as a disk is: what is written is there some time later, or is not written."""

import asyncio
from asyncio import Future
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cim.adapters.memory.index import MemoryIndex
from cim.domain.errors import CimError
from cim.ports.index import Part, Row, Said, Standing
from cim.testing.faulty_log import Network

WRITING = {"index is written": 10, "index is not written": 1}
"""How often each thing happens to a write."""


class SlowIndex(MemoryIndex):
    """An index that outlives the process that uses it; what that began to write and did not end is lost with
    it (:meth:`cut`)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network
        self._under_way: asyncio.Task[None] | None = None

    def write(
        self,
        rows: Sequence[Row],
        commands: Mapping[str, Said],
        standing: Standing,
        parts: Mapping[Part, bytes | None] = MappingProxyType({}),
    ) -> Future[None]:
        """See :class:`cim.ports.index.Index`."""
        assert self._under_way is None or self._under_way.done(), "one write at a time"
        # What was handed over stays as it is, whatever becomes of what it was taken from.
        self._under_way = asyncio.ensure_future(self._later([*rows], {**commands}, standing, {**parts}))
        return self._under_way

    async def _later(
        self,
        rows: Sequence[Row],
        commands: Mapping[str, Said],
        standing: Standing,
        parts: Mapping[Part, bytes | None],
    ) -> None:
        await self._network.take_time()
        if self._network.fate(WRITING) == "index is not written":
            raise CimError("no room is left on the disk")
        await super().write(rows, commands, standing, parts)
        await self._network.take_time()

    def cut(self) -> None:
        """Its process is dead."""
        if self._under_way is not None:
            self._under_way.cancel()

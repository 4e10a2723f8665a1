"""Large content at a door: what a server's restart cuts is tried again, as a command is."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cim.domain.blob import Blob
from cim.log.backoff import delays
from cim.ports.blobs import BlobStore
from cim.ports.clock import Clock
from cim.ports.log import LinkLost

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds after which a lost link is told."""


class PatientBlobs:
    """A :class:`cim.ports.blobs.BlobStore` over another, with patience while the link is lost."""

    def __init__(self, store: BlobStore, clock: Clock, patience: float = PATIENCE) -> None:
        self._store, self._clock, self._patience = store, clock, patience

    async def keep(self, content: bytes, media: str) -> Blob:
        return await self._outlast(lambda: self._store.keep(content, media))

    async def load(self, sha256: str) -> bytes:
        return await self._outlast(lambda: self._store.load(sha256))

    async def _outlast(self, call: Callable[[], Awaitable[T]]) -> T:
        deadline = self._clock.monotonic() + self._patience
        for delay in delays():
            try:
                return await call()
            except LinkLost:
                if self._clock.monotonic() + delay > deadline:
                    raise
            await self._clock.sleep(delay)
        raise AssertionError("delays never end")

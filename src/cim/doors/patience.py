"""Large content at a door: what a server's restart cuts is tried again, as a command is."""

from cim.domain.blob import Blob
from cim.log.backoff import outlast
from cim.ports.blobs import BlobStore
from cim.ports.clock import Clock

PATIENCE = 10.0
"""Seconds after which a lost link is told."""


class PatientBlobs:
    """A :class:`cim.ports.blobs.BlobStore` over another, with patience while the link is lost."""

    def __init__(self, store: BlobStore, clock: Clock, patience: float = PATIENCE) -> None:
        self._store, self._clock, self._patience = store, clock, patience

    async def keep(self, content: bytes, media: str) -> Blob:
        return await outlast(lambda: self._store.keep(content, media), self._clock, self._patience)

    async def load(self, sha256: str) -> bytes:
        return await outlast(lambda: self._store.load(sha256), self._clock, self._patience)

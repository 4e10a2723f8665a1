"""The store of large content as the core sees it; systems get its synchronous face, ``Blobs``."""

from typing import Protocol

from cim.domain.blob import Blob
from cim.domain.errors import CimError


class BlobMissing(CimError):
    """Content that the log names is not in the store, or is there with other bytes."""


class BlobStore(Protocol):
    """Content by its digest, beside the log."""

    async def keep(self, content: bytes, media: str) -> Blob:
        """Store content under its digest; the same content twice is stored once."""
        ...

    async def load(self, sha256: str) -> bytes:
        """The content of that digest, checked; raises :class:`BlobMissing`."""
        ...

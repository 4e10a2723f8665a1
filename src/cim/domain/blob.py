"""Large content, named by its digest."""

from typing import Protocol

from cim.domain.capability import Capability
from cim.domain.record import Record


class Blob(Record):
    """Content kept beside the log: ``sha256`` in hex, ``size`` in bytes, ``media`` as a MIME type."""

    sha256: str
    size: int
    media: str


class Blobs(Capability, Protocol):
    """The machine's store of large content, as a system sees it."""

    def load(self, blob: Blob) -> bytes:
        """The content; raises :class:`cim.domain.errors.Failure` when it is missing or was changed."""
        ...

    def keep(self, content: bytes, media: str) -> Blob:
        """Store content under its digest; the same content twice is stored once."""
        ...

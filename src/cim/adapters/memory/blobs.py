"""Large content in memory."""

import hashlib

from cim.domain.blob import Blob
from cim.ports.blobs import BlobMissing


class MemoryBlobs:
    """Fulfils :class:`cim.ports.blobs.BlobStore` with a dictionary."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    async def keep(self, content: bytes, media: str) -> Blob:
        digest = hashlib.sha256(content).hexdigest()
        self._contents[digest] = content
        return Blob(digest, len(content), media)

    async def load(self, sha256: str) -> bytes:
        found = self._contents.get(sha256)
        if found is None:
            raise BlobMissing(f"content {sha256} is not in the store")
        return found

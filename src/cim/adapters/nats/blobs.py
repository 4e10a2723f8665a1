"""Large content in the machine's object store, named by its digest and checked when read."""

import hashlib

from nats import errors
from nats.aio.client import Client
from nats.js.errors import BucketNotFoundError, NotFoundError
from nats.js.object_store import ObjectStore

from cim.domain.blob import Blob
from cim.ports.blobs import BlobMissing
from cim.ports.log import LinkLost

BUCKET = "blobs"


class NatsBlobs:
    """Fulfils :class:`cim.ports.blobs.BlobStore` by a JetStream object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    async def open(cls, client: Client) -> "NatsBlobs":
        """The machine's store, made if it is not there."""
        stream = client.jetstream()
        try:
            return cls(await stream.object_store(BUCKET))
        except (BucketNotFoundError, NotFoundError):
            return cls(await stream.create_object_store(BUCKET))

    async def keep(self, content: bytes, media: str) -> Blob:
        digest = hashlib.sha256(content).hexdigest()
        try:
            if not await self._holds(digest):
                await self._store.put(digest, content)
        except (TimeoutError, errors.Error) as error:
            raise LinkLost(
                f"content {digest[:12]}… was not stored: {type(error).__name__} {error}"
            ) from error
        return Blob(digest, len(content), media)

    async def load(self, sha256: str) -> bytes:
        try:
            found = await self._store.get(sha256)
        except NotFoundError as error:
            raise BlobMissing(f"content {sha256} is not in the machine's store") from error
        except (TimeoutError, errors.Error) as error:
            raise LinkLost(f"content {sha256[:12]}… was not read: {type(error).__name__} {error}") from error
        content = found.data or b""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BlobMissing(f"content {sha256} was changed in the store: its bytes have another digest")
        return content

    async def _holds(self, digest: str) -> bool:
        try:
            await self._store.get_info(digest)
        except NotFoundError:
            return False
        return True

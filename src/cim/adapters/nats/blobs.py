"""Large content in the machine's object store, named by its digest and checked when read."""

import hashlib

from nats import errors
from nats.aio.client import Client
from nats.js.api import ObjectStoreConfig
from nats.js.errors import BadObjectMetaError, BucketNotFoundError, NotFoundError
from nats.js.object_store import ObjectStore

from cim.adapters.nats.direct import messages
from cim.adapters.nats.link import replicas_of
from cim.domain.blob import Blob
from cim.ports.blobs import BlobMissing
from cim.ports.log import LinkLost

BUCKET = "blobs"
STREAM = f"OBJ_{BUCKET}"

_PATIENCE = 2.0


class NatsBlobs:
    """Fulfils :class:`cim.ports.blobs.BlobStore` by a JetStream object store."""

    def __init__(self, client: Client, store: ObjectStore) -> None:
        self._client, self._store = client, store

    @classmethod
    async def open(cls, client: Client) -> "NatsBlobs":
        """The machine's store, made if it is not there. Raises :class:`LinkLost`."""
        stream = client.jetstream(timeout=_PATIENCE)
        try:
            try:
                return cls(client, await stream.object_store(BUCKET))
            except (BucketNotFoundError, NotFoundError):
                config = ObjectStoreConfig(replicas=replicas_of(client))
                return cls(client, await stream.create_object_store(BUCKET, config))
        except errors.Error as error:
            raise LinkLost(f"the store of contents was not opened: {_told(error)}") from error

    async def keep(self, content: bytes, media: str) -> Blob:
        digest = hashlib.sha256(content).hexdigest()
        try:
            # What is there is read, not believed: handing content in again repairs what was damaged.
            await self.load(digest)
        except BlobMissing:
            await self._put(digest, content)
        return Blob(digest, len(content), media)

    async def load(self, sha256: str) -> bytes:
        chunks = f"$O.{BUCKET}.C.{await self._place(sha256)}"
        content = b"".join([message.data async for message in messages(self._client, STREAM, chunks)])
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BlobMissing(f"content {sha256} was changed in the store: its bytes have another digest")
        return content

    async def _place(self, sha256: str) -> str:
        """Under which name the store keeps the chunks of a content."""
        try:
            info = await self._store.get_info(sha256)
        except NotFoundError as error:
            raise BlobMissing(f"content {sha256} is not in the machine's store") from error
        except BadObjectMetaError as error:
            raise BlobMissing(f"content {sha256} was changed in the store: its entry is damaged") from error
        except errors.Error as error:
            raise LinkLost(f"content {sha256[:12]}… was not read: {_told(error)}") from error
        return str(info.nuid)

    async def _put(self, digest: str, content: bytes) -> None:
        try:
            await self._store.put(digest, content)
        except errors.Error as error:
            raise LinkLost(f"content {digest[:12]}… was not stored: {_told(error)}") from error


def _told(error: errors.Error) -> str:
    return f"{type(error).__name__} {error}".rstrip()

"""Large content in the machine's object store, named by its digest and checked when read.

Contents lie as every client of NATS keeps objects (ADR-20 of nats-architecture-and-design): the parts on one
subject, an entry with its place on another.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.arrivals import Part, Parts
from cim.adapters.nats.direct import held, whole
from cim.adapters.nats.lean import Lean, lean_of
from cim.adapters.nats.link import refusal
from cim.adapters.nats.reading import batches
from cim.adapters.nats.stream import found_or_made
from cim.adapters.nats.wire import Wire
from cim.domain.blob import Blob
from cim.ports.blobs import BlobMissing
from cim.ports.log import LinkLost

BUCKET = "blobs"
STREAM = f"OBJ_{BUCKET}"

_PARTS, _ENTRIES = f"$O.{BUCKET}.C", f"$O.{BUCKET}.M"
_PART = 128 * 1024
_AT_ONCE = 8
"""How many parts are under way at once."""

_ONLY_THIS = b"NATS/1.0\r\nNats-Rollup: sub\r\n\r\n"
"""The entry stands in place of the one before it."""

_MADE_WITH: dict[str, Any] = {
    "name": STREAM,
    "subjects": [f"{_PARTS}.>", f"{_ENTRIES}.>"],
    "storage": "file",
    "discard": "new",
    "allow_rollup_hdrs": True,
    "allow_direct": True,
}


class _Entry(msgspec.Struct):
    """What the store says of a content: ``nuid`` names the subject of its parts."""

    nuid: str = ""
    deleted: bool = False


class NatsBlobs:
    """Fulfils :class:`cim.ports.blobs.BlobStore` by a JetStream object store."""

    def __init__(self, lean: Lean) -> None:
        self._lean = lean

    @classmethod
    async def open(cls, client: Client) -> "NatsBlobs":
        """The machine's store, made if it is not there. Raises :class:`LinkLost`."""
        lean = lean_of(client)
        trouble = refusal(await found_or_made(lean, _MADE_WITH))
        if trouble is not None:
            raise LinkLost(f"the store of contents was not opened: {trouble[1]} (code {trouble[0]})")
        return cls(lean)

    async def keep(self, content: bytes, media: str) -> Blob:
        digest = hashlib.sha256(content).hexdigest()
        try:
            # What is there is read, not believed: handing content in again repairs what was damaged.
            await self.load(digest)
        except BlobMissing:
            await self._put(digest, content)
        return Blob(digest, len(content), media)

    async def load(self, sha256: str) -> bytes:
        entry = await self._entry(sha256)
        if entry is None:
            raise BlobMissing(f"content {sha256} is not in the machine's store")
        subject = f"{_PARTS}.{entry.nuid}"
        read = partial(_parts, await self._lean.wire(), subject)
        parts = whole(self._lean, STREAM, subject, 0, read, lambda part: part.sequence)
        content = b"".join([part.body async for part in parts])
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BlobMissing(f"content {sha256} was changed in the store: its bytes have another digest")
        return content

    async def _entry(self, sha256: str) -> _Entry | None:
        """What the store says of a content; None where it is not there."""
        found = await held(self._lean, STREAM, {"last_by_subj": _entry_subject(sha256)})
        if found is None:
            return None
        try:
            entry = msgspec.json.decode(found.body, type=_Entry)
        except msgspec.MsgspecError as error:
            raise BlobMissing(f"content {sha256} was changed in the store: its entry is damaged") from error
        return None if entry.deleted else entry

    async def _put(self, digest: str, content: bytes) -> None:
        """Store parts first and the entry last: what was cut on the way is not there."""
        before = None
        with suppress(BlobMissing):
            before = await self._entry(digest)
        name, wire = secrets.token_hex(11), await self._lean.wire()
        parts = [content[at : at + _PART] for at in range(0, len(content), _PART)]
        try:
            for at in range(0, len(parts), _AT_ONCE):
                these = parts[at : at + _AT_ONCE]
                await asyncio.gather(*(_store(wire, f"{_PARTS}.{name}", b"", part) for part in these))
            entry = _entry_of(digest, name, content, len(parts))
            await _store(wire, _entry_subject(digest), _ONLY_THIS, entry)
        except LinkLost as lost:
            with suppress(LinkLost):
                await self._purge(name)
            raise LinkLost(f"content {digest[:12]}… was not stored: {lost}") from lost
        if before is not None:
            await self._purge(before.nuid)

    async def _purge(self, name: str) -> None:
        await self._lean.ask_api(f"STREAM.PURGE.{STREAM}", {"filter": f"{_PARTS}.{name}"})


def _parts(wire: Wire, subject: str, after: int) -> AsyncIterator[Part]:
    return batches(wire, STREAM, subject, after, Parts)


async def _store(wire: Wire, subject: str, block: bytes, body: bytes) -> None:
    """Store a message; raises :class:`LinkLost` where it was not acknowledged."""
    _, answer = await wire.ask(subject, block, body)
    trouble = refusal(msgspec.json.decode(answer, type=dict[str, Any]))
    if trouble is not None:
        raise LinkLost(f"{trouble[1]} (code {trouble[0]})")


def _entry_subject(sha256: str) -> str:
    return f"{_ENTRIES}.{base64.urlsafe_b64encode(sha256.encode()).decode()}"


def _entry_of(digest: str, name: str, content: bytes, parts: int) -> bytes:
    told = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
    return msgspec.json.encode(
        {
            "name": digest,
            "options": {"max_chunk_size": _PART},
            "bucket": BUCKET,
            "nuid": name,
            "size": len(content),
            "chunks": parts,
            "digest": f"SHA-256={told}",
        }
    )

"""The store of contents over a real server: what was changed, lost or cut does not pass for whole."""

import asyncio
import hashlib
import os
import signal

import pytest

from cim.adapters.nats.blobs import BUCKET, STREAM, NatsBlobs
from cim.adapters.system import SystemClock
from cim.log.backoff import outlast
from cim.ports.blobs import BlobMissing, BlobStore
from cim.ports.log import LinkLost
from cim.testing.bare_leaf import BareLeaf
from cim.testing.blobs_conformance import BlobsConformance, noise
from cim.testing.log_conformance import DEADLINE


class TestNatsBlobs(BlobsConformance):
    @pytest.fixture
    def blobs(self, nats_blobs: NatsBlobs) -> BlobStore:
        return nats_blobs


async def stored_messages(leaf: BareLeaf) -> int:
    return int((await leaf.client.jetstream().stream_info(STREAM)).state.messages)


async def test_the_same_content_is_stored_once(leaf: BareLeaf, nats_blobs: NatsBlobs) -> None:
    content = noise(1_000_000)
    await nats_blobs.keep(content, "image/png")
    once = (await leaf.client.jetstream().stream_info(STREAM)).state
    await nats_blobs.keep(content, "image/png")
    assert (await leaf.client.jetstream().stream_info(STREAM)).state == once


@pytest.mark.parametrize("other", [b"", b"other", noise(300_000, 1)])
async def test_content_that_was_changed_is_refused_until_it_is_handed_in_again(
    leaf: BareLeaf, nats_blobs: NatsBlobs, other: bytes
) -> None:
    content = noise(300_000)
    blob = await nats_blobs.keep(content, "image/png")
    store = await leaf.client.jetstream().object_store(BUCKET)
    await store.put(blob.sha256, other)
    with pytest.raises(BlobMissing, match=f"{blob.sha256} was changed"):
        await nats_blobs.load(blob.sha256)
    await nats_blobs.keep(content, "image/png")
    assert await nats_blobs.load(blob.sha256) == content


async def test_content_that_lost_a_part_is_refused_and_keeps_nobody_waiting(
    leaf: BareLeaf, nats_blobs: NatsBlobs
) -> None:
    blob = await nats_blobs.keep(noise(300_000), "image/png")
    stream = leaf.client.jetstream()
    await stream.delete_msg(STREAM, 2)
    with pytest.raises(BlobMissing, match="was changed"):
        await nats_blobs.load(blob.sha256)
    await stream.purge_stream(STREAM, subject=f"$O.{BUCKET}.C.>")
    async with asyncio.timeout(2):
        with pytest.raises(BlobMissing, match="was changed"):
            await nats_blobs.load(blob.sha256)


async def test_content_that_was_deleted_is_missing(leaf: BareLeaf, nats_blobs: NatsBlobs) -> None:
    blob = await nats_blobs.keep(b"content", "text/plain")
    await (await leaf.client.jetstream().object_store(BUCKET)).delete(blob.sha256)
    with pytest.raises(BlobMissing, match=f"{blob.sha256} is not in"):
        await nats_blobs.load(blob.sha256)
    await nats_blobs.keep(b"content", "text/plain")
    assert await nats_blobs.load(blob.sha256) == b"content"


async def test_an_upload_that_was_cut_does_not_count_as_held(leaf: BareLeaf, nats_blobs: NatsBlobs) -> None:
    content = noise(60_000_000)
    keeping = asyncio.create_task(nats_blobs.keep(content, "image/png"))
    while await stored_messages(leaf) < 20:
        assert not keeping.done()
    os.kill(leaf.server.pid, signal.SIGKILL)
    with pytest.raises(LinkLost):
        await keeping
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(BlobMissing, match=f"{digest} is not in"):
        await outlast(lambda: nats_blobs.load(digest), SystemClock(), DEADLINE)
    await nats_blobs.keep(content, "image/png")
    assert await nats_blobs.load(digest) == content

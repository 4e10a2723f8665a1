"""What every store of large content must hold: a class of tests to subclass, with a fixture ``blobs``."""

import asyncio
import hashlib
import random

import pytest

from cim.domain.blob import Blob
from cim.ports.blobs import BlobMissing, BlobStore


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression makes shorter, the same for the same seed."""
    return random.Random(seed).randbytes(size)


class BlobsConformance:
    """The promises of :class:`cim.ports.blobs.BlobStore`. A subclass gives a fixture ``blobs``, empty."""

    @pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1, 20_000_000])
    async def test_content_comes_back_under_its_digest(self, blobs: BlobStore, size: int) -> None:
        content = noise(size)
        blob = await blobs.keep(content, "image/png")
        assert blob == Blob(hashlib.sha256(content).hexdigest(), size, "image/png")
        assert await blobs.load(blob.sha256) == content

    async def test_content_that_is_not_there_is_named(self, blobs: BlobStore) -> None:
        await blobs.keep(b"another", "text/plain")
        with pytest.raises(BlobMissing, match="ab" * 32):
            await blobs.load("ab" * 32)

    async def test_the_same_content_may_be_kept_again(self, blobs: BlobStore) -> None:
        first = await blobs.keep(b"content", "text/plain")
        second = await blobs.keep(b"content", "image/png")
        assert second.sha256 == first.sha256
        assert second.media == "image/png"
        assert await blobs.load(first.sha256) == b"content"

    async def test_many_are_kept_side_by_side(self, blobs: BlobStore) -> None:
        contents = [noise(300_000, seed // 2) for seed in range(12)]
        kept = await asyncio.gather(*(blobs.keep(content, "image/png") for content in contents))
        loaded = await asyncio.gather(*(blobs.load(blob.sha256) for blob in kept))
        assert loaded == contents

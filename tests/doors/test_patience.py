"""Content at a door while the link is lost: tried again, told after a while; all else is told at once."""

import pytest

from cim.adapters.memory.blobs import MemoryBlobs
from cim.domain.blob import Blob
from cim.doors.patience import PATIENCE, PatientBlobs
from cim.ports.blobs import BlobMissing
from cim.ports.log import LinkLost
from cim.testing.clock import HandClock


class CutOff(MemoryBlobs):
    """A store that is not reached for the first so many calls."""

    def __init__(self, losses: int) -> None:
        super().__init__()
        self.losses = losses
        self.calls = 0

    def _call(self) -> None:
        self.calls += 1
        if self.calls <= self.losses:
            raise LinkLost(f"lost {self.calls}")

    async def keep(self, content: bytes, media: str) -> Blob:
        self._call()
        return await super().keep(content, media)

    async def load(self, sha256: str) -> bytes:
        self._call()
        return await super().load(sha256)


async def test_a_link_that_comes_back_is_not_noticed() -> None:
    store, clock = CutOff(3), HandClock(jumps=True)
    blob = await PatientBlobs(store, clock).keep(b"page", "text/plain")
    assert store.calls == 4
    store.losses = 6
    assert await PatientBlobs(store, clock).load(blob.sha256) == b"page"
    assert store.calls == 7


async def test_a_link_that_stays_away_is_told_in_time() -> None:
    store, clock = CutOff(10**6), HandClock(jumps=True)
    with pytest.raises(LinkLost, match=r"lost \d+"):
        await PatientBlobs(store, clock).keep(b"page", "text/plain")
    assert PATIENCE - 1 < clock.monotonic() <= PATIENCE


async def test_content_that_is_missing_is_told_at_once() -> None:
    store, clock = CutOff(0), HandClock(jumps=True)
    with pytest.raises(BlobMissing):
        await PatientBlobs(store, clock).load("0" * 64)
    assert (store.calls, clock.monotonic()) == (1, 0.0)

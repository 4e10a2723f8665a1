"""What a process holds of a machine: contents for threads, and work that ends with its block."""

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from cim.adapters.memory.blobs import MemoryBlobs
from cim.domain.blob import Blob
from cim.domain.errors import Failure
from cim.leaf.node import SyncBlobs, background
from cim.ports.log import LinkLost
from cim.testing.clock import HandClock


class Shaky(MemoryBlobs):
    """A store that is not reached the first times."""

    def __init__(self, losses: int) -> None:
        super().__init__()
        self.losses = losses

    async def keep(self, content: bytes, media: str) -> Blob:
        self._lose()
        return await super().keep(content, media)

    async def load(self, sha256: str) -> bytes:
        self._lose()
        return await super().load(sha256)

    def _lose(self) -> None:
        if self.losses:
            self.losses -= 1
            raise LinkLost("not reached")


async def test_a_thread_waits_until_the_store_is_reached() -> None:
    store = Shaky(3)
    contents = SyncBlobs(store, asyncio.get_running_loop(), HandClock(jumps=True))
    blob = await asyncio.to_thread(contents.keep, b"content", "text/plain")
    store.losses = 3
    assert await asyncio.to_thread(contents.load, blob) == b"content"
    assert store.losses == 0


async def test_content_that_is_missing_is_a_failure_of_the_system() -> None:
    contents = SyncBlobs(MemoryBlobs(), asyncio.get_running_loop(), HandClock())
    with pytest.raises(Failure, match="is not in the store"):
        await asyncio.to_thread(contents.load, Blob("ab" * 32, 1, "text/plain"))


async def test_closing_frees_a_thread_that_waits_and_refuses_one_that_comes() -> None:
    clock = HandClock()
    contents = SyncBlobs(Shaky(1000), asyncio.get_running_loop(), clock)
    waiting = asyncio.ensure_future(asyncio.to_thread(contents.keep, b"content", "text/plain"))
    await clock.until_asleep()
    contents.close()
    for one in (waiting, asyncio.to_thread(contents.keep, b"content", "text/plain")):
        with pytest.raises((CancelledError, asyncio.CancelledError)):
            await one
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("system")]


async def test_work_ends_with_its_block() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    async with background(work(), work()):
        await asyncio.sleep(0)
        assert ended == []
    assert ended == ["ended", "ended"]


async def test_work_that_fails_ends_the_block_with_its_error() -> None:
    async def work() -> None:
        raise ZeroDivisionError("in the background")

    async def block() -> None:
        async with asyncio.timeout(10), background(work()):
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as error:
        await block()
    assert error.value.subgroup(ZeroDivisionError) is not None

"""Where the log stood, written down outside of it."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.leaf.heads import EVERY, FILE, HeadUnreadable, KeptHead, keep_head, read_head
from cim.testing.clock import HandClock
from cim.testing.log_conformance import read_all, store_many
from cim.world.world import World


class Keeping:
    """A head that is kept while the log grows under a hand-moved clock."""

    def __init__(self, folder: Path, log: MemoryLog) -> None:
        self.folder, self.log = folder, log
        kept = read_head(folder)
        self.world = World(compose([]), kept.sequence if kept else 0)
        self.clock, self.told = HandClock(), list[str]()

    async def grow(self, count: int, prefix: str) -> None:
        await store_many(self.log, count, f"evt.notes.Note.{prefix}")
        await self.catch_up()

    async def catch_up(self) -> None:
        await self.world.take(await read_all(self.log, after=self.world.sequence))
        await self.world.take([])

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        task = asyncio.create_task(keep_head(self.world, self.folder, self.clock, self.told.append))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def tick(self) -> None:
        await self.clock.until_asleep()
        self.clock.move(EVERY)
        await self.clock.until_asleep()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def keeping(tmp_path: Path, log: MemoryLog) -> Keeping:
    return Keeping(tmp_path, log)


async def test_the_head_is_kept_as_it_moves_and_once_more_at_the_end(keeping: Keeping) -> None:
    await keeping.grow(3, "a")
    async with keeping.at_work():
        await keeping.tick()
        assert read_head(keeping.folder) == KeptHead(3, keeping.world.digest)
        await keeping.grow(2, "b")
        await keeping.tick()
        assert read_head(keeping.folder) == KeptHead(5, keeping.world.digest)
        await keeping.grow(1, "c")
    assert read_head(keeping.folder) == KeptHead(6, keeping.world.digest)
    assert stat.S_IMODE((keeping.folder / FILE).stat().st_mode) == 0o600
    assert keeping.told == []


async def test_nothing_is_kept_before_the_world_is_caught_up(keeping: Keeping) -> None:
    (keeping.folder / FILE).write_text('{"sequence":3,"digest":"old"}')
    await store_many(keeping.log, 4, "evt.notes.Note.a")
    async with keeping.at_work():
        await keeping.world.take((await read_all(keeping.log))[:2])
        await asyncio.sleep(0)
    assert read_head(keeping.folder) == KeptHead(3, "old")
    assert keeping.told == []


async def test_a_log_that_lost_its_tail_is_told_and_the_old_head_stays(
    tmp_path: Path, log: MemoryLog
) -> None:
    (tmp_path / FILE).write_text('{"sequence":9,"digest":"old"}')
    keeping = Keeping(tmp_path, log)
    await keeping.grow(4, "a")
    async with keeping.at_work():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await keeping.grow(20, "b")
    assert len(keeping.told) == 1
    assert "the log ends at 4, it stood at 9" in keeping.told[0]
    assert read_head(tmp_path) == KeptHead(9, "old")


async def test_a_log_that_was_rewritten_is_told_and_the_old_head_stays(
    tmp_path: Path, log: MemoryLog
) -> None:
    (tmp_path / FILE).write_text('{"sequence":3,"digest":"old"}')
    keeping = Keeping(tmp_path, log)
    await keeping.grow(4, "a")
    async with keeping.at_work():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await keeping.grow(2, "b")
    assert len(keeping.told) == 1
    assert "the log up to 3 is not the one that stood here" in keeping.told[0]
    assert read_head(tmp_path) == KeptHead(3, "old")


async def test_a_log_that_went_on_from_the_kept_head_is_kept_on(tmp_path: Path, log: MemoryLog) -> None:
    first = Keeping(tmp_path, log)
    await first.grow(3, "a")
    async with first.at_work():
        await first.tick()
    second = Keeping(tmp_path, log)
    await second.grow(2, "b")
    async with second.at_work():
        await second.tick()
    assert second.told == []
    assert read_head(tmp_path) == KeptHead(5, second.world.digest)


def test_no_head_is_none(tmp_path: Path) -> None:
    assert read_head(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"sequence":"9","digest":"x"}'])
def test_a_damaged_head_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(HeadUnreadable, match=r"head\.json: .*remove it"):
        read_head(tmp_path)

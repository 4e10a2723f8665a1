"""Where the log stood, written down outside of it."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.leaf.heads import (
    EVERY,
    FILE,
    KEY,
    LIST,
    LIST_EVERY,
    HeadKey,
    HeadUnreadable,
    KeptHead,
    keep_head,
    read_head,
    read_heads,
    read_list,
)
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


def newest(folder: Path) -> tuple[int, str]:
    """Sequence and digest of the newest head, once its signature was checked."""
    head, key = read_head(folder), HeadKey.load(folder)
    assert head is not None
    assert key is not None
    assert key.signed(head)
    return head.sequence, head.digest


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
        assert newest(keeping.folder) == (3, keeping.world.digest)
        await keeping.grow(2, "b")
        await keeping.tick()
        assert newest(keeping.folder) == (5, keeping.world.digest)
        await keeping.grow(1, "c")
    assert newest(keeping.folder) == (6, keeping.world.digest)
    for file in (FILE, LIST, KEY):
        assert stat.S_IMODE((keeping.folder / file).stat().st_mode) == 0o600
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
    assert newest(tmp_path) == (5, second.world.digest)
    assert read_heads(tmp_path).faults == ()


def test_no_head_is_none(tmp_path: Path) -> None:
    assert read_head(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"sequence":"9","digest":"x"}'])
def test_a_damaged_head_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(HeadUnreadable, match=r"head\.json: .*remove it"):
        read_head(tmp_path)


@pytest.fixture
async def kept(keeping: Keeping) -> Keeping:
    """A leaf that ran for some minutes: heads kept at 2, 4 and 5 in the list, and the newest at 5."""
    async with keeping.at_work():
        for count, prefix in ((2, "a"), (2, "b"), (1, "c")):
            await keeping.grow(count, prefix)
            await keeping.clock.until_asleep()
            keeping.clock.move(LIST_EVERY)
            await keeping.clock.until_asleep()
    return keeping


async def test_heads_are_kept_at_intervals_and_at_the_end(kept: Keeping) -> None:
    assert [(head.sequence, head.listed) for head in read_list(kept.folder)] == [(2, 1), (4, 2), (5, 3)]
    found = read_heads(kept.folder)
    assert (found.newest, found.faults) == (read_head(kept.folder), ())
    assert [head.sequence for head in found.heads] == [2, 4, 5, 5]
    assert [[head.sequence for head in found.at(number)] for number in (1, 2, 5)] == [[], [2], [5, 5]]
    # A run in which nothing comes adds no line.
    again = Keeping(kept.folder, kept.log)
    await again.catch_up()
    async with again.at_work():
        await again.tick()
    assert len(read_list(kept.folder)) == 3
    assert again.told == []


async def test_a_line_that_a_crash_cut_off_is_written_over(kept: Keeping) -> None:
    with (kept.folder / LIST).open("ab") as file:
        file.write(b'{"sequence":9,"dig' + b" " * 1000)
    again = Keeping(kept.folder, kept.log)
    await again.catch_up()
    async with again.at_work():
        await again.tick()
        await again.grow(1, "d")
    assert [head.sequence for head in read_list(kept.folder)] == [2, 4, 5, 6]
    assert read_heads(kept.folder).faults == ()


Harm = Callable[[Path], None]


def lines_changed(change: Callable[[list[bytes]], list[bytes]]) -> Harm:
    def harm(folder: Path) -> None:
        lines = (folder / LIST).read_bytes().splitlines(keepends=True)
        (folder / LIST).write_bytes(b"".join(change(lines)))

    return harm


def forge_newest(folder: Path) -> None:
    (folder / FILE).write_text('{"sequence":5,"digest":"other","time":"","listed":3,"signature":"AAAA"}')


def sign_by_another_key(folder: Path) -> None:
    (folder / KEY).unlink()
    HeadKey.load_or_make(folder)


NOT_SIGNED = "was not signed by this leaf's key"
HARMS: dict[str, tuple[Harm, list[str]]] = {
    "the newest forged": (forge_newest, [f"the head kept at 5 {NOT_SIGNED}: {FILE}"]),
    "the newest unsigned": (lambda folder: unsign(folder), [f"the head kept at 5 {NOT_SIGNED}: {FILE}"]),
    "one in the list forged": (
        lines_changed(lambda lines: [lines[0], lines[1].replace(b':4,"', b':3,"'), lines[2]]),
        [f"{LIST}, line 2: the head kept at 3 {NOT_SIGNED}"],
    ),
    "one in the list lost": (
        lines_changed(lambda lines: [lines[0], lines[2]]),
        ["holds 2 heads and held 3", f"{LIST}, line 2 was written as line 3"],
    ),
    "one in the list lost, the others renumbered": (
        lines_changed(lambda lines: [lines[0], lines[2].replace(b'"listed":3', b'"listed":2')]),
        ["holds 2 heads and held 3", f"{LIST}, line 2: the head kept at 5 {NOT_SIGNED}"],
    ),
    "the list cut": (lines_changed(lambda lines: lines[:2]), ["holds 2 heads and held 3"]),
    "the list lost": (lambda folder: (folder / LIST).unlink(), ["holds 0 heads and held 3"]),
    "the newest lost": (lambda folder: (folder / FILE).unlink(), [f"{FILE} is missing"]),
    "the key lost": (lambda folder: (folder / KEY).unlink(), [f"{KEY} is missing"]),
    "another key": (sign_by_another_key, [NOT_SIGNED] * 4),
}


def unsign(folder: Path) -> None:
    head = read_head(folder)
    assert head is not None
    (folder / FILE).write_bytes(msgspec.json.encode(replace(head, signature="")))


@pytest.mark.parametrize("harm", HARMS)
async def test_what_was_done_to_the_kept_heads_is_named(kept: Keeping, harm: str) -> None:
    change, words = HARMS[harm]
    change(kept.folder)
    faults = read_heads(kept.folder).faults
    assert len(faults) == len(words)
    for fault, word in zip(faults, words, strict=True):
        assert word in fault


async def test_a_forged_head_is_told_and_stays(kept: Keeping) -> None:
    forge_newest(kept.folder)
    forged = (kept.folder / FILE).read_bytes()
    again = Keeping(kept.folder, kept.log)
    await again.catch_up()
    async with again.at_work():
        await asyncio.sleep(0)
        await again.grow(2, "d")
    assert len(again.told) == 1
    assert "it was forged or damaged" in again.told[0]
    assert (kept.folder / FILE).read_bytes() == forged


def test_a_damaged_list_or_key_is_named(tmp_path: Path) -> None:
    (tmp_path / LIST).write_text('{"sequence":1,"digest":"x"}\n{}\n')
    with pytest.raises(HeadUnreadable, match=r"heads\.jsonl, line 2: "):
        read_list(tmp_path)
    (tmp_path / KEY).write_text("no key")
    with pytest.raises(HeadUnreadable, match=r"heads\.key: the key of the heads cannot be read"):
        HeadKey.load(tmp_path)

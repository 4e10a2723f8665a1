"""The one consumer loop: every commit once and in order, whatever the link does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Commit
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.consumer import consume
from cim.ports.log import LinkLost
from cim.testing.clock import HandClock

Make = Callable[..., Commit]


class BreakingLog(MemoryLog):
    """A log whose link breaks after every so many batches; ``opened`` says from where it was opened."""

    def __init__(self, breaks: Sequence[int]) -> None:
        super().__init__()
        self._breaks = list(breaks)
        self.opened: list[int] = []

    async def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        self.opened.append(after)
        left = self._breaks.pop(0) if self._breaks else None
        async for batch in super().follow(after):
            for part in [batch[place : place + 2] for place in range(0, len(batch), 2)] or [[]]:
                if left == 0:
                    raise LinkLost(f"cut behind {after}")
                yield part
                left = None if left is None else left - 1


async def fill(log: MemoryLog, make: Make, ids: Sequence[str]) -> None:
    head = Head()
    for id in ids:
        outcome = await append(log, HandClock(jumps=True), make(id), head)
        assert isinstance(outcome, Appended)
        head = head.advance(outcome.commit)


class Taken:
    """What a reader was given; ``at_end`` is set by the first empty batch."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.at_end = asyncio.Event()

    async def take(self, batch: list[Commit]) -> None:
        self.ids += [commit.id for commit in batch]
        if not batch:
            self.at_end.set()


async def test_every_commit_comes_once_and_in_order_through_broken_links(make: Make) -> None:
    log, taken, reasons = BreakingLog([1, 0, 2, 0, 1]), Taken(), list[str]()
    ids = [f"c{number}" for number in range(11)]
    await fill(log, make, ids)
    task = asyncio.create_task(consume(log, HandClock(jumps=True), 0, taken.take, reasons.append))
    await taken.at_end.wait()
    task.cancel()
    assert taken.ids == ids
    assert log.opened == [0, 2, 2, 6, 6, 8]
    assert reasons == ["cut behind 0", "cut behind 2", "cut behind 2", "cut behind 6", "cut behind 6"]


async def test_it_begins_behind_a_cursor_and_goes_on_with_what_comes(make: Make) -> None:
    log, taken = MemoryLog(), Taken()
    await fill(log, make, ["c1", "c2", "c3"])
    task = asyncio.create_task(consume(log, HandClock(), 2, taken.take))
    await taken.at_end.wait()
    assert taken.ids == ["c3"]
    taken.at_end.clear()
    head = Head()
    async for commit in log.read(">"):
        head = head.advance(commit)
    await append(log, HandClock(), make("c4"), head)
    await taken.at_end.wait()
    assert taken.ids == ["c3", "c4"]
    task.cancel()


async def test_it_waits_longer_while_the_link_stays_away_and_begins_anew_when_it_was_back(make: Make) -> None:
    log, taken, clock = BreakingLog([0, 0, 0, 1, 0]), Taken(), HandClock(jumps=True)
    await fill(log, make, ["c1", "c2", "c3"])
    task = asyncio.create_task(consume(log, clock, 0, taken.take))
    await taken.at_end.wait()
    task.cancel()
    assert taken.ids == ["c1", "c2", "c3"]
    assert clock.monotonic() == pytest.approx(0.02 + 0.04 + 0.08 + 0.02 + 0.04)


async def test_a_reader_s_own_error_ends_it(make: Make) -> None:
    log = MemoryLog()
    await fill(log, make, ["c1"])

    async def fail(batch: list[Commit]) -> None:
        raise ValueError(batch[0].id)

    with pytest.raises(ValueError, match="c1"):
        await consume(log, HandClock(jumps=True), 0, fail)

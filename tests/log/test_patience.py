"""A log with patience holds what every log holds, and goes on where a lost link cut it."""

from collections.abc import AsyncIterator

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Commit
from cim.log.patience import PATIENCE, PatientLog
from cim.ports.log import LinkLost, Log
from cim.testing.clock import HandClock
from cim.testing.log_conformance import Intrude, LogConformance, read_all, store_many


class TestPatientLog(LogConformance):
    @pytest.fixture
    def memory(self) -> MemoryLog:
        return MemoryLog()

    @pytest.fixture
    def log(self, memory: MemoryLog) -> Log:
        return PatientLog(memory, HandClock(jumps=True))

    @pytest.fixture
    def intrude(self, memory: MemoryLog) -> Intrude:
        return memory.intrude


class _Cut(MemoryLog):
    """Loses its link behind each second commit that is read, and ``lost`` times at what else is asked."""

    lost = 0

    def _lose(self) -> None:
        if self.lost:
            self.lost -= 1
            raise LinkLost("cut")

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        self._lose()
        number = 0
        async for commit in super().read(subject, after):
            yield commit
            number += 1
            if number == 2:
                raise LinkLost("cut")

    async def last(self) -> int:
        self._lose()
        return await super().last()

    async def next_on(self, subject: str, after: int) -> Commit | None:
        self._lose()
        return await super().next_on(subject, after)


async def test_what_was_cut_is_gone_on_with() -> None:
    memory = _Cut()
    stored = await store_many(memory, 7)
    log = PatientLog(memory, HandClock(jumps=True))
    memory.lost = 3
    assert await read_all(log) == stored
    memory.lost = 3
    assert await log.last() == 7
    memory.lost = 3
    assert await log.next_on(stored[4].subject, 0) == stored[4]


async def test_a_link_that_stays_lost_is_told() -> None:
    memory, clock = _Cut(), HandClock(jumps=True)
    await store_many(memory, 1)
    log = PatientLog(memory, clock)
    memory.lost = 1_000_000
    for reading in (read_all(log), log.last(), log.next_on("evt.documents.Document.d0", 0)):
        began = clock.monotonic()
        with pytest.raises(LinkLost):
            await reading
        assert PATIENCE - 1 < clock.monotonic() - began < PATIENCE + 1

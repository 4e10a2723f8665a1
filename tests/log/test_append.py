"""The append routine against a log that loses, doubles and delays what it is told."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Commit
from cim.log.append import (
    Appended,
    AppendedTogether,
    OutcomeUnknown,
    Overtaken,
    append,
    append_together,
)
from cim.log.chain import Head
from cim.ports.log import LinkLost, Log, LogRefused, Stored, Unclear
from cim.testing.clock import HandClock

Make = Callable[..., Commit]


class FaultyLog:
    """A log in memory behind a bad link: each attempt and each read back meets the next fault.

    Attempts: ``ok``, ``ack lost`` (stored, but nobody says so), ``request lost``, ``mismatch`` (stored,
    then denied as a wrong expectation), ``late`` (stored only when the read back has looked), ``cut``
    (the link breaks after it was stored), ``refused``. Read backs: ``ok``, ``cut``.
    """

    def __init__(self, attempts: Iterable[str] = (), reads: Iterable[str] = (), then: str = "ok") -> None:
        self.real = MemoryLog()
        self.attempts, self.reads, self.then = deque(attempts), deque(reads), then
        self.tried = 0
        self._late: list[Callable[[], Awaitable[Stored | Unclear]]] = []

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        return await self._attempt(partial(self.real.attempt, commit, expected))

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        return await self._attempt(partial(self.real.attempt_together, parts))

    async def _attempt(self, arrive: Callable[[], Awaitable[Stored | Unclear]]) -> Stored | Unclear:
        self.tried += 1
        fault = self.attempts.popleft() if self.attempts else self.then
        if fault == "refused":
            raise LogRefused("the stream is full")
        if fault == "late":
            self._late.append(arrive)
        if fault in ("request lost", "late"):
            return Unclear("no answer")
        answer = await arrive()
        if fault == "cut":
            raise LinkLost("the link was cut")
        unclear = {"ack lost": "no answer", "mismatch": "wrong last sequence (code 10071)"}
        return Unclear(unclear[fault]) if fault in unclear else answer

    async def next_on(self, subject: str, after: int) -> Commit | None:
        if self.reads and self.reads.popleft() == "cut":
            raise LinkLost("the link was cut while reading back")
        found = await self.real.next_on(subject, after)
        late, self._late = self._late, []
        for arrive in late:
            await arrive()
        return found

    async def last(self) -> int:
        return await self.real.last()

    def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        return self.real.read(subject, after)

    def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        return self.real.follow(after)


async def stored(log: Log) -> list[str]:
    return [commit.id async for commit in log.read(">")]


FAULTS = pytest.mark.parametrize(
    ("attempts", "reads"),
    [
        ([], []),
        (["ack lost"], []),
        (["request lost"], []),
        (["request lost", "request lost", "ack lost"], []),
        (["mismatch"], []),
        (["late"], []),
        (["late", "late", "late"], []),
        (["cut"], []),
        (["ack lost"], ["cut"]),
        (["mismatch", "mismatch"], ["cut", "cut"]),
        (["request lost", "cut", "late"], ["cut", "ok", "cut"]),
    ],
)


@FAULTS
async def test_whatever_is_lost_a_commit_is_stored_once_and_known(
    make: Make, attempts: list[str], reads: list[str]
) -> None:
    log, clock = FaultyLog(attempts, reads), HandClock(jumps=True)
    head = Head()
    for id in ("c1", "c2"):
        outcome = await append(log, clock, make(id), head)
        assert isinstance(outcome, Appended)
        head = head.advance(outcome.commit)
    assert await stored(log) == ["c1", "c2"]
    assert (head.sequence, head.number) == (2, 2)


@pytest.mark.parametrize("fault", ["ok", "request lost", "late", "ack lost"])
async def test_somebody_else_s_commit_in_our_place_is_handed_back(make: Make, fault: str) -> None:
    log, clock = FaultyLog([fault]), HandClock(jumps=True)
    theirs = Head().link(make("theirs"))
    await log.real.attempt(theirs, 0)
    outcome = await append(log, clock, make("ours"), Head())
    assert outcome == Overtaken(theirs.at(1))
    assert await stored(log) == ["theirs"]


async def test_an_earlier_try_of_the_same_id_counts_with_what_it_said(make: Make) -> None:
    log, clock = MemoryLog(), HandClock(jumps=True)
    first = await append(log, clock, make("c1", b'[{"type":"A","version":1,"data":1}]'), Head())
    again = await append(log, clock, make("c1", b"[]"), Head())
    assert again == first
    assert await stored(log) == ["c1"]


async def test_a_commit_of_the_same_id_on_another_subject_is_no_answer(make: Make) -> None:
    log, clock = FaultyLog(["request lost"]), HandClock(jumps=True)
    await append(log.real, clock, make("c1", subject="evt.shop.Jar.j2"), Head())
    outcome = await append(log, clock, make("c1"), Head())
    assert isinstance(outcome, Appended)
    assert (outcome.commit.subject, outcome.commit.sequence) == ("evt.shop.Jar.j1", 2)


@pytest.mark.parametrize(
    ("then", "reason"), [("request lost", "no answer"), ("late", "no answer"), ("cut", "the link was cut")]
)
async def test_a_log_that_never_answers_is_told_with_the_id(make: Make, then: str, reason: str) -> None:
    log, clock = FaultyLog(reads=["cut"] * 1000, then=then), HandClock(jumps=True)
    if then == "request lost":
        log.reads.clear()
    with pytest.raises(
        OutcomeUnknown, match=r"evt\.shop\.Jar\.j1: outcome of c1 unknown after 3 s \("
    ) as told:
        await append(log, clock, make("c1"), Head(), patience=3.0)
    assert ("cut" if log.reads else reason) in str(told.value)
    assert str(told.value).endswith("send it again under the same id")
    assert 2.5 <= clock.monotonic() <= 3.0
    assert log.tried >= 6


async def test_a_refusal_is_told_at_once(make: Make) -> None:
    log, clock = FaultyLog(["refused"]), HandClock(jumps=True)
    with pytest.raises(LogRefused, match="the stream is full"):
        await append(log, clock, make("c1"), Head())
    assert (log.tried, clock.monotonic()) == (1, 0)


async def test_a_head_past_the_log_s_end_is_never_believed(make: Make) -> None:
    log, clock = MemoryLog(), HandClock(jumps=True)
    with pytest.raises(OutcomeUnknown, match="wrong last sequence: 0"):
        await append(log, clock, make("c1"), Head(7, 3, "ab" * 32))
    assert await stored(log) == []


@FAULTS
async def test_whatever_is_lost_commits_together_are_stored_once_and_known(
    make: Make, attempts: list[str], reads: list[str]
) -> None:
    log, clock = FaultyLog(attempts, reads), HandClock(jumps=True)
    heads = {name: Head() for name in ("j1", "j2")}
    for id in ("c1", "c2"):
        parts = [(make(id, subject=f"evt.shop.Jar.{name}"), head) for name, head in heads.items()]
        outcome = await append_together(log, clock, parts)
        assert isinstance(outcome, AppendedTogether)
        heads = {
            name: head.advance(one) for (name, head), one in zip(heads.items(), outcome.commits, strict=True)
        }
    assert await stored(log) == ["c1", "c1", "c2", "c2"]
    assert [(head.sequence, head.number) for head in heads.values()] == [(3, 2), (4, 2)]


@pytest.mark.parametrize("fault", ["ok", "request lost", "late", "ack lost"])
@pytest.mark.parametrize("place", [0, 1])
async def test_somebody_else_s_commit_on_one_subject_stores_none(make: Make, fault: str, place: int) -> None:
    log, clock = FaultyLog([fault]), HandClock(jumps=True)
    subjects = ["evt.shop.Jar.j1", "evt.shop.Jar.j2"]
    theirs = Head().link(make("theirs", subject=subjects[place]))
    await log.real.attempt(theirs, 0)
    parts = [(make("ours", subject=subject), Head()) for subject in subjects]
    assert await append_together(log, clock, parts) == Overtaken(theirs.at(1))
    assert await stored(log) == ["theirs"]


async def test_commits_together_that_come_between_two_looks_are_known(make: Make) -> None:
    """Read back, the first is not there yet, and the second is: it was stored in between."""
    log, clock = FaultyLog(["late"]), HandClock(jumps=True)
    parts = [(make("ours", subject=f"evt.shop.Jar.{name}"), Head()) for name in ("j1", "j2")]
    outcome = await append_together(log, clock, parts)
    assert isinstance(outcome, AppendedTogether)
    assert [one.sequence for one in outcome.commits] == [1, 2]
    assert await stored(log) == ["ours", "ours"]


async def test_a_log_that_never_answers_is_told_with_the_id_of_a_write_together(make: Make) -> None:
    log, clock = FaultyLog(then="request lost"), HandClock(jumps=True)
    with pytest.raises(OutcomeUnknown, match=r"evt\.shop\.Jar\.j1: outcome of c1 unknown after 3 s"):
        await append_together(log, clock, [(make("c1"), Head())], patience=3.0)

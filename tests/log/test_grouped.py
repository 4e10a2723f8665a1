"""Appends that gather while others are under way, over a log that answers when it is let."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Commit
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.grouped import LARGE, Grouped
from cim.ports.log import LinkLost, LogRefused, Stored, Unclear
from cim.testing.clock import HandClock
from cim.testing.faulty_log import steps
from cim.testing.log_conformance import Intrude, LogConformance

Make = Callable[..., Commit]


class HeldLog(MemoryLog):
    """A log in memory whose answers are held until :meth:`let`; ``tried`` tells what came, by ids.

    ``fault`` befalls the next write that spans subjects: ``answer lost`` (stored all the same), ``cut``,
    ``refused``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[list[str]] = []
        self.fault: str | None = None
        self._held: list[asyncio.Future[None]] = []

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        self.tried.append([commit.id])
        if commit.id == "never":
            raise LogRefused("never")
        await self._hold()
        return await super().attempt(commit, expected)

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        self.tried.append([commit.id for commit, _ in parts])
        fault, self.fault = self.fault, None
        await self._hold()
        if fault == "refused":
            raise LogRefused("no writes that span subjects")
        if fault == "cut":
            raise LinkLost("cut")
        answer = await super().attempt_together(parts)
        return Unclear("no answer") if fault == "answer lost" else answer

    async def _hold(self) -> None:
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(held)
        await held

    async def let(self, count: int | None = None) -> None:
        """Let so many answers go, the oldest first, or all that are held; and what follows come."""
        let = self._held[:count]
        del self._held[:count]
        for one in let:
            if not one.done():
                one.set_result(None)
        await steps(10)

    async def let_all(self) -> None:
        """Until nothing more comes."""
        await steps(10)
        while self._held:
            await self.let()

    @property
    def groups(self) -> list[list[str]]:
        """What went together."""
        return [ids for ids in self.tried if len(ids) > 1]


@pytest.fixture
def held() -> HeldLog:
    return HeldLog()


Going = Callable[..., list["asyncio.Future[Any]"]]


@pytest.fixture
def go(make: Make) -> Going:
    """``go(log, "a", "b")``: an attempt of each id on a subject of its own, under way."""

    def go(log: Grouped, *ids: str, expected: int = 0) -> list["asyncio.Future[Any]"]:
        return [
            asyncio.ensure_future(log.attempt(make(id, subject=f"evt.shop.Jar.{id}"), expected)) for id in ids
        ]

    return go


async def told(held: HeldLog, going: Sequence["asyncio.Future[Any]"]) -> list[int | str]:
    """What each was told: the sequence at which the log holds it, or else in words."""
    await held.let_all()
    found: list[int | str] = []
    for one in await asyncio.wait_for(asyncio.gather(*going, return_exceptions=True), 5):
        found.append(one.sequence if isinstance(one, Stored) else type(one).__name__)
    return found


async def ids(held: HeldLog) -> list[str]:
    return [commit.id async for commit in held.read(">")]


async def test_few_go_alone_and_at_once(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=3, enough=2)
    going = go(log, "a", "b", "c")
    await steps(1)
    assert held.tried == [["a"], ["b"], ["c"]]
    assert await told(held, going) == [1, 2, 3]


async def test_what_gathered_goes_together_and_each_is_told_its_own_place(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=1, enough=2)
    going = go(log, "a", "b", "c", "d")
    await steps(3)
    assert held.tried == [["a"]]
    await held.let()
    # Half of those that are there; the rest are decided, or gather, meanwhile.
    assert held.tried == [["a"], ["b", "c"]]
    assert await told(held, going) == [1, 2, 3, 4]
    assert await ids(held) == ["a", "b", "c", "d"]


async def test_while_one_half_is_written_the_other_gathers(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=1, enough=2)
    going = go(log, *"abcdefgh")
    await steps(3)
    for _ in range(2):
        await held.let(1)
    going += go(log, *"ijkl")
    await held.let(1)
    assert held.tried == [["a"], ["b", "c", "d", "e"], ["f", "g", "h"], ["i", "j", "k", "l"]]
    assert await told(held, going) == list(range(1, 13))


async def test_too_few_that_gathered_go_alone(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=2, enough=3)
    going = go(log, "a", "b", "c", "d")
    await steps(3)
    assert held.tried == [["a"], ["b"]]
    await held.let(1)
    assert held.tried == [["a"], ["b"], ["c"]]
    assert await told(held, going) == [1, 2, 3, 4]
    assert held.groups == []


async def test_at_most_so_many_go_together(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=1, enough=2, most=3)
    going = go(log, *"abcdefghijkl")
    assert await told(held, going) == list(range(1, 13))
    assert max(map(len, held.tried)) == 3


async def test_one_that_was_overtaken_fails_nobody_else(held: HeldLog, go: Going, make: Make) -> None:
    log = Grouped(held, line=1, enough=2)
    await MemoryLog.attempt(held, make("other", subject="evt.shop.Jar.c"), 0)
    going = go(log, *"abcdefgh")
    await steps(3)
    await held.let()
    assert held.groups == [["b", "c", "d", "e"]]
    found = await told(held, going)
    assert found[2] == "Unclear"
    assert sorted(str(one) for one in found) == sorted(["2", "3", "4", "5", "6", "7", "8", "Unclear"])
    assert sorted(await ids(held)) == sorted([*"abdefgh", "other"])


@pytest.mark.parametrize("fault", ["answer lost", "cut", "refused"])
async def test_a_group_without_a_clear_yes_goes_one_by_one(
    held: HeldLog, make: Make, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = Grouped(held, line=1, enough=2)
    held.fault = fault

    def one(id: str) -> "asyncio.Future[Any]":
        commit = make(id, subject=f"evt.shop.Jar.{id}")
        return asyncio.ensure_future(append(log, HandClock(), commit, Head()))

    going = [one(id) for id in "abcd"]
    await steps(3)
    await held.let_all()
    found = await asyncio.wait_for(asyncio.gather(*going), 5)
    assert all(isinstance(outcome, Appended) for outcome in found)
    assert {outcome.commit.id: outcome.commit.sequence for outcome in found} == {
        commit.id: commit.sequence async for commit in held.read(">")
    }
    assert held.groups == [["b", "c"]]
    assert caplog.messages == []


async def test_after_a_group_in_vain_some_go_alone_and_then_another_group(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=1, enough=2)
    held.fault = "refused"
    going = go(log, "a", "b", "c", "d")
    await steps(3)
    await held.let(2)
    await held.let_all()
    assert held.groups == [["b", "c"]]
    going += go(log, *(f"n{number}" for number in range(64)))
    await steps(3)
    assert held.groups == [["b", "c"]]
    going += go(log, "x", "y", "z")
    assert sorted(await told(held, going)) == list(range(1, 72))
    assert len(held.groups) == 2


async def test_two_on_one_subject_never_go_together(held: HeldLog, go: Going, make: Make) -> None:
    log = Grouped(held, line=1, enough=2)
    going = go(log, "a", "b", "c")
    await steps(3)
    twin = make("twin", subject="evt.shop.Jar.b")
    going.append(asyncio.ensure_future(log.attempt(twin, 0)))
    found = await told(held, going)
    assert found.count("Unclear") == 1
    assert not any("twin" in group for group in held.groups)
    assert len(await ids(held)) == 3


async def test_a_large_one_goes_alone(held: HeldLog, go: Going, make: Make) -> None:
    log = Grouped(held, line=1, enough=2)
    going = go(log, "a", "b", "c")
    large = make("large", body=b'["' + b"x" * LARGE + b'"]', subject="evt.shop.Jar.large")
    going.append(asyncio.ensure_future(log.attempt(large, 0)))
    await steps(3)
    assert held.tried == [["a"], ["large"]]
    assert len(set(await told(held, going))) == 4


async def test_what_no_log_takes_fails_alone(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=1, enough=2)
    held.fault = "refused"
    going = go(log, "a", "never", "b", "c")
    found = await told(held, going)
    assert found[1] == "LogRefused"
    assert sorted(await ids(held)) == ["a", "b", "c"]


async def test_who_leaves_while_it_waits_is_not_written_and_holds_up_nobody(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=1, enough=2)
    going = go(log, "a", "b", "c", "d", "e")
    await steps(3)
    going.pop(2).cancel()
    assert sorted(str(one) for one in await told(held, going)) == ["1", "2", "3", "4"]
    assert sorted(await ids(held)) == ["a", "b", "d", "e"]


async def test_who_leaves_a_group_that_is_under_way_takes_nobody_along(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=1, enough=2)
    going = go(log, "a", "b", "c", "d")
    await steps(3)
    await held.let()
    assert held.groups == [["b", "c"]]
    going.pop(1).cancel()
    assert await told(held, going) == [1, 3, 4]


async def test_one_that_leaves_as_it_is_let_go_lets_the_next_one_go(held: HeldLog, go: Going) -> None:
    log = Grouped(held, line=1, enough=9)
    going = go(log, "a", "b", "c")
    await steps(3)
    held._held.pop().set_result(None)
    for _ in range(20):
        if "evt.shop.Jar.b" in log._waiting:
            await steps(1)
    going.pop(1).cancel()
    await steps(10)
    assert await told(held, going) == [1, 2]


@pytest.mark.parametrize("seed", range(20))
async def test_nobody_waits_for_ever_whatever_happens(held: HeldLog, go: Going, seed: int) -> None:
    chance = random.Random(seed)
    log = Grouped(held, line=chance.randint(1, 3), enough=chance.randint(2, 4), most=5)
    going: list[asyncio.Future[Any]] = []
    for number in range(150):
        going += go(log, f"s{seed}-{number}")
        deed = chance.random()
        if deed < 0.3:
            await held.let(chance.randint(1, 4))
        elif deed < 0.4:
            going.pop(chance.randrange(len(going))).cancel()
        elif deed < 0.5:
            held.fault = chance.choice(["answer lost", "cut", "refused"])
        elif deed < 0.6:
            await steps(chance.randint(1, 3))
    await told(held, going)
    assert all(one.done() for one in going)
    yes = {one.result().sequence for one in going if isinstance(one.result(), Stored)}
    assert len(yes) == sum(isinstance(one.result(), Stored) for one in going)
    assert yes <= {commit.sequence async for commit in held.read(">")}
    assert (log._alone, log._waiting, log._group) == (0, {}, None)


class TestGroupedLog(LogConformance):
    """It holds what all logs hold."""

    @pytest.fixture
    def log(self) -> Grouped:
        self.store = MemoryLog()
        return Grouped(self.store, line=1, enough=2)

    @pytest.fixture
    def intrude(self, log: Grouped) -> Intrude:
        return self.store.intrude

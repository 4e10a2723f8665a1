"""Timers: entries in the log that come back in time, by the clock, each once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from cim import Cancel, Command, Context, Event, Later, Process, State, Timer
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.log.waking import Watched
from cim.processes.pending import Pending, Stop
from cim.testing.clock import START, HandClock
from cim.testing.faulty_log import steps

from .conftest import Running, Start


class Remind(Command):
    """Have somebody reminded, some seconds from now."""

    who: str
    seconds: float
    what: str = "tea"


class Forget(Command):
    who: str
    what: str = "tea"


class Asked(Event):
    who: str
    seconds: float
    what: str


class Forgotten(Event):
    who: str
    what: str


class Ring(Command):
    bell: str


class Rang(Event):
    bell: str


class Due(Timer):
    what: str


class Woken(Event):
    what: str


bells = Context("bells")


@bells.entity(key="who")
class Person(State):
    def decide(self, command: Remind | Forget) -> Iterable[Asked | Forgotten]:
        if isinstance(command, Forget):
            return [Forgotten(command.who, command.what)]
        return [Asked(command.who, command.seconds, command.what)]

    def evolve(self, event: Asked | Forgotten) -> "Person":
        return self


@bells.entity(key="bell")
class Bell(State):
    def decide(self, command: Ring) -> Iterable[Rang]:
        return [Rang(command.bell)]

    def evolve(self, event: Rang) -> "Bell":
        return self


FIXED = datetime(2031, 5, 1, tzinfo=UTC)


@bells.process(key="who")
class Reminding(Process):
    """Rings when the time has come; whoever is to be reminded every day is, for ever."""

    times: int = 0

    def react(self, trigger: Asked | Forgotten | Due) -> Iterable[Ring | Woken | Later[Due] | Cancel[Due]]:
        match trigger:
            case Asked(_, _, "fixed"):
                return [Later(Due("fixed"), at=FIXED)]
            case Asked(_, seconds, what):
                return [Later(Due(what), after=timedelta(seconds=seconds))]
            case Forgotten(_, what):
                return [Cancel(Due(what))]
            case Due("daily"):
                return [Woken("daily"), Later(Due("daily"), after=timedelta(days=1))]
            case Due(what):
                return [Woken(what)]

    def evolve(self, fact: Woken) -> "Reminding":
        return self.but(times=self.times + 1)


async def woken(running: Running) -> list[tuple[str, str]]:
    """Who was woken for what, in the log's order."""
    return [
        (commit.subject.rpartition(".")[2], item.data["what"])
        for commit in await running.commits()
        for item in codec.decode(commit.body)
        if item.type == "Woken"
    ]


async def move(running: Running, seconds: float) -> None:
    """Let time go by, once whoever waits for it is asleep, and wait for what comes of it."""
    await steps(50)
    running.clock.move(seconds)
    await steps(50)
    await running.idle()


async def test_a_timer_comes_back_when_it_is_due_and_never_before(start: Start) -> None:
    one = await start(MemoryLog(), bells)
    await one.send(Remind("ada", 10))
    await one.idle()
    await move(one, 9.999)
    assert await woken(one) == []
    await move(one, 0.001)
    assert await woken(one) == [("ada", "tea")]
    await move(one, 100)
    assert await woken(one) == [("ada", "tea")]
    assert list(one.reactor.pending.instances()) == []


async def test_a_timer_that_is_moot_does_not_come_back(start: Start) -> None:
    one = await start(MemoryLog(), bells)
    await one.send(Remind("ada", 10))
    await one.send(Remind("ada", 10, "soup"))
    await one.send(Forget("ada"))
    await one.idle()
    await move(one, 11)
    assert await woken(one) == [("ada", "soup")]


async def test_a_timer_that_is_set_again_is_moved(start: Start) -> None:
    one = await start(MemoryLog(), bells)
    await one.send(Remind("ada", 10))
    await one.send(Remind("ada", 20))
    await one.idle()
    await move(one, 15)
    assert await woken(one) == []
    await one.send(Remind("ada", 2))
    await one.idle()
    await move(one, 2)
    assert await woken(one) == [("ada", "tea")]
    await move(one, 100)
    assert await woken(one) == [("ada", "tea")]


async def test_what_is_cancelled_between_its_time_and_its_turn_does_not_come_back(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, bells)
    await one.send(Remind("ada", 10))
    await one.idle()
    await one.stop()
    # Its time passes while nothing runs, and so does what makes it moot.
    late = HandClock()
    late.move(50)
    actors = Running(log, (bells,), late, True)
    await actors.send(Forget("ada"))
    two = await start(log, bells, clock=late)
    await two.idle()
    assert await woken(two) == []
    assert list(two.reactor.pending.instances()) == []


async def test_overdue_ones_come_back_at_the_start_in_the_order_of_their_times(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, bells)
    for number in range(200):
        await one.send(Remind(f"p{number:03}", 1000 - number))
    await one.idle()
    await one.stop()
    clock = HandClock()
    clock.move(900)
    two = await start(log, bells, clock=clock)
    await two.idle()
    found = [who for who, _ in await woken(two)]
    assert found == [f"p{number:03}" for number in range(199, 99, -1)]


async def test_the_timers_of_one_process_come_in_the_order_of_their_times(start: Start) -> None:
    one = await start(MemoryLog(), bells)
    for seconds in (30, 10, 20):
        await one.send(Remind("ada", seconds, f"after {seconds}"))
    await one.idle()
    await move(one, 100)
    assert [what for _, what in await woken(one)] == ["after 10", "after 20", "after 30"]


async def test_what_stands_still_is_tried_first(start: Start) -> None:
    one = await start(MemoryLog(), bells)
    await one.send(Remind("ada", 10))
    await one.send(Remind("ada", 20, "soup"))
    await one.idle()
    ((_, waiting),) = one.reactor.pending.instances()
    tea, soup = waiting.alarms.values()
    (commit, *_) = await one.commits("evt.bells.Reminding.ada")
    assert waiting.next(tea.due) is tea
    waiting.stop = Stop(commit, soup.id, "no soup")
    assert waiting.next(tea.due) is soup


async def test_a_timer_is_exact_across_restarts_and_years(start: Start) -> None:
    log, clock = MemoryLog(), HandClock()
    one = await start(log, bells, clock=clock)
    await one.send(Remind("ada", 10 * 365 * 86400))
    await one.send(Remind("bob", 0, "fixed"))
    await one.idle()
    for _ in range(10):
        await one.stop()
        clock.move(365 * 86400 - 1)
        one = await start(log, bells, clock=clock)
        await one.idle()
    assert await woken(one) == [("bob", "fixed")]
    await move(one, 9.9)
    assert await woken(one) == [("bob", "fixed")]
    await move(one, 0.1)
    assert await woken(one) == [("bob", "fixed"), ("ada", "tea")]


async def test_a_repeated_timer_counts_from_its_own_time_and_catches_up(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, bells)
    await one.send(Remind("ada", 0, "daily"))
    await one.idle()
    await move(one, 3 * 86400 + 5000)
    assert await woken(one) == [("ada", "daily")] * 4
    ((_, waiting),) = one.reactor.pending.instances()
    first = waiting.first_alarm()
    assert first is not None
    assert first.due == START + timedelta(days=4)


async def test_a_clock_that_is_set_back_makes_nothing_come_early_or_twice(start: Start) -> None:
    one = await start(MemoryLog(), bells)
    await one.send(Remind("ada", 10))
    await one.send(Remind("bob", 100))
    await one.idle()
    await move(one, 11)
    await move(one, -500)
    await move(one, 580)
    assert await woken(one) == [("ada", "tea")]
    await move(one, 20)
    assert await woken(one) == [("ada", "tea"), ("bob", "tea")]


async def test_two_workers_wake_one_process_once(start: Start) -> None:
    log, clock = MemoryLog(), HandClock()
    one, two = await start(log, bells, clock=clock), await start(log, bells, clock=clock, delivers=False)
    for number in range(50):
        await one.send(Remind(f"p{number}", 10 + number % 3))
    await one.idle()
    await two.idle()
    await move(one, 13)
    await two.idle()
    found = await woken(one)
    assert len(found) == len(set(found)) == 50


async def test_thousands_at_once(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, bells)
    for number in range(2000):
        await one.send(Remind(f"p{number}", 10))
    for number in range(0, 2000, 2):
        await one.send(Forget(f"p{number}"))
    await one.idle()
    assert len(one.reactor.pending.watched) <= 2000
    await move(one, 10)
    found = [who for who, _ in await woken(one)]
    assert sorted(found) == sorted(f"p{number}" for number in range(1, 2000, 2))
    assert list(one.reactor.pending.instances()) == []
    folded = Pending(one.composition.processes)
    for commit in await one.commits():
        folded.apply(commit)
    assert list(folded.instances()) == []


def test_what_is_watched_is_one_time_each_however_often_it_moves() -> None:
    watched = Watched[tuple[str, str]]()
    for number in range(10_000):
        watched.watch(("bells", "ada"), START + timedelta(seconds=10_000 - number))
    assert len(watched) == 1
    assert len(watched._order) < 100
    assert watched.first == START + timedelta(seconds=1)
    assert list(watched.pop(START)) == []
    assert list(watched.pop(START + timedelta(seconds=1))) == [("bells", "ada")]
    assert watched.first is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "say when"),
        ({"after": timedelta(1), "at": FIXED}, "say when"),
        ({"at": datetime(2030, 1, 1)}, "zone"),
    ],
)
def test_a_timer_needs_one_time_that_is_sure(given: dict[str, object], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Later(Due("tea"), **given)  # type: ignore[arg-type]

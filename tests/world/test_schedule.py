"""Systems at work over a log in memory: each effect once, and nothing that sticks or goes under."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from cim import (
    Changed,
    Command,
    Component,
    Context,
    Event,
    Maybe,
    State,
    Without,
)
from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Commit
from cim.ports.log import Stored, Unclear
from cim.world.runner import Place

Start = Callable[..., Any]


class Write(Command):
    note: str
    text: str


class Written(Event):
    note: str
    text: str


_notes = Context("notes")


@_notes.entity(key="note")
class Note(State):
    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note, command.text)] if command.text != self.text else []

    def evolve(self, event: Written) -> "Note":
        return self.but(text=event.text)


@_notes.component(of=Note)
class Upper(Component):
    text: str


@_notes.component(of=Note)
class Length(Component):
    size: int


@_notes.component(of=Note)
class Ratio(Component):
    value: float | None


def upper(note: Changed[Note]) -> Upper:
    return Upper(note.text.upper())


def length(upper: Changed[Upper]) -> Length:
    return Length(len(upper.text))


def notes(*systems: Callable[..., Any]) -> Context:
    """The module of notes with these systems."""
    context = Context("notes")
    context.entities, context.components = _notes.entities, _notes.components
    context.systems = list(systems)
    return context


async def effects(process: Any) -> Counter[tuple[str, str, int]]:
    """How often the log records a run: by system, entity and input."""
    return Counter(
        (
            commit.derivation.system,
            commit.subject.split(".")[3],
            sorted(commit.derivation.inputs.values())[-1],
        )
        for commit in await process.commits()
        if commit.derivation is not None
    )


async def test_what_is_found_is_written_once_and_by_whom_is_told(start: Start) -> None:
    process = start(MemoryLog(), notes(upper, length))
    await process.send(Write("n1", "abc"), "c1")
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "ABC"}, "Length": {"size": 3}}}
    command, first, second = await process.commits()
    assert (first.derivation.system, first.derivation.inputs) == ("notes.upper", {"state": 1})
    assert (second.derivation.system, second.derivation.inputs) == ("notes.length", {"Upper": 1})
    # Each is the child of the message that brought its newest input.
    assert (first.origin.causation, second.origin.causation) == ("c1", first.id)
    assert {commit.origin.correlation for commit in (command, first, second)} == {"c1"}
    assert {commit.origin.owner for commit in (first, second)} == {"tester"}
    assert process.schedule.left == 0


async def test_a_change_runs_what_waits_for_it_and_nothing_else(start: Start) -> None:
    runs: list[str] = []

    def counted(upper: Changed[Upper], ratio: Maybe[Ratio]) -> Length:
        runs.append(upper.text)
        return Length(len(upper.text))

    def ratio(note: Changed[Note]) -> Ratio:
        return Ratio(1 / len(note.text))

    process = start(MemoryLog(), notes(upper, counted, ratio), workers=1)
    for number, text in enumerate(["ab", "abcd", "abcd"]):
        await process.send(Write("n1", text), f"c{number}")
        await process.idle()
    assert runs == ["AB", "ABCD"]
    assert (await process.values())["n1"] == {
        "Upper": {"text": "ABCD"},
        "Length": {"size": 4},
        "Ratio": {"value": 0.25},
    }


async def test_a_run_that_steps_aside_makes_room_for_another_and_gives_its_place_back_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, two, under_way, most = threading.Event(), asyncio.Event(), set[str](), 0

    def slow(note: Changed[Note]) -> Upper:
        assert note.text != "slow" or go_on.wait(10)
        return Upper(note.text)

    process = start(MemoryLog(), notes(slow), workers=1)
    run = process.schedule._runner.run

    async def told(system: Any, given: Any, place: Place, call: Any) -> Any:
        nonlocal most
        under_way.add(given["note"].text)
        most = max(most, len(under_way))
        if len(under_way) == 2:
            two.set()
        if given["note"].text == "slow":
            place.leave()
            place.leave()
        try:
            return await run(system, given, place, call)
        finally:
            under_way.discard(given["note"].text)

    monkeypatch.setattr(process.schedule._runner, "run", told)
    for number, text in enumerate(["slow", "quick", "quicker", "quickest"]):
        await process.send(Write(f"n{number}", text), f"c{number}")
    await asyncio.wait_for(two.wait(), 10)
    go_on.set()
    await process.idle()
    assert (len(await process.values()), most) == (4, 2)


async def test_a_place_is_wanted_while_a_run_of_another_entity_waits_for_it_and_is_not_left(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, places, seen = asyncio.Event(), dict[str, Place](), asyncio.Event()

    def upper(note: Changed[Note]) -> Upper:
        return Upper(note.text.upper())

    def length(note: Changed[Note]) -> Length:
        return Length(len(note.text))

    async def held(system: Any, given: Any, place: Place, call: Any) -> Any:
        places[given["note"].text] = place
        seen.set()
        await go_on.wait()
        return system.function(**given)

    process = start(MemoryLog(), notes(upper, length), workers=1)
    monkeypatch.setattr(process.schedule._runner, "run", held)
    await process.send(Write("n1", "first"), "c1")
    await asyncio.wait_for(seen.wait(), 10)
    first = places["first"]
    assert process.schedule.left == 2
    assert not first.is_wanted(), "what waits is of its own entity"
    await process.send(Write("n2", "second"), "c2")
    await process.until(process.world.reached(2))
    assert first.is_wanted()
    seen.clear()
    first.leave()
    await asyncio.wait_for(seen.wait(), 10)
    assert "second" in places
    assert not first.is_wanted(), "it is left"
    assert not places["second"].is_wanted(), "what waits are its own and one of an entity that is aside"
    go_on.set()
    await process.idle()
    assert (await process.values())["n1"] == {"Upper": {"text": "FIRST"}, "Length": {"size": 5}}


async def test_an_entity_that_holds_all_places_does_not_hold_up_another(start: Start) -> None:
    hanging, go_on = threading.Barrier(3), threading.Event()

    def read(note: Changed[Note]) -> Upper:
        return Upper(wait(note.text))

    def measure(note: Changed[Note]) -> Length:
        return Length(len(wait(note.text)))

    def wait(text: str) -> str:
        if text == "hangs":
            hanging.wait(10)
            assert go_on.wait(10)
        return text

    process = start(MemoryLog(), notes(read, measure), workers=2, threads=3)
    await process.send(Write("n1", "hangs"), "c1")
    await asyncio.to_thread(hanging.wait, 10)
    await process.send(Write("n2", "good"), "c2")
    await process.until(process.world.reached(4))
    assert await process.values() == {"n1": {}, "n2": {"Upper": {"text": "good"}, "Length": {"size": 4}}}
    go_on.set()
    await process.idle()
    assert (await process.values())["n1"] == {"Upper": {"text": "hangs"}, "Length": {"size": 5}}


async def test_two_processes_on_one_log_have_each_effect_once(start: Start) -> None:
    log = MemoryLog()
    here, there = start(log, notes(upper, length)), start(log, notes(upper, length))
    for number in range(40):
        await (here, there)[number % 2].send(Write(f"n{number % 8}", f"text {number}"), f"c{number}")
        if number % 5 == 0:
            await here.idle()
    for process in (here, there, here):
        await process.idle()
    assert await here.values() == await there.values()
    assert (await here.values())["n7"] == {"Upper": {"text": "TEXT 39"}, "Length": {"size": 7}}
    assert set((await effects(here)).values()) == {1}
    assert here.world.digest == there.world.digest
    assert await here.world.fingerprint() == await there.world.fingerprint()
    assert here.troubles == there.troubles == []


async def test_none_takes_a_component_away_and_what_is_made_of_it_stays_silent(start: Start) -> None:
    def maybe(note: Changed[Note]) -> Upper | None:
        return Upper(note.text) if note.text else None

    process = start(MemoryLog(), notes(maybe))
    for number, (text, values) in enumerate(
        [("a", {"Upper": {"text": "a"}}), ("", {}), ("b", {"Upper": {"text": "b"}})]
    ):
        await process.send(Write("n1", text), f"c{number}")
        await process.idle()
        assert (await process.values())["n1"] == values


async def test_a_late_module_catches_up_on_every_old_entity_and_changes_nothing_else(start: Start) -> None:
    late = Context("late")

    @late.component(of=Note)
    class Initial(Component):
        letter: str

    @late.system
    def initial(upper: Changed[Upper]) -> Initial:
        return Initial(upper.text[:1])

    log = MemoryLog()
    early = start(log, notes(upper, length))
    for number in range(12):
        await early.send(Write(f"n{number}", f"{number}"), f"c{number}")
    await early.idle()
    before = await early.values()
    joined = start(log, notes(), late)
    await joined.idle()
    await early.idle()
    for id, values in (await early.values()).items():
        assert values == {**before[id], "late.Initial": {"letter": id[1:2]}}
    assert set((await effects(early)).values()) == {1}


async def test_a_run_on_what_was_replaced_meanwhile_is_not_written(start: Start) -> None:
    begun, go_on, seen = threading.Event(), threading.Event(), list[str]()

    def slow(note: Changed[Note]) -> Upper:
        seen.append(note.text)
        if note.text == "old":
            begun.set()
            assert go_on.wait(10)
        return Upper(note.text)

    process = start(MemoryLog(), notes(slow))
    await process.send(Write("n1", "old"), "c1")
    await asyncio.to_thread(begun.wait, 10)
    await process.send(Write("n1", "new"), "c2")
    await process.until(process.world.reached(2))
    go_on.set()
    await process.idle()
    assert seen == ["old", "new"]
    assert await process.values() == {"n1": {"Upper": {"text": "new"}}}
    assert list(await effects(process)) == [("notes.slow", "n1", 2)]


async def test_what_needs_the_absence_of_a_component_stops_when_it_comes(start: Start) -> None:
    def fallback(note: Changed[Note], none: Without[Upper]) -> Length:
        return Length(-1)

    def careful(note: Changed[Note]) -> Upper:
        return Upper(note.text)

    process = start(MemoryLog(), notes(careful, fallback), workers=1)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    assert (await process.values())["n1"] == {"Upper": {"text": "a"}}


async def test_a_crash_between_run_and_write_ends_with_the_same_values(start: Start) -> None:
    class Stuck(MemoryLog):
        """Keeps the writes of the first process from ever being stored."""

        stuck = True
        reached = asyncio.Event()

        async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
            if self.stuck and commit.subject.startswith("cmp."):
                self.reached.set()
                await asyncio.Event().wait()
            return await super().attempt(commit, expected)

    log = Stuck()
    crashed = start(log, notes(upper, length))
    for number in range(6):
        await crashed.send(Write(f"n{number}", f"text {number}"), f"c{number}")
    await crashed.until(log.reached.wait())
    await crashed.stop()
    log.stuck = False
    process = start(log, notes(upper, length))
    await process.idle()
    assert await process.values() == {
        f"n{number}": {"Upper": {"text": f"TEXT {number}"}, "Length": {"size": 6}} for number in range(6)
    }
    assert set((await effects(process)).values()) == {1}


async def test_a_crash_right_after_the_write_does_not_run_again(start: Start) -> None:
    runs: list[str] = []

    def counted(note: Changed[Note]) -> Upper:
        runs.append(note.text)
        return Upper(note.text)

    first = start(MemoryLog(), notes(counted))
    await first.send(Write("n1", "a"), "c1")
    await first.idle()
    await first.stop()
    second = start(first.log, notes(counted))
    await second.idle()
    assert runs == ["a"]
    assert second.world.digest == first.world.digest


async def test_a_run_is_not_made_again_while_the_news_of_it_is_on_its_way(start: Start) -> None:
    class Slow(MemoryLog):
        """Hands on what systems wrote only when it is let."""

        let = asyncio.Event()

        async def follow(self, after: int) -> AsyncIterator[list[Commit]]:
            async for batch in super().follow(after):
                if any(commit.derivation for commit in batch):
                    await self.let.wait()
                yield batch

    runs, twice = list[str](), asyncio.Event()
    loop = asyncio.get_running_loop()

    def counted(note: Changed[Note]) -> Upper:
        runs.append(note.text)
        if len(runs) > 1:
            loop.call_soon_threadsafe(twice.set)
        return Upper(note.text)

    log = Slow()
    process = start(log, notes(counted))
    await process.send(Write("n1", "a"), "c1")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(twice.wait(), 0.1)
    log.let.set()
    await process.idle()
    assert runs == ["a"]


async def test_an_unknown_outcome_is_told_and_tried_until_it_is_known(start: Start) -> None:
    class Deaf(MemoryLog):
        """Does not answer component writes for the first fifty times."""

        deaf = 50

        async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
            if commit.subject.startswith("cmp.") and self.deaf:
                self.deaf -= 1
                return Unclear("no answer")
            return await super().attempt(commit, expected)

    process = start(Deaf(), notes(upper))
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "A"}}}
    assert len(process.troubles) >= 1
    assert "send it again under the same id" in process.troubles[0]


async def test_the_oldest_entity_is_finished_before_a_newer_is_begun(start: Start) -> None:
    order: list[str] = []
    gate = threading.Event()

    def first(note: Changed[Note]) -> Upper:
        assert gate.wait(10)
        order.append(f"first {note.text}")
        return Upper(note.text)

    def second(upper: Changed[Upper]) -> Length:
        order.append(f"second {upper.text}")
        return Length(0)

    process = start(MemoryLog(), notes(first, second), workers=1)
    for number in range(3):
        await process.send(Write(f"n{number}", str(number)), f"c{number}")
    await process.until(process.world.reached(3))
    gate.set()
    await process.idle()
    assert order == [f"{step} {number}" for number in range(3) for step in ("first", "second")]


async def test_no_more_than_the_workers_run_at_once_and_the_page_can_see_them(start: Start) -> None:
    at_once, most, lock, gate, two = 0, 0, threading.Lock(), threading.Event(), threading.Event()

    def busy(note: Changed[Note]) -> Upper:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        if most == 2:
            two.set()
        assert gate.wait(10)
        with lock:
            at_once -= 1
        return Upper(note.text)

    process = start(MemoryLog(), notes(busy), workers=2)
    for number in range(6):
        await process.send(Write(f"n{number}", "a"), f"c{number}")
    await process.until(process.world.reached(6))
    assert process.schedule.left == 6
    for entity in [one async for one in process.world.entities.each()]:
        assert process.schedule.working(entity) == ("notes.busy",)
    assert await asyncio.to_thread(two.wait, 10)
    gate.set()
    await process.idle()
    assert most == 2
    assert not any(map(process.schedule.working, [one async for one in process.world.entities.each()]))

"""What may run when: limits of a system, a flood, and old work beside what changes just now."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cim import Changed, Command, Component, Context, Event, State
from cim.adapters.memory.log import MemoryLog
from cim.world.allowance import Limit
from cim.world.waiting import Lane

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
        return [Written(command.note, command.text)]

    def evolve(self, event: Written) -> "Note":
        return self.but(text=event.text)


@_notes.component(of=Note)
class Upper(Component):
    text: str


@_notes.component(of=Note)
class Length(Component):
    size: int


def notes(*systems: Callable[..., Any]) -> Context:
    """The module of notes with these systems."""
    context = Context("notes")
    context.entities, context.components = _notes.entities, _notes.components
    context.systems = list(systems)
    return context


class Gate:
    """Holds runs until it is opened, and tells their order and how many there were at once."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.at_once: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.first = threading.Event()
        self._lock, self._open = threading.Lock(), threading.Event()

    def open(self) -> None:
        self._open.set()

    def passed(self, system: str, text: str) -> str:
        with self._lock:
            self.order.append(text)
            self.at_once[system] += 1
            self.most[system] = max(self.most[system], self.at_once[system])
        self.first.set()
        assert self._open.wait(10)
        with self._lock:
            self.at_once[system] -= 1
        return text


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def written(log: MemoryLog, start: Start, count: int) -> None:
    """Notes that stand in the log before the systems come."""
    before = start(log, notes())
    for number in range(count):
        await before.send(Write(f"old{number:02}", f"old {number}"), f"o{number}")


async def test_a_system_at_its_limit_holds_up_no_other(start: Start, gate: Gate) -> None:
    def narrow(note: Changed[Note]) -> Upper:
        return Upper(gate.passed("narrow", note.text))

    def wide(note: Changed[Note]) -> Length:
        return Length(len(note.text))

    process = start(
        MemoryLog(), notes(narrow, wide), workers=3, limits={"notes.narrow": Limit(at_once=1)}, threads=3
    )
    for number in range(20):
        await process.send(Write(f"n{number}", f"{number}"), f"c{number}")
    await process.until(process.world.reached(20 + 20))
    values = (await process.values()).values()
    assert sum("Length" in one for one in values) == 20
    assert sum("Upper" in one for one in values) == 0
    assert process.schedule.left == 20
    gate.open()
    await process.idle()
    assert gate.most == {"narrow": 1}
    assert all(len(one) == 2 for one in (await process.values()).values())


async def test_no_more_runs_of_a_system_begin_in_a_second_than_it_may(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []

    def paced(note: Changed[Note]) -> Upper:
        return Upper(note.text)

    process = start(MemoryLog(), notes(paced), limits={"notes.paced": Limit(per_second=5)})
    run = process.schedule._runner.run

    async def told(system: Any, given: Any, place: Any, call: Any) -> Any:
        begun.append(process.clock.monotonic())
        return await run(system, given, place, call)

    monkeypatch.setattr(process.schedule._runner, "run", told)
    for number in range(30):
        await process.send(Write(f"n{number}", f"{number}"), f"c{number}")
    await process.idle()
    assert len(begun) == 30
    assert max(sum(at <= other < at + 0.999 for other in begun) for at in begun) == 5
    assert process.clock.monotonic() == pytest.approx(5.0)


async def test_a_flood_of_changes_makes_no_flood_of_runs(start: Start, gate: Gate) -> None:
    def read(note: Changed[Note]) -> Upper:
        return Upper(gate.passed("read", note.text))

    process = start(MemoryLog(), notes(read), workers=2)
    for number in range(500):
        await process.send(Write("n1", f"{number}"), f"c{number}")
    await process.until(process.world.reached(500))
    assert process.schedule.left == 1
    gate.open()
    await process.idle()
    assert len(gate.order) <= 2, "the one that was under way, and the newest"
    assert await process.values() == {"n1": {"Upper": {"text": "499"}}}


async def test_what_changes_now_comes_before_old_work_which_keeps_its_share(start: Start, gate: Gate) -> None:
    def read(note: Changed[Note]) -> Upper:
        return Upper(gate.passed("read", note.text))

    log = MemoryLog()
    await written(log, start, 60)
    process = start(log, notes(read), workers=1)
    assert await asyncio.to_thread(gate.first.wait, 10)
    for number in range(30):
        await process.send(Write(f"new{number}", f"new {number}"), f"c{number}")
    await process.until(process.world.reached(90))
    gate.open()
    await process.idle()
    kinds = [text.split()[0] for text in gate.order]
    assert kinds[0] == "old", "nothing else was there"
    last = max(place for place, kind in enumerate(kinds) if kind == "new")
    assert kinds[1:last].count("new") / len(kinds[1:last]) == pytest.approx(0.75, abs=0.05)
    assert kinds[1:3] != ["old", "old"]
    for kind in ("old", "new"):
        assert [text for text in gate.order if text.startswith(kind)] == [
            f"{kind} {number}" for number in range(60 if kind == "old" else 30)
        ], "the oldest first"


async def test_what_follows_from_old_work_is_old_work(start: Start, gate: Gate) -> None:
    def first(note: Changed[Note]) -> Upper:
        return Upper(gate.passed("first", note.text))

    def second(upper: Changed[Upper]) -> Length:
        gate.passed("second", f"{upper.text} again")
        return Length(len(upper.text))

    log = MemoryLog()
    await written(log, start, 40)
    process = start(log, notes(first, second), workers=1)
    assert await asyncio.to_thread(gate.first.wait, 10)
    for number in range(20):
        await process.send(Write(f"new{number}", f"new {number}"), f"c{number}")
    await process.until(process.world.reached(60))
    gate.open()
    await process.idle()
    kinds = [text.split()[0] for text in gate.order]
    last = max(place for place, kind in enumerate(kinds) if kind == "new")
    assert kinds[1:last].count("new") / len(kinds[1:last]) == pytest.approx(0.75, abs=0.05)
    old = [text for text in gate.order if text.startswith("old")]
    assert old == [f"old {number}{more}" for number in range(40) for more in ("", " again")], "whole early"


async def test_old_work_leaves_a_place_to_live_work(
    start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(note: Changed[Note]) -> Upper:
        return Upper(gate.passed("read", note.text))

    monkeypatch.setattr("cim.world.share.Share.next", lambda share: Lane.OLD)
    log = MemoryLog()
    await written(log, start, 100)
    process = start(log, notes(read), workers=3)
    assert await asyncio.to_thread(gate.first.wait, 10)
    for number in range(20):
        await process.send(Write(f"new{number}", f"new {number}"), f"c{number}")
    await process.until(process.world.reached(120))
    gate.open()
    await process.idle()
    assert max(place for place, text in enumerate(gate.order) if text.startswith("new")) < 75


async def test_old_work_is_looked_for_as_it_is_done_and_its_progress_is_told(
    start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.world.schedule.PAGE", 8)
    most = 0

    def read(note: Changed[Note]) -> Upper:
        nonlocal most
        most = max(most, process.schedule.left)
        return Upper(gate.passed("read", note.text))

    log = MemoryLog()
    await written(log, start, 100)
    process = start(log, notes(read), workers=2)
    assert await asyncio.to_thread(gate.first.wait, 10)
    done, whole = process.schedule.progress
    assert (done, whole) == (0, 100)
    gate.open()
    await process.idle()
    assert process.schedule.progress == (100, 100)
    assert len(gate.order) == 100
    assert most <= 8 + 8 + 2 + 1

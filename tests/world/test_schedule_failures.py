"""What systems do wrong: recorded, shown, over with a better input, and never the end of the machine."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import pytest

from cim import (
    Capability,
    Changed,
    Command,
    Component,
    Context,
    Event,
    Failure,
    State,
)
from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Commit
from cim.contract.subjects import Ref
from cim.ports.log import LinkLost, LogRefused, Stored, Unclear

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


async def test_a_failure_is_recorded_shown_and_over_with_a_better_input(start: Start) -> None:
    runs: list[str] = []

    def picky(note: Changed[Note]) -> Upper:
        runs.append(note.text)
        if "?" in note.text:
            raise Failure(f"{note.text} cannot be read: hand it in again")
        return Upper(note.text)

    process = start(MemoryLog(), notes(picky))
    await process.send(Write("n1", "a?"), "c1")
    await process.idle()
    cause = "a? cannot be read: hand it in again"
    assert await process.values() == {"n1": {"Failed": {"system": "notes.picky", "cause": cause}}}
    (run,) = (await process.world.entities.get(Ref("notes", "Note", "n1"))).failures
    assert (run.system, run.cause, run.failed) == ("notes.picky", cause, True)
    # The same input is not tried again, by nobody: not here, not after a restart.
    again = start(process.log, notes(picky))
    await again.idle()
    assert runs == ["a?"]
    await process.send(Write("n1", "a"), "c2")
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "a"}}}
    assert not (await process.world.entities.get(Ref("notes", "Note", "n1"))).failures


async def test_of_two_failures_one_that_stands_is_always_shown(start: Start) -> None:
    def first(note: Changed[Note]) -> Upper:
        if "1" in note.text:
            raise Failure("first fails")
        return Upper(note.text)

    def second(note: Changed[Note]) -> Length:
        if "2" in note.text:
            raise Failure("second fails")
        return Length(len(note.text))

    process = start(MemoryLog(), notes(first, second), workers=1)
    for text, failing in [("12", {"first", "second"}), ("2", {"second"}), ("1", {"first"}), ("", set())]:
        await process.send(Write("n1", text), f"c{text}")
        await process.idle()
        (entity,) = [one async for one in process.world.entities.each()]
        assert {run.cause.split()[0] for run in entity.failures} == failing
        shown = (await process.values())["n1"].get("Failed")
        assert (shown is None) == (not failing)
        assert shown is None or shown["cause"].split()[0] in failing


async def test_each_module_has_a_failed_of_its_own(start: Start) -> None:
    late = Context("late")

    @late.component(of=Note)
    class Seen(Component):
        """Never written."""

    @late.system
    def stumble(note: Changed[Note]) -> Seen:
        raise Failure("late stumbled")

    def fall(note: Changed[Note]) -> Upper:
        raise Failure("notes fell")

    process = start(MemoryLog(), notes(fall), late)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    assert (await process.values())["n1"] == {
        "Failed": {"system": "notes.fall", "cause": "notes fell"},
        "late.Failed": {"system": "late.stumble", "cause": "late stumbled"},
    }


def returns_another(note: Changed[Note]) -> Upper:
    return Length(1)  # type: ignore[return-value]


def returns_nothing(note: Changed[Note]) -> Upper:
    return None  # type: ignore[return-value]


def returns_a_pair(note: Changed[Note]) -> Upper:
    return Upper("a"), Upper("b")  # type: ignore[return-value]


def returns_too_few(note: Changed[Note]) -> tuple[Upper, Length]:
    return (Upper("a"),)  # type: ignore[return-value]


def returns_a_subclass(note: Changed[Note]) -> Upper:
    return type("Louder", (Upper,), {})("a")  # type: ignore[no-any-return]


def returns_a_wrong_field(note: Changed[Note]) -> Upper:
    return Upper(7)  # type: ignore[arg-type]


def returns_no_number(note: Changed[Note]) -> Ratio:
    return Ratio(float("nan"))


def returns_what_json_cannot_hold(note: Changed[Note]) -> Upper:
    return Upper(b"\xff".decode(errors="surrogateescape"))


def stops_an_iteration(note: Changed[Note]) -> Upper:
    return Upper(next(iter("")))


def leaves_the_program(note: Changed[Note]) -> Upper:
    raise SystemExit("bye")


def is_cut_off(note: Changed[Note]) -> Upper:
    raise asyncio.CancelledError


def divides_by_zero(note: Changed[Note]) -> Ratio:
    return Ratio(1 / 0)


def says_too_much(note: Changed[Note]) -> Upper:
    raise Failure("x" * 10_000)


def names_a_file_that_is_no_text(note: Changed[Note]) -> Upper:
    raise OSError("\udcff.pdf is not here")


@pytest.mark.parametrize(
    ("system", "cause"),
    [
        (returns_another, "notes.returns_another returned Length, its signature says Upper"),
        (returns_nothing, "notes.returns_nothing returned NoneType, its signature says Upper"),
        (returns_a_pair, "notes.returns_a_pair returned Upper, Upper, its signature says Upper"),
        (returns_too_few, "notes.returns_too_few returned Upper, its signature says Upper, Length"),
        (returns_a_subclass, "notes.returns_a_subclass returned Louder, its signature says Upper"),
        (returns_a_wrong_field, "Upper: Expected `str`, got `int` - at `$.text`"),
        (returns_no_number, "Ratio.value is nan, which would be read back as None"),
        (returns_what_json_cannot_hold, "Upper cannot be written: 'utf-8' codec"),
        (stops_an_iteration, "RuntimeError: StopIteration came out of notes.stops_an_iteration"),
        (leaves_the_program, "RuntimeError: SystemExit came out of notes.leaves_the_program: bye"),
        (is_cut_off, "RuntimeError: CancelledError came out of notes.is_cut_off"),
        (divides_by_zero, "ZeroDivisionError: division by zero"),
        (says_too_much, "x" * 499 + "…"),
        (names_a_file_that_is_no_text, "OSError: ?.pdf is not here"),
    ],
)
async def test_whatever_a_system_does_wrong_is_a_recorded_failure(
    start: Start, system: Callable[..., Any], cause: str
) -> None:
    process = start(MemoryLog(), notes(system))
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    failed = (await process.values())["n1"].pop("Failed")
    assert failed["system"] == f"notes.{system.__name__}"
    assert failed["cause"].startswith(cause)
    assert (await process.values())["n1"].keys() == {"Failed"}


async def test_a_lost_link_is_nobody_s_failure_and_the_run_is_made_again(start: Start) -> None:
    class Shelf(Capability, Protocol):
        def load(self) -> str: ...

    class FarShelf:
        def __init__(self) -> None:
            self.lost = 3

        def load(self) -> str:
            if self.lost:
                self.lost -= 1
                raise LinkLost("the store was not reached")
            return "content"

    def fetch(note: Changed[Note], shelf: Shelf) -> Upper:
        return Upper(shelf.load())

    shelf = FarShelf()
    process = start(MemoryLog(), notes(fetch), providers={Shelf: shelf})
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "content"}}}
    assert shelf.lost == 0


async def test_a_component_that_the_log_does_not_take_is_a_recorded_failure(start: Start) -> None:
    class Narrow(MemoryLog):
        async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
            if len(commit.body) > 1000:
                raise LogRefused("the message is larger than the log takes")
            return await super().attempt(commit, expected)

    def wordy(note: Changed[Note]) -> Upper:
        return Upper(note.text * 600)

    process = start(Narrow(), notes(wordy, length))
    await process.send(Write("n1", "ab"), "c1")
    await process.send(Write("n2", "b"), "c2")
    await process.idle()
    cause = "the message is larger than the log takes"
    assert (await process.values())["n1"] == {"Failed": {"system": "notes.wordy", "cause": cause}}
    assert (await process.values())["n2"] == {"Upper": {"text": "b" * 600}, "Length": {"size": 600}}


async def test_an_entity_begins_with_its_first_event_not_with_a_decision_for_none(start: Start) -> None:
    def copy(note: Changed[Note]) -> Upper:
        return Upper(note.text)

    process = start(MemoryLog(), notes(copy))
    await process.send(Write("n1", ""), "c1")
    await process.idle()
    assert not any((await process.values()).values())
    assert not [one async for one in process.world.entities.each() if one.exists]
    await process.send(Write("n1", "abc"), "c2")
    await process.idle()
    assert (await process.values())["n1"] == {"Upper": {"text": "abc"}}


async def test_a_component_that_no_longer_has_its_shape_fails_its_reader_alone(start: Start) -> None:
    log = MemoryLog()
    old = start(log, notes(upper))
    await old.send(Write("n1", "a"), "c1")
    await old.idle()
    await old.stop()

    newer = Context("notes")
    newer.entities = _notes.entities

    @newer.component(of=Note)
    class Upper(Component):
        text: str
        language: str

    newer.components += [
        declared for declared in _notes.components if declared.component is not globals()["Upper"]
    ]

    @newer.system
    def measure(upper: Changed[Upper]) -> Length:
        return Length(len(upper.language))

    @newer.system
    def ratio(note: Changed[Note]) -> Ratio:
        return Ratio(1.0)

    process = start(log, newer)
    await process.idle()
    assert (await process.values())["n1"] == {
        "Upper": {"text": "A"},
        "Ratio": {"value": 1.0},
        "Failed": {"system": "notes.measure", "cause": "Upper: Object missing required field `language`"},
    }
    (entity,) = [one async for one in process.world.entities.each()]
    assert entity.stopped is None

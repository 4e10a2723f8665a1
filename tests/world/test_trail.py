"""The trail: how an entity came to be what it is, step by step."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cim import Changed, Command, Component, Context, Event, Failure, State
from cim.adapters.memory.log import MemoryLog
from cim.contract.subjects import Ref
from cim.world.trail import LONGEST_NOTE, TrailStep, history, summary, trail

Start = Callable[..., Any]


class Write(Command):
    note: str
    text: str


class Written(Event):
    note: str
    text: str


class Counted(Event):
    note: str


notes = Context("notes")


@notes.entity(key="note")
class Note(State):
    text: str = ""

    def decide(self, command: Write) -> Iterable[Written | Counted]:
        return [Written(command.note, command.text), Counted(command.note)]

    def evolve(self, event: Written | Counted) -> "Note":
        return self.but(text=event.text) if isinstance(event, Written) else self


@notes.component(of=Note)
class Upper(Component):
    text: str


@notes.component(of=Note)
class Length(Component):
    size: int


@notes.component(of=Note)
class Half(Component):
    size: float


@notes.system
def measure(note: Changed[Note]) -> tuple[Upper, Length | None]:
    if note.text == "broken":
        raise Failure("broken: write it again")
    return Upper(note.text.upper()), Length(len(note.text)) if note.text else None


@notes.system
def halve(length: Changed[Length]) -> Half:
    if length.size % 2:
        raise Failure(f"{length.size} is odd")
    return Half(length.size / 2)


N1 = Ref("notes", "Note", "n1")


def brief(steps: Iterable[TrailStep]) -> list[tuple[str, str, str, str]]:
    return [(step.kind, step.name, step.by, step.note) for step in steps]


async def test_every_step_is_told_in_the_log_s_order(start: Start) -> None:
    process = start(MemoryLog(), notes, workers=1)
    for id, text in [("n1", "abc"), ("n2", "x"), ("n1", "broken"), ("n1", "ab"), ("n1", "")]:
        await process.send(Write(id, text), f"c{text}")
        await process.idle()
    steps = await trail(process.log, N1)
    command = [
        ("command", "Write", "tester", ""),
        *(("event", n, "notes.Note", "") for n in ("Written", "Counted")),
    ]
    assert brief(steps) == [
        *command,
        ("component", "Upper, Length", "notes.measure", ""),
        ("failed", "notes.halve", "notes.halve", "3 is odd"),
        *command,
        ("failed", "notes.measure", "notes.measure", "broken: write it again"),
        *command,
        ("component", "Upper, Length", "notes.measure", ""),
        # The failure of before goes away with it, and is no finding.
        ("component", "Half", "notes.halve", "1.0"),
        *command,
        ("component", "Upper", "notes.measure", ""),
    ]
    assert [step.sequence for step in steps] == sorted(step.sequence for step in steps)
    assert all((step.took is None) == (step.kind in ("command", "event")) for step in steps)
    assert {step.time for step in steps} == {"2026-01-02T03:04:05.000000Z"}
    assert {commit.subject.split(".")[3] for commit in await history(process.log, N1)} == {"n1"}


async def test_a_run_that_found_nothing_is_a_step_too(start: Start) -> None:
    quiet = Context("quiet")

    @quiet.component(of=Note)
    class Seen(Component):
        pass

    @quiet.system
    def look(note: Changed[Note]) -> Seen | None:
        return None

    bare = Context("notes")
    bare.entities = notes.entities
    process = start(MemoryLog(), bare, quiet)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    assert brief(await trail(process.log, N1))[-1] == ("component", "nothing to add", "quiet.look", "")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"kind": "letter", "score": 0.5}, "letter · 0.5"),
        ({"body": "two\n  lines", "parts": [1, 2], "of": {"a": 1}, "none": None, "empty": ""}, "two lines"),
        ({"urgent": True}, "True"),
        ("words", "words"),
        ({}, ""),
    ],
)
def test_a_summary_is_one_short_line(value: object, line: str) -> None:
    assert summary(value) == line


def test_a_long_summary_is_cut() -> None:
    cut = summary({"body": "x" * 1000})
    assert len(cut) == LONGEST_NOTE
    assert cut.endswith("x…")

"""A released shape cannot change or go without a word."""

import datetime
import decimal
import enum
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pytest

from cim import Command, Component, Context, Event, Former, Record, State
from cim.contract import codec
from cim.testing.golden import example, golden, keep, main, read_kept


class Say(Command):
    paper: str


class Colour(enum.Enum):
    RED = "red"


class Line(Record):
    text: str
    amount: decimal.Decimal


class Everything(Event):
    text: str
    maybe: int | None
    lines: tuple[Line, ...]
    pair: tuple[int, str]
    names: dict[str, float]
    colour: Colour
    kind: Literal["letter", "bill"]
    day: datetime.date
    at: datetime.datetime
    yes: bool = False


def context(event: type[Event], component: type[Component] | None = None) -> Context:
    """A context with one event."""
    made = Context("papers")

    def decide(self: State, command: Say) -> Iterable[Event]:
        return []

    def evolve(self: State, event: Event) -> State:
        return self

    decide.__annotations__["return"] = Iterable[event]  # type: ignore[valid-type]
    evolve.__annotations__["event"] = event
    paper = type("Paper", (State,), {"__module__": __name__, "decide": decide, "evolve": evolve})
    made.entity(key="paper")(paper)
    if component is not None:
        made.component(of=paper)(component)
    return made


def event(name: str = "Read", **fields: Any) -> type[Event]:
    return type(name, (Event,), {"__module__": __name__, "__annotations__": fields})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "papers.golden.jsonl"


def refused(file: Path, *what: Context | type) -> str:
    with pytest.raises(AssertionError) as error:
        golden(file, *what)
    return str(error.value)


def test_a_shape_is_kept_once_and_read_each_time(file: Path) -> None:
    class Text(Component):
        words: list[str]

    papers = context(Everything, Text)
    said = refused(file, papers)
    assert "Everything version 1 is not kept yet" in said
    assert "Text version 1 is not kept yet" in said
    assert keep(file, papers) == ["Everything version 1", "Text version 1"]
    golden(file, papers)
    before = file.read_bytes()
    assert keep(file, papers) == []
    assert file.read_bytes() == before
    body = read_kept(file)[0].body
    assert bytes(body) == codec.write([example(Everything)])


def test_an_example_holds_something_in_every_field() -> None:
    found = example(Everything)
    assert (found.text, found.maybe, found.yes, found.colour) == ("text", 7, True, Colour.RED)
    assert found.lines == (Line("text", decimal.Decimal("12.50")),)


@pytest.mark.parametrize("fields", [{"paper": str, "pages": int}, {"paper": int}, {}, {"paper": str | None}])
def test_a_shape_that_changed_without_a_new_version_fails_and_says_what_to_do(
    file: Path, fields: dict[str, Any]
) -> None:
    keep(file, context(event(paper=str)))
    said = refused(file, context(event(**fields)))
    assert (
        "Read has another shape than its version 1 that was released: take the change back, or keep" in said
    )
    assert (
        "`class Read1(Former, version=1)` with an `upcast`, and write `class Read(…, formerly=Read1)`" in said
    )


class Read1(Former, version=1):
    paper: str

    def upcast(self) -> "Read":
        return Read(self.paper, 0)


class Read(Event, formerly=Read1):
    paper: str
    pages: int


def test_a_new_version_reads_what_was_released_and_is_kept_beside_it(file: Path) -> None:
    keep(file, context(event(paper=str)))
    assert "Read version 2 is not kept yet" in refused(file, context(Read))
    assert keep(file, context(Read)) == ["Read version 2"]
    golden(file, context(Read))
    assert [(line.item.type, line.item.version) for line in read_kept(file)] == [("Read", 1), ("Read", 2)]


def test_a_former_shape_that_was_changed_is_found(file: Path) -> None:
    class Read1(Former, version=1):
        paper: str
        title: str = "untitled"

        def upcast(self) -> "Read":
            raise NotImplementedError

    Read1.upcast.__annotations__["return"] = kind = event(paper=str)
    kind.__cim_formerly__ = Read1  # type: ignore[attr-defined]
    keep(file, context(event(paper=str)))
    said = refused(file, context(kind))
    assert 'Read version 1 is read and written as {"paper":"paper","title":"untitled"}: Read1 has' in said
    assert "Read version 1 can no longer be read: Read1.upcast raised NotImplementedError" in said


def test_a_type_that_is_gone_is_found(file: Path) -> None:
    keep(file, context(event("Lost", paper=str)))
    assert "Lost version 1 was released and can no longer be read" in refused(file, context(event(paper=str)))


def test_the_command_adds_what_is_new(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file), "cim.testing.jars:labels", "cim.log.release:Released"]) == 0
    assert capsys.readouterr().out == "Label version 1\nReleased version 1\n"
    assert main([str(file), "cim.testing.jars:labels"]) == 0
    assert capsys.readouterr().out == "nothing new\n"

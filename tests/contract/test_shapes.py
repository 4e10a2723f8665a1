"""Former shapes are read and become the present one; what cannot be is refused by name."""

from collections.abc import Iterable
from typing import Any

import pytest

from cim import Component, Context, Event, Former, Key, Row, State, Table
from cim.contract import codec
from cim.contract.codec import Item
from cim.contract.composition import compose
from cim.contract.shapes import UnknownShape, known_shapes, shapes_of
from cim.domain.errors import Misdeclared
from cim.domain.former import version_of
from cim.domain.message import Command


class Received1(Former, version=1):
    paper: str

    def upcast(self) -> "Received2":
        return Received2(self.paper, "untitled")


class Received2(Former, version=2, formerly=Received1):
    paper: str
    title: str

    def upcast(self) -> "Received":
        return Received(self.paper, self.title, 0)


class Received(Event, formerly=Received2):
    paper: str
    title: str
    pages: int


class Thrown(Former, version=1, called="Thrown"):
    paper: str

    def upcast(self) -> "Discarded | None":
        return Discarded(self.paper) if self.paper else None


class Discarded(Event, formerly=Thrown):
    paper: str


class Moved1(Former, version=1, called="Moved"):
    paper: str
    to: str

    def upcast(self) -> "tuple[Left, Entered]":
        return Left(self.paper), Entered(self.paper, self.to)


class Left(Event, formerly=Moved1):
    paper: str


class Entered(Event, formerly=Moved1):
    paper: str
    room: str


EVENTS = (Received, Discarded, Left, Entered)
SHAPES = shapes_of(EVENTS, "papers.Paper")


def body(type: str, version: int, **data: Any) -> bytes:
    return codec.encode([Item(type, version, data)])


def read(type: str, version: int, **data: Any) -> list[Any]:
    (unread,), (item,) = codec.unread(body(type, version, **data)), codec.decode(body(type, version, **data))
    found = list(SHAPES.read(unread))
    assert list(SHAPES.typed(item)) == found
    return found


def test_the_present_version_is_one_more_than_the_former() -> None:
    assert [version_of(kind) for kind in (Received1, Received2, *EVENTS)] == [1, 2, 3, 1, 1, 1]
    assert [one.version for one in codec.decode(codec.write([Received("p", "t", 1), Left("p")]))] == [3, 1]
    assert codec.item(Received("p", "t", 1)).version == 3


def test_each_version_that_was_ever_written_is_read() -> None:
    assert read("Received", 1, paper="p") == [Received("p", "untitled", 0)]
    assert read("Received", 2, paper="p", title="t") == [Received("p", "t", 0)]
    assert read("Received", 3, paper="p", title="t", pages=4) == [Received("p", "t", 4)]


def test_an_event_may_have_had_another_name_and_become_several_or_none() -> None:
    assert read("Thrown", 1, paper="p") == [Discarded("p")]
    assert read("Thrown", 1, paper="") == []
    assert read("Moved", 1, paper="p", to="hall") == [Left("p"), Entered("p", "hall")]
    assert SHAPES.becomes(Item("Moved", 1, None)) == ("Entered", "Left")


@pytest.mark.parametrize("version", [0, 4])
def test_a_version_that_is_not_known_is_told_with_those_that_are(version: int) -> None:
    with pytest.raises(UnknownShape) as error:
        read("Received", version, paper="p")
    newer = ": a newer version of its module reads it" if version == 4 else ""
    assert str(error.value) == f"Received has the version {version}, and known here is 1, 2, 3{newer}"


def test_what_an_upcast_raises_or_returns_against_its_word_is_named() -> None:
    class Odd1(Former, version=1):
        how: str

        def upcast(self) -> "Discarded":
            if self.how == "raise":
                raise KeyError("page")
            return Left("p")  # type: ignore[return-value]

    Odd = type("Odd", (Event,), {"__annotations__": {}, "__module__": __name__}, formerly=Odd1)
    Odd1.upcast.__annotations__["return"] = Odd | Discarded
    shapes = shapes_of([Odd, *EVENTS], "papers.Paper")
    for how, said in (
        ("raise", r"Odd1\.upcast raised KeyError: 'page'"),
        ("lie", "returned Left, which its"),
    ):
        (item,) = codec.unread(body("Odd", 1, how=how))
        with pytest.raises(UnknownShape, match=said):
            shapes.read(item)


def former(version: int, *, returns: Any = None, **words: Any) -> type[Former]:
    """A former shape that is declared on the spot."""

    def upcast(self: Former) -> Any:
        raise NotImplementedError

    upcast.__annotations__["return"] = returns
    return type(
        f"Old{version}", (Former,), {"__module__": __name__, "upcast": upcast}, version=version, **words
    )


def present(before: type[Any]) -> type[Event]:
    kind = type("New", (Event,), {"__module__": __name__}, formerly=before)
    if "upcast" in before.__dict__ and before.upcast.__annotations__["return"] is None:
        before.upcast.__annotations__["return"] = kind
    return kind


def chain(*versions: int) -> type[Event]:
    """A type with former shapes of these versions, the oldest first."""
    before: type[Former] | None = None
    for version in versions:
        later = former(version, formerly=before)
        if before is not None:
            before.upcast.__annotations__["return"] = later
        before = later
    assert before is not None
    return present(before)


def renamed(version: int) -> type[Event]:
    """A type that was called First, then Second, of which this version is told first."""
    first = former(1, called="First")
    second = former(version, called="Second", formerly=first)
    first.upcast.__annotations__["return"] = second
    return present(second)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: [chain(1, 3)], "Old1 has the version 1 and becomes Old3, which has 3: tell each version"),
        (lambda: [chain(2, 2)], "Old2 has the version 2 and becomes Old2, which has 2: tell each version"),
        (lambda: [chain(2, 3)], "Old2 is the oldest shape of New that is told, and has the version 2"),
        (
            lambda: [renamed(2)],
            "Old2 is the oldest shape of Second that is told, and has the version 2: tell version 1 as well",
        ),
        (lambda: [chain(0)], r"Old0 says no version: `class Old0\(Former, version=1\)`"),
        (
            lambda: [present(former(1, returns=Left))],
            "Old1.upcast leads elsewhere: New was formerly Old1, so say `-> New`",
        ),
        (lambda: [present(Left)], "Left, which New was formerly, is no Former"),
        (lambda: [present(type("Old", (Former,), {}, version=1))], "Old declares no `upcast"),
        (
            lambda: [present(former(1, called="Left")), Left],
            "two shapes of Left have the version 1",
        ),
        (lambda: [Left], "Moved1 becomes Entered, which is not declared there"),
    ],
)
def test_what_cannot_be_is_refused_by_name(made: Any, said: str) -> None:
    with pytest.raises(Misdeclared, match=f"papers: {said}"):
        shapes_of(made(), "papers")


papers = Context("papers")


class Say(Command):
    paper: str


@papers.entity(key="paper")
class Paper(State):
    def decide(self, command: Say) -> Iterable[Received | Discarded | Left | Entered]:
        return []

    def evolve(self, event: Received | Discarded | Left | Entered) -> "Paper":
        return self


class Title(Row):
    paper: Key[str]
    title: str


@papers.projection
def titles(event: Received, rows: Table[Title]) -> None:
    rows.put(Title(event.paper, event.title))


def test_a_machine_refuses_shapes_that_cannot_be() -> None:
    lost = Context("lost")

    @lost.component(of=Paper)
    class Note(Component, formerly=former(1, returns=Left)):
        text: str

    with pytest.raises(Misdeclared, match=r"lost: Old1\.upcast leads elsewhere"):
        compose([papers, lost])


def test_versions_of_what_folds_follow_former_shapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version() -> tuple[str, str]:
        made = compose([papers])
        return next(iter(made.entities.values())).version, made.projections[0].version

    before = version()
    assert version() == before

    def upcast(self: Received1) -> "Received2":
        return Received2(self.paper, "without a title")

    monkeypatch.setattr(Received1, "upcast", upcast)
    known_shapes.cache_clear()  # as a new process begins
    assert all(now != then for now, then in zip(version(), before, strict=True))

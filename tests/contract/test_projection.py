"""What a projection's signature says, and what is refused by name before a machine starts."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cim import Command, Context, Event, Key, Record, Row, State, Table
from cim.contract.composition import Unknown, compose
from cim.contract.projection import ProjectionType
from cim.domain.errors import Misdeclared


class Send(Command):
    letter: str


class Sent(Event):
    letter: str


class Burnt(Event):
    letter: str


class Elsewhere(Event):
    letter: str


class Line(Row):
    letter: Key[str]
    count: int = 0


class Keyless(Row):
    letter: str


class Odd(Row):
    at: Key[float]


class Twins(Row):
    letter: Key[str]
    Letter: str


class Plain(Record):
    letter: Key[str]


letters = Context("letters")


@letters.entity(key="letter")
class Letter(State):
    def decide(self, command: Send) -> Iterable[Sent | Burnt]:
        return [Sent(command.letter)]

    def evolve(self, event: Sent | Burnt) -> "Letter":
        return self


def read(*functions: Callable[..., Any]) -> tuple[ProjectionType, ...]:
    context = Context("letters")
    context.entities = letters.entities
    for function in functions:
        context.projection(function)
    return compose([context]).projections


def sent(rows: Table[Line], event: Sent | Burnt) -> None: ...


async def waits(event: Sent, rows: Table[Line]) -> None: ...


def returns(event: Sent, rows: Table[Line]) -> Line: ...  # type: ignore[empty-body]


def no_table(event: Sent) -> None: ...


def three(event: Sent, rows: Table[Line], more: Sent) -> None: ...


def starred(event: Sent, *rows: Table[Line]) -> None: ...


def unsaid(event, rows: Table[Line]) -> None: ...  # type: ignore[no-untyped-def]


def foreign(event: Sent | Elsewhere, rows: Table[Line]) -> None: ...


def command(event: Send, rows: Table[Line]) -> None: ...


def keyless(event: Sent, rows: Table[Keyless]) -> None: ...


def odd(event: Sent, rows: Table[Odd]) -> None: ...


def twins(event: Sent, rows: Table[Twins]) -> None: ...


def plain(event: Sent, rows: Table[Plain]) -> None: ...  # type: ignore[type-var]


def bare(event: Sent, rows: Table[Row]) -> None: ...


def test_the_signature_says_events_rows_and_key_in_any_order() -> None:
    (kind,) = read(sent)
    assert (str(kind), kind.row, dict(kind.key)) == ("letters.sent", Line, {"letter": str})
    assert kind.sources == {("letters", "Letter"): {"Sent": Sent, "Burnt": Burnt}}
    assert (kind.event, kind.rows) == ("event", "rows")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (waits, "letters.waits is async"),
        (returns, "letters.returns returns something"),
        (no_table, "letters.no_table must be written `no_table(event: …, rows: Table[…])`"),
        (three, "letters.three must be written"),
        (starred, "letters.starred must be written"),
        (unsaid, "letters.unsaid must be written"),
        (foreign, "takes Elsewhere, an event of no entity here; there are: letters.Sent, letters.Burnt"),
        (command, "Send'>, which is no Event"),
        (keyless, "Keyless marks no key: write `name: Key[str]`"),
        (odd, "Odd.at is a key of <class 'float'>: a key is str or int"),
        (twins, "two fields of Twins differ in upper and lower case alone"),
        (plain, "Plain'>, which is no Row"),
        (bare, "Row'>, which is no Row: write `class Line(Row)`"),
    ],
)
def test_what_cannot_be_is_refused_by_name(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(Misdeclared) as error:
        read(function)
    assert said in str(error.value)
    assert f"letters.{function.__name__}" in str(error.value)


def test_two_projections_of_one_name_are_refused() -> None:
    with pytest.raises(Misdeclared, match=r"two projections are named letters\.sent"):
        read(sent, sent)


def test_a_projection_that_is_not_there_is_told_with_those_that_are() -> None:
    context = Context("letters")
    context.entities = letters.entities
    context.projection(sent)
    with pytest.raises(Unknown, match=r"projection letters\.lost; there are: letters\.sent"):
        compose([context]).projection("letters.lost")


LIMIT = 3


def limited(count: int) -> int:
    return min(count, LIMIT)


def counted(event: Sent, rows: Table[Line]) -> None:
    rows.put(Line(event.letter, limited(9)))


def test_the_version_changes_with_what_the_function_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = read(counted)
    monkeypatch.setitem(globals(), "LIMIT", 4)
    (after,) = read(counted)
    assert before.version != after.version
    monkeypatch.setitem(globals(), "LIMIT", 3)
    assert read(counted)[0].version == before.version

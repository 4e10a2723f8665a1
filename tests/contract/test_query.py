"""What a query's signature says: the question, the rows it reads, the answer; and what is refused by name."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import pytest

from cim import Command, Context, Event, Key, Row, Rows, State, Table
from cim.contract.composition import Unknown, compose
from cim.contract.query import BadQuestion, QueryType, rows_question
from cim.domain.errors import CimError, Misdeclared


class Lend(Command):
    book: str


class Lent(Event):
    book: str
    reader: str


class Loan(Row):
    book: Key[str]
    reader: str


class Fine(Row):
    reader: Key[str]
    cents: int


class Stray(Row):
    book: Key[str]


library = Context("library")


@library.entity(key="book")
class Book(State):
    def decide(self, command: Lend) -> Iterable[Lent]:
        return []

    def evolve(self, event: Lent) -> "Book":
        return self


def loans(event: Lent, rows: Table[Loan]) -> None: ...


def fines(event: Lent, rows: Table[Fine]) -> None: ...


def more_fines(event: Lent, rows: Table[Fine]) -> None: ...


def read(function: Callable[..., Any], *projections: Callable[..., Any]) -> QueryType:
    context = Context("library")
    context.entities = library.entities
    context.projections = [*(projections or (loans, fines))]
    context.query(function)
    return compose([context]).queries[0]


def due(since: date, loans: Rows[Loan], fines: Rows[Fine], least: int = 3) -> list[Loan]:
    return [*loans.each()]


async def waits(rows: Rows[Loan]) -> list[Loan]: ...  # type: ignore[empty-body]


def silent(rows: Rows[Loan]) -> None: ...


def unsaid(rows: Rows[Loan]): ...  # type: ignore[no-untyped-def]


def rowless(since: date) -> int: ...  # type: ignore[empty-body]


def untyped(since, rows: Rows[Loan]) -> int: ...  # type: ignore[no-untyped-def, empty-body]


def starred(rows: Rows[Loan], *more: int) -> int: ...  # type: ignore[empty-body]


def positional(since: date, /, rows: Rows[Loan]) -> int: ...  # type: ignore[empty-body]


def reserved(reached: int, rows: Rows[Loan]) -> int: ...  # type: ignore[empty-body]


def stray(rows: Rows[Stray]) -> int: ...  # type: ignore[empty-body]


def odd(what: Callable[[], int], rows: Rows[Loan]) -> int: ...  # type: ignore[empty-body]


def answers_code(rows: Rows[Loan]) -> Callable[[], int]: ...  # type: ignore[empty-body]


def test_the_signature_is_the_question_the_source_and_the_answer() -> None:
    kind = read(due)
    assert str(kind) == "library.due"
    assert {name: str(source) for name, source in kind.reads.items()} == {
        "loans": "library.loans",
        "fines": "library.fines",
    }
    asked: Any = kind.asked({"since": "2026-01-02", "reached": 7})
    assert (asked.since, asked.least, asked.reached) == (date(2026, 1, 2), 3, 7)
    assert kind.asked_by_text({"since": "2026-01-02", "least": "4"}) == {"since": "2026-01-02", "least": 4}
    assert kind.answered(b'[{"book":"b1","reader":"Ada"}]') == [Loan("b1", "Ada")]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (waits, "library.waits is async"),
        (silent, "library.silent answers nothing"),
        (unsaid, "library.unsaid answers nothing"),
        (rowless, "library.rowless reads no rows: write `rows: Rows[…]`"),
        (untyped, "parameter `since` must have a name and say its type"),
        (starred, "parameter `more` must have a name and say its type"),
        (positional, "parameter `since` must have a name and say its type"),
        (reserved, "a parameter cannot be named `reached`"),
        (stray, "rows of Stray, which no projection here writes; there are: Loan of library.loans, Fine of"),
        (odd, "library.odd: its question cannot be written as JSON"),
        (answers_code, "library.answers_code: its answer cannot be written as JSON"),
    ],
)
def test_what_cannot_be_is_refused_by_name(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(Misdeclared) as error:
        read(function)
    assert said in str(error.value)
    assert f"library.{function.__name__}" in str(error.value)


def test_rows_that_two_projections_write_are_no_source() -> None:
    with pytest.raises(Misdeclared, match=r"Fine, which library\.fines and library\.more_fines write"):
        read(due, loans, fines, more_fines)


def test_what_is_asked_by_one_name_is_one_thing() -> None:
    context = Context("library")
    context.entities = library.entities
    context.projection(loans)

    def loans_(rows: Rows[Loan]) -> int:
        return 0

    loans_.__name__ = "loans"
    context.query(loans_)
    with pytest.raises(Misdeclared, match=r"are named library\.loans both: rename one"):
        compose([context])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "missing required field `since`"),
        ({"since": "soon"}, "Invalid RFC3339"),
        ({"since": "2026-01-02", "least": "4"}, "Expected `int`, got `str` - at `$.least`"),
        ({"since": "2026-01-02", "until": 1}, "unknown field `until`"),
        ({"since": "2026-01-02", "reached": -1}, "reached is -1"),
        ({"since": "2026-01-02", "patience": 61}, "patience is 61: it is 0 to 60 seconds"),
    ],
)
def test_a_question_that_is_off_is_told_by_its_field(data: dict[str, Any], said: str) -> None:
    with pytest.raises(BadQuestion) as error:
        read(due).asked(data)
    assert said in str(error.value)
    assert str(error.value).startswith("library.due: ")


def test_a_question_about_rows_is_checked_as_well() -> None:
    with pytest.raises(BadQuestion, match="limit is 0: it is 1 to 10,000 rows"):
        rows_question(b'{"limit": 0}', "library.loans")
    with pytest.raises(BadQuestion, match="unknown field `kye`"):
        rows_question(b'{"kye": ["b1"]}', "library.loans")


def test_an_answer_of_another_type_than_declared_is_an_error_by_name() -> None:
    def lies(rows: Rows[Loan]) -> list[Loan]:
        return ["b1"]  # type: ignore[list-item]

    kind = read(lies)
    with pytest.raises(CimError, match=r"library\.lies answered something else than it declares"):
        kind.run(kind.asked({}), {"rows": None})  # type: ignore[dict-item]


def test_a_query_that_is_not_there_is_told_with_those_that_are() -> None:
    context = Context("library")
    context.entities, context.projections = library.entities, [loans, fines]
    context.query(due)
    with pytest.raises(Unknown, match=r"the query library\.lost; there are: library\.due"):
        compose([context]).query("library.lost")

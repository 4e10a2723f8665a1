"""The table of a projection: in SQLite and in memory it holds the same rows and refuses the same."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cim import CimError, Command, Context, Event, Key, Row, State, Table
from cim.adapters.postgres.rows import PostgresRows, PostgresSession
from cim.adapters.sqlite.rows import SqliteRows, SqliteSession
from cim.contract.composition import compose
from cim.ports.rows import Layout, Session
from cim.projections.held import HeldTable
from cim.projections.table import StoredTable, table_of
from cim.testing.projected import MemoryTable, projected


class Place(Command):
    order: str


class Placed(Event):
    order: str


class Part(Row):
    name: str
    count: int = 1


class Line(Row):
    order: Key[str]
    number: Key[int]
    text: str = ""
    price: Decimal = Decimal(0)
    weight: float | None = None
    due: date | None = None
    state: Literal["open", "shut"] = "open"
    paid: bool = False
    parts: tuple[Part, ...] = ()
    note: str | int | None = None


orders = Context("orders")


@orders.entity(key="order")
class Order(State):
    def decide(self, command: Place) -> Iterable[Placed]:
        return []

    def evolve(self, event: Placed) -> "Order":
        return self


@orders.projection
def lines(event: Placed, rows: Table[Line]) -> None:
    """Two lines an order; the second takes what the first put."""
    rows.put(Line(event.order, 1))
    first = rows.get(event.order, 1)
    assert first is not None
    rows.put(first.but(number=2))


KIND = compose([orders]).projections[0]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[SqliteSession]:
    made = SqliteRows(tmp_path).place(str(KIND)).open(Layout(1, [table_of(KIND, "rows")]), wiping=False)
    yield made
    made.close()


@pytest.fixture
def postgres_session(postgres: PostgresRows) -> Iterator[Session]:
    made = postgres.place(str(KIND)).open(Layout(1, [table_of(KIND, "rows")]), wiping=False)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql", "memory", "held"])
def table(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryTable(KIND)
    if request.param == "held":
        return HeldTable(StoredTable(request.getfixturevalue("session"), KIND, "rows"))
    name = "session" if request.param == "sqlite" else "postgres_session"
    return StoredTable(request.getfixturevalue(name), KIND, "rows")


FULL = Line(
    "ö 'a\" \0", -(2**63) + 1, "x", Decimal("1.50"), 0.1, date(2026, 1, 2), "shut", True, (Part("p"),), 3
)


def test_a_row_reads_back_as_it_was_put(table: Any) -> None:
    full = FULL.but(order="ö 'a") if _is_postgres(table) else FULL
    for row in (full, Line("a", 1), Line("a", 1, note="text"), Line("a", 1, weight=1)):
        table.put(row)
        assert table.get(row.order, row.number) == row
    table.remove(full.order, full.number)
    table.remove("nobody", 1)
    assert table.get(full.order, full.number) is None


def _is_postgres(table: Any) -> bool:
    return isinstance(getattr(table, "_session", None), PostgresSession)


def test_postgresql_keeps_no_text_with_a_nul_and_says_so(postgres_session: Session) -> None:
    table = StoredTable(postgres_session, KIND, "rows")
    with pytest.raises(ValueError, match="PostgreSQL keeps no text with a character of code 0"):
        table.put(FULL)
    table.put(Line("a", 1, "fine"))
    assert table.get("a", 1) == Line("a", 1, "fine")


LINES = st.builds(
    Line,
    order=st.sampled_from(["a", "b", "A", ""]),
    number=st.integers(-2, 2),
    text=st.text(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    weight=st.none() | st.floats(),
    note=st.none() | st.text() | st.integers(),
)


CHANGES = st.lists(st.tuples(st.sampled_from(["put", "remove"]), LINES))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_both_tables_hold_the_same_after_any_changes(
    session: SqliteSession, changes: list[tuple[str, Line]]
) -> None:
    _hold_the_same(session, changes)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_postgresql_holds_the_same_after_any_changes(
    postgres_session: Session, changes: list[tuple[str, Line]]
) -> None:
    plain = [
        (
            change,
            row.but(text=row.text.replace("\0", ""), note=None if isinstance(row.note, str) else row.note),
        )
        for change, row in changes
    ]
    _hold_the_same(postgres_session, plain)


def _hold_the_same(session: Session, changes: list[tuple[str, Line]]) -> None:
    session.run('DELETE FROM "rows"')
    stored, memory = StoredTable(session, KIND, "rows"), MemoryTable(KIND)
    for change, row in changes:
        said = [_done(table, change, row) for table in (stored, memory)]
        assert said[0] == said[1]
    for _, row in changes:
        assert stored.get(row.order, row.number) == memory.get(row.order, row.number)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=CHANGES, changes=CHANGES)
def test_rows_that_are_held_until_the_end_are_the_same(
    session: SqliteSession, before: list[tuple[str, Line]], changes: list[tuple[str, Line]]
) -> None:
    session.run('DELETE FROM "rows"')
    stored, memory = StoredTable(session, KIND, "rows"), MemoryTable(KIND)
    held = HeldTable(stored)
    for change, row in before:
        assert _done(stored, change, row) == _done(memory, change, row)
    for change, row in changes:
        assert _done(held, change, row) == _done(memory, change, row)
        assert held.get(row.order, row.number) == memory.get(row.order, row.number)
    held.write()
    for _, row in (*before, *changes):
        assert stored.get(row.order, row.number) == memory.get(row.order, row.number)


def test_many_rows_are_written_before_the_end(
    session: SqliteSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.projections.held.MOST", 3)
    stored = StoredTable(session, KIND, "rows")
    held = HeldTable(stored)
    for number in range(4):
        held.put(Line("a", number))
    held.remove("a", 0)
    assert [stored.get("a", number) is not None for number in range(4)] == [True, True, True, False]
    assert held.get("a", 0) is None
    held.write()
    assert [stored.get("a", number) is not None for number in range(4)] == [False, True, True, True]


def test_a_row_that_is_held_is_nobody_s_to_change(session: SqliteSession) -> None:
    table: Any = HeldTable(StoredTable(session, KIND, "rows"))
    table.put(FULL.but(order="a", parts=(Part("p"),)))
    row = table.get("a", FULL.number)
    object.__setattr__(row, "parts", ())
    assert table.get("a", FULL.number).parts == (Part("p"),)


def _done(table: Any, change: str, row: Line) -> str:
    try:
        table.put(row) if change == "put" else table.remove(row.order, row.number)
    except CimError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.put(Line(None, 1)), "Line: Expected `str`, got `null`"),  # type: ignore[arg-type]
        (lambda table: table.put(Line("a", True)), "Expected `int`, got `bool`"),
        (lambda table: table.put(Line("a", 2**63)), "64 bits"),
        (lambda table: table.put(Line("a", 1, weight=float("nan"))), "Line.weight is nan"),
        (lambda table: table.put(Line("a", 1, text="\ud800")), "cannot be written"),
        (lambda table: table.put(Part("p")), "holds rows of Line, not Part"),
        (lambda table: table.get("a"), "named by (order: str, number: int), not by ('a',)"),
        (lambda table: table.get("a", "1"), "named by"),
        (lambda table: table.remove(1, "a"), "named by"),
    ],
)
def test_what_the_table_cannot_hold_is_refused(table: Any, change: Callable[[Any], None], said: str) -> None:
    with pytest.raises(CimError) as error:
        change(table)
    assert said in str(error.value)


def test_what_is_plain_is_a_column_that_other_tools_can_ask_for(session: SqliteSession) -> None:
    StoredTable(session, KIND, "rows").put(FULL)
    asked = "SELECT price, weight, due, state, paid, parts, note FROM rows WHERE number < 0 AND text = 'x'"
    assert [*session.each(asked)] == [("1.50", 0.1, "2026-01-02", "shut", 1, '[{"count":1,"name":"p"}]', "3")]


def test_a_projection_is_tested_without_a_machine() -> None:
    assert projected(orders, lines, Placed("b"), Placed("a")) == [
        Line("a", 1),
        Line("a", 2),
        Line("b", 1),
        Line("b", 2),
    ]
    with pytest.raises(CimError, match="_done is no projection"):
        projected(orders, _done)

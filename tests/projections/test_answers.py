"""Questions about rows: of one moment, page by page, when they are far enough, within a time."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from cim import Command, Context, Event, Key, Row, Rows, State, Table
from cim.adapters.memory.log import MemoryLog
from cim.adapters.system import SystemClock
from cim.contract import codec
from cim.contract.composition import Composition, compose
from cim.contract.envelope import Commit, Origin
from cim.contract.query import BadQuestion, RowsQuestion
from cim.domain.errors import CimError
from cim.ports.rows import Deadline, RowStore, TooLate
from cim.projections.answers import Answers, NotReached
from cim.projections.projector import ProjectionStopped, Projector
from cim.projections.reading import RowsUnreadable, moment
from cim.testing.asked import asked

shop = Context("shop")


class Sell(Command):
    order: str


class Sold(Event):
    order: str
    customer: str
    number: int
    gift: bool = False
    note: str | None = None


@shop.entity(key="order")
class Order(State):
    def decide(self, command: Sell) -> Iterable[Sold]:
        return []

    def evolve(self, event: Sold) -> "Order":
        return self


class Line(Row):
    customer: Key[str]
    number: Key[int]
    order: str
    gift: bool
    note: str | None
    tags: tuple[str, ...] = ()


class Last(Row):
    customer: Key[str]
    order: str


@shop.projection
def lines(event: Sold, rows: Table[Line]) -> None:
    if event.customer == "Mallory":
        raise ValueError("no customer of ours")
    rows.put(Line(event.customer, event.number, event.order, event.gift, event.note))


@shop.projection
def lasts(event: Sold, rows: Table[Last]) -> None:
    rows.put(Last(event.customer, event.order))


@shop.query
def gifts(customer: str, lines: Rows[Line], lasts: Rows[Last]) -> list[str]:
    """The orders of a customer that are gifts, the last order first."""
    last = lasts.get(customer)
    found = [line.order for line in lines.each(customer, gift=True)]
    return [*([last.order] if last else []), *found]


@shop.query
def pairs(lines: Rows[Line], again: Rows[Line]) -> list[str]:
    """Each line with the next one: one projection, read twice at a time."""
    second = again.each()
    next(second, None)
    return [f"{one.order} {other.order}" for one, other in zip(lines.each(), second, strict=False)]


HANGS = threading.Event()


@shop.query
def endless(lines: Rows[Line], how: str = "rows") -> int:
    count = 0
    while not HANGS.is_set():
        if how == "rows":
            count += len([*lines.each()])
        elif how == "sleeps":
            HANGS.wait(0.01)
    return count


@dataclass
class Shop:
    """A projection over a log in memory, and what answers questions about it."""

    log: MemoryLog
    composition: Composition
    answers: Answers
    rows: RowStore

    async def pass_by(self, number: int) -> int:
        """Store one more event that is of no concern here; its sequence."""
        origin = Origin.root(f"p{number}", "tester")
        subject = f"evt.bank.Account.p{number}"
        await self.log.attempt(Commit(subject, 1, origin, "cim:t", "t", "2026", "cim:0", b"[]"), 0)
        return await self.log.last()

    async def sell(self, customer: str, number: int, **more: Any) -> int:
        """Store one more event; its sequence."""
        event = Sold(f"o{await self.log.last()}", customer, number, **more)
        body, origin = codec.encode([codec.item(event)]), Origin.root(event.order, "tester")
        commit = Commit(
            f"evt.shop.Order.{event.order}", 1, origin, "cim:t", "shop.Order.Committed", "2026", "cim:0", body
        )
        await self.log.attempt(commit, 0)
        return await self.log.last()

    async def ask(self, room: int = 100_000, **question: Any) -> dict[str, Any]:
        kind = self.composition.projection("shop.lines")
        told = await self.answers.rows(kind, RowsQuestion(**question), room)
        found: dict[str, Any] = msgspec.json.decode(codec.json_bytes(told))
        return found

    async def query(self, name: str, **question: Any) -> dict[str, Any]:
        kind = self.composition.query(name)
        told = await self.answers.answer(kind, kind.asked(question))
        found: dict[str, Any] = msgspec.json.decode(codec.json_bytes(told))
        return found


@asynccontextmanager
async def opened(
    store: RowStore, log: MemoryLog, *, fold: bool = True, seconds: float = 5.0
) -> AsyncIterator[Shop]:
    composition, clock = compose([shop]), SystemClock()
    kinds = composition.projections if fold else ()
    projectors = {str(kind): Projector(kind, store, log, clock, lambda _: None) for kind in kinds}
    tasks = [asyncio.create_task(projector.run()) for projector in projectors.values()]
    try:
        answers = Answers(projectors, store, log.last, clock, seconds)
        yield Shop(log, composition, answers, store)
    finally:
        HANGS.set()
        answers.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def open_shop(rows: RowStore) -> AsyncIterator[Shop]:
    HANGS.clear()
    async with opened(rows, MemoryLog()) as made:
        yield made


async def stock(open_shop: Shop) -> int:
    for customer in ("Ada", "Bob", "Cleo"):
        for number in (10, 2, 7):
            last = await open_shop.sell(customer, number, gift=number == 7, note=None if number == 2 else "n")
    return last


def names(answer: dict[str, Any]) -> list[tuple[str, int]]:
    return [(row["customer"], row["number"]) for row in answer["rows"]]


ALL = [(customer, number) for customer in ("Ada", "Bob", "Cleo") for number in (2, 7, 10)]


async def test_what_was_written_is_read_with_how_far_it_is(open_shop: Shop) -> None:
    for number in range(30):
        sequence = await open_shop.sell("Ada", number)
        answer = await open_shop.ask(key=("Ada", number), reached=sequence)
        assert names(answer) == [("Ada", number)]
        told = {name: answer[name] for name in ("sequence", "last", "behind", "stopped", "anew", "after")}
        assert told == {
            "sequence": sequence, "last": sequence, "behind": 0, "stopped": None, "anew": None, "after": None
        }  # fmt: skip


async def test_rows_come_by_key_by_the_first_of_a_key_and_by_columns(open_shop: Shop) -> None:
    last = await stock(open_shop)
    assert names(await open_shop.ask(reached=last)) == ALL
    assert names(await open_shop.ask(key=("Bob",))) == ALL[3:6]
    assert names(await open_shop.ask(key=("Bob", 7))) == [("Bob", 7)]
    assert names(await open_shop.ask(key=("Bo",))) == []
    assert names(await open_shop.ask(where={"gift": True})) == ALL[1::3]
    assert names(await open_shop.ask(where={"note": None, "customer": "Cleo"})) == [("Cleo", 2)]


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 100])
async def test_pages_in_the_order_of_keys_give_every_row_once(open_shop: Shop, limit: int) -> None:
    last = await stock(open_shop)
    found, after = [], None
    while True:
        page = await open_shop.ask(reached=last, limit=limit, after=after and tuple(after))
        assert len(page["rows"]) <= limit
        found += names(page)
        after = page["after"]
        if after is None:
            break
    assert found == ALL


async def test_a_page_ends_where_a_message_is_full(open_shop: Shop) -> None:
    for number in range(40):
        last = await open_shop.sell("Ada", number, note="x" * 100)
    room, found, after, pages = 2048, [], None, 0
    while pages == 0 or after is not None:
        kind, question = (
            open_shop.composition.projection("shop.lines"),
            RowsQuestion(reached=last, after=after),
        )
        told = await open_shop.answers.rows(kind, question, room)
        assert len(codec.json_bytes(told)) <= room
        found += [msgspec.json.decode(row)["number"] for row in told["rows"]]
        after, pages = told["after"] and tuple(told["after"]), pages + 1
    assert found == list(range(40))
    assert pages > 3
    with pytest.raises(CimError, match=r"shop\.lines: one row has \d+ bytes, 1,100 fit in a message"):
        await open_shop.ask(room=1100)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"key": ("Ada", 7, 1)}, "3 values name no row here: its key is customer, number"),
        ({"key": (7,)}, "customer is a text, which 7 is not"),
        ({"key": ("Ada", "7")}, "number is a whole number, which '7' is not"),
        ({"key": ("Ada", 2**63)}, "number is a whole number of 64 bits"),
        ({"after": ("Ada",)}, "1 values name no row here"),
        (
            {"where": {"price": 7}},
            "'price' is no column that rows can be chosen by; there are: customer, n",
        ),
        ({"where": {"tags": "x"}}, "'tags' is no column"),
        ({"where": {"gift": 1}}, "gift is true or false, which 1 is not"),
        ({"where": {"number": True}}, "number is a whole number, which True is not"),
    ],
)
async def test_what_the_table_does_not_have_is_told_by_name(
    open_shop: Shop, question: dict[str, Any], said: str
) -> None:
    last = await stock(open_shop)
    with pytest.raises(BadQuestion) as error:
        await open_shop.ask(reached=last, **question)
    assert said in str(error.value)


async def test_a_declared_query_answers_from_the_rows_of_its_projections(open_shop: Shop) -> None:
    last = await stock(open_shop)
    answer = await open_shop.query("shop.gifts", customer="Bob", reached=last)
    assert (answer["answer"], answer["sequence"], answer["behind"]) == (["o5", "o5"], last, 0)
    assert (await open_shop.query("shop.gifts", customer="Zoe"))["answer"] == []
    events = [Sold("o1", "Bob", 1), Sold("o2", "Bob", 2, gift=True), Sold("o3", "Ada", 3, gift=True)]
    assert asked(shop, gifts, *events, customer="Bob") == ["o2", "o2"]


async def test_a_query_reads_one_projection_twice_at_a_time(open_shop: Shop) -> None:
    last = await stock(open_shop)
    answer = await open_shop.query("shop.pairs", reached=last)
    assert answer["answer"][:3] == ["o1 o2", "o2 o0", "o0 o4"]


async def test_rows_that_do_not_get_there_are_told_with_how_far_they_are(open_shop: Shop) -> None:
    last = await stock(open_shop)
    said = f"shop.lines is at {last} and not at {last + 1}, the log ends at {last}: not within 0.05 s"
    with pytest.raises(NotReached) as error:
        await open_shop.ask(reached=last + 1, patience=0.05)
    assert str(error.value) == said
    stopped = await open_shop.sell("Mallory", 1)
    with pytest.raises(ProjectionStopped, match=f"stopped at {last} and does not reach {stopped}"):
        await open_shop.ask(reached=stopped)
    with pytest.raises(ProjectionStopped):
        await open_shop.query("shop.gifts", customer="Bob", reached=stopped)
    answer = await open_shop.ask()
    assert (answer["sequence"], answer["behind"], len(answer["rows"])) == (last, 1, 9)
    assert "no customer of ours" in answer["stopped"]


async def test_what_concerns_no_row_is_held_by_them_all_the_same(open_shop: Shop) -> None:
    """Whoever has a receipt of another entity's command reads on: the rows are as far, nothing is written."""
    last = await stock(open_shop)
    await open_shop.ask(reached=last)
    for number in range(20):
        sequence = await open_shop.pass_by(number)
        told = await open_shop.ask(reached=sequence)
        assert (told["sequence"], told["last"], told["behind"], names(told)) == (sequence, sequence, 0, ALL)
        assert (await open_shop.query("shop.gifts", customer="Bob", reached=sequence))["sequence"] == sequence
    async with opened(open_shop.rows, open_shop.log, fold=False) as other:
        assert names(await other.ask(reached=sequence)) == ALL


async def test_a_wait_ends_when_the_rows_get_there(open_shop: Shop) -> None:
    waiting = asyncio.create_task(open_shop.ask(reached=3))
    for number in (1, 2, 3):
        assert not waiting.done()
        await open_shop.sell("Ada", number)
    assert names(await waiting) == [("Ada", 1), ("Ada", 2), ("Ada", 3)]


async def test_rows_that_another_process_folds_are_waited_for(open_shop: Shop, rows: RowStore) -> None:
    async with opened(rows, open_shop.log, fold=False) as other:
        waiting = asyncio.create_task(other.query("shop.gifts", customer="Ada", reached=1))
        await open_shop.sell("Ada", 7, gift=True)
        assert (await waiting)["answer"] == ["o0", "o0"]
        with pytest.raises(NotReached, match=r"is at 1 and not at 2, the log ends at 1: not within 0\.1 s"):
            await other.ask(reached=2, patience=0.1)


async def test_before_anything_is_folded_there_are_no_rows(rows: RowStore) -> None:
    async with opened(rows, MemoryLog(), fold=False) as made:
        await made.sell("Ada", 1)
        answer = await made.ask()
        assert (answer["rows"], answer["sequence"], answer["behind"]) == ([], 0, 1)


async def test_rows_of_other_code_answer_no_declared_query(open_shop: Shop, rows: RowStore) -> None:
    await stock(open_shop)
    other = Context("shop")
    other.entities = shop.entities

    def lines(event: Sold, rows: Table[Line]) -> None:
        rows.put(Line(event.customer, event.number, "other code", event.gift, None))

    def gifts(lines: Rows[Line]) -> list[Line]:
        return [*lines.each()]

    other.projection(lines)
    other.query(gifts)
    composition = compose([other])
    await open_shop.ask(reached=9)
    answers = Answers({}, rows, open_shop.log.last, SystemClock(), 5.0)
    kind = composition.query("shop.gifts")
    with pytest.raises(RowsUnreadable, match=r"shop\.lines: its rows are not folded by this code"):
        await answers.answer(kind, kind.asked({}))


@pytest.mark.parametrize("how", ["rows", "sleeps"])
async def test_a_slow_query_ends_and_holds_up_no_other_and_no_fold(rows: RowStore, how: str) -> None:
    HANGS.clear()
    async with opened(rows, MemoryLog(), seconds=0.6) as made:
        await stock(made)
        slow = [asyncio.create_task(made.query("shop.endless", how=how)) for _ in range(3)]
        for number in range(20, 30):
            sequence = await made.sell("Ada", number)
            assert names(await made.ask(key=("Ada", number), reached=sequence)) == [("Ada", number)]
        for one in slow:
            with pytest.raises(TooLate, match=r"shop\.endless was not answered in 0\.6 s: ask for less, or"):
                await one


async def test_a_statement_that_takes_long_is_cut_off(open_shop: Shop, rows: RowStore) -> None:
    """The store itself stops: no row need come for that."""
    last = await stock(open_shop)
    await open_shop.ask(reached=last)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    def read() -> None:
        with moment(rows.place("shop.lines"), Deadline(time.monotonic() + 0.1)) as found:
            assert found.session is not None
            found.session.first(endless)

    with pytest.raises(TooLate):
        read()


async def test_more_questions_than_turns_wait_and_are_told(rows: RowStore) -> None:
    HANGS.clear()
    async with opened(rows, MemoryLog(), seconds=0.3) as made:
        await stock(made)
        slow = [asyncio.create_task(made.query("shop.endless", how="sleeps")) for _ in range(8)]
        for one in slow:
            with pytest.raises(TooLate):
                await one
        with pytest.raises(TooLate, match=r"8 queries were at work for 0\.3 s: ask again later"):
            await made.ask()
        HANGS.set()  # their code ends, and their turns are free
        assert len((await made.ask())["rows"]) == 9

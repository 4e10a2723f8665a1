"""One projection kept up to date: exactly once, anew where it must, and stopped by name where it cannot."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cim import Command, Context, Event, Key, Row, State, Table
from cim.adapters.memory.log import MemoryLog
from cim.adapters.sqlite.rows import SqlitePlace, SqliteRows
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.projection import ProjectionType
from cim.log.release import release
from cim.ports.rows import Place, RowStore
from cim.projections.database import Database
from cim.projections.folding import Folding
from cim.projections.projector import ProjectionStopped, Projector
from cim.projections.reading import RowsUnreadable, Standing, read_rows, standing
from cim.testing.clock import HandClock


class Lend(Command):
    book: str


class Lent(Event):
    book: str
    reader: str


class Returned(Event):
    book: str


class Borrower(Row):
    reader: Key[str]
    loans: int


class Loan(Row):
    book: Key[str]
    reader: str
    times: int = 1


library = Context("library")


@library.entity(key="book")
class Book(State):
    def decide(self, command: Lend) -> Iterable[Lent | Returned]:
        return []

    def evolve(self, event: Lent | Returned) -> "Book":
        return self


def borrowers(event: Lent, rows: Table[Borrower]) -> None:
    if event.reader == "Mallory":
        raise ZeroDivisionError("nobody lends to Mallory")
    before = rows.get(event.reader)
    rows.put(Borrower(event.reader, 1 + (before.loans if before else 0)))


def loans(event: Lent | Returned, rows: Table[Loan]) -> None:
    if isinstance(event, Lent):
        rows.put(Loan(event.book, event.reader))
    else:
        rows.remove(event.book)


def kind_of(function: Callable[..., Any]) -> ProjectionType:
    context = Context("library")
    context.entities = library.entities
    context.projection(function)
    return compose([context]).projections[0]


def otherwise() -> ProjectionType:
    """The projection of borrowers as its code was changed."""

    class Reader(Row):
        reader: Key[str]
        books: tuple[str, ...]

    def borrowers(event: Lent, rows: Table[Any]) -> None:
        before = rows.get(event.reader)
        rows.put(Reader(event.reader, (*(before.books if before else ()), event.book)))

    borrowers.__annotations__["rows"] = Table[Reader]
    return kind_of(borrowers)


def commit(*events: Lent | Returned, id: str = "") -> Commit:
    book = events[0].book
    body = codec.encode([codec.item(event) for event in events])
    origin = Origin.root(id or f"{book}-{events}".encode().hex()[:120], "tester")
    return Commit(
        f"evt.library.Book.{book}",
        1,
        origin,
        "cim:test",
        "library.Book.Committed",
        "2026-01-02",
        "cim:0",
        body,
    )


async def store(log: MemoryLog, *commits: Commit) -> None:
    for one in commits:
        last = [stored.sequence async for stored in log.read(one.subject)]
        await log.attempt(one, last[-1] if last else 0)


class Folder:
    """Where projectors of a test have their rows, and what they told."""

    def __init__(self, store: RowStore) -> None:
        self.store, self.told = store, list[str]()

    @asynccontextmanager
    async def folding(self, log: MemoryLog, *kinds: ProjectionType) -> AsyncIterator[list[Projector]]:
        projectors = [
            Projector(kind, self.store, log, HandClock(jumps=True), self.told.append) for kind in kinds
        ]
        tasks = [asyncio.create_task(projector.run()) for projector in projectors]
        try:
            async with asyncio.timeout(20):
                yield projectors
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                assert ended is None or isinstance(ended, asyncio.CancelledError), ended

    async def fold(self, log: MemoryLog, kind: ProjectionType) -> list[dict[str, Any]]:
        async with self.folding(log, kind) as (projector,):
            await projector.settled(await log.last())
        assert projector.stopped is None, projector.stopped
        return self.rows(kind)

    def place(self, kind: ProjectionType) -> Place:
        return self.store.place(str(kind))

    def rows(self, kind: ProjectionType) -> list[dict[str, Any]]:
        return read_rows(self.place(kind))[1]


@pytest.fixture
def folder(rows: RowStore) -> Folder:
    return Folder(rows)


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(SqliteRows(tmp_path))


def file(folder: Folder, kind: ProjectionType) -> Path:
    place = folder.place(kind)
    assert isinstance(place, SqlitePlace)
    return place.path


async def test_events_become_rows_in_the_order_of_the_log(folder: Folder) -> None:
    log, kind = MemoryLog(), kind_of(loans)
    await store(log, commit(Lent("b1", "Ada"), Returned("b1"), Lent("b1", "Bob")), commit(Lent("b2", "Ada")))
    await store(log, commit(Returned("b2")))
    assert await folder.fold(log, kind) == [{"book": "b1", "reader": "Bob", "times": 1}]
    assert standing(folder.place(kind)).sequence == 3


async def test_what_was_written_is_read_once_its_sequence_is_reached(folder: Folder) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    async with folder.folding(log, kind) as (projector,):
        for number in range(1, 20):
            await store(log, commit(Lent(f"b{number}", "Ada")))
            await projector.reached(number)
            assert folder.rows(kind) == [{"reader": "Ada", "loans": number}]


async def test_a_projection_that_starts_again_goes_on_where_it_was(folder: Folder) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    for number in range(5):
        await store(log, commit(Lent(f"b{number}", "Ada")))
        assert await folder.fold(log, kind) == [{"reader": "Ada", "loans": number + 1}]


async def test_two_processes_on_one_file_fold_each_event_once(folder: Folder) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    async with folder.folding(log, kind, kind) as projectors:
        for number in range(1, 200):
            await store(log, commit(Lent(f"b{number}", "Ada")))
        for projector in projectors:
            await projector.reached(199)
    assert folder.rows(kind) == [{"reader": "Ada", "loans": 199}]


async def test_an_event_that_cannot_be_folded_stops_that_projection_by_name_and_no_other(
    folder: Folder,
) -> None:
    log, kind, other = MemoryLog(), kind_of(borrowers), kind_of(loans)
    await store(log, commit(Lent("b1", "Ada")), commit(Lent("b2", "Ada"), Lent("b2", "Mallory")))
    await store(log, commit(Lent("b3", "Ada")))
    async with folder.folding(log, kind, other) as (stopped, going):
        await going.reached(3)
        with pytest.raises(ProjectionStopped, match=r"library\.borrowers stopped at 1 and does not reach 3"):
            await stopped.reached(3)
    reason = "sequence 2 (evt.library.Book.b2): ZeroDivisionError: nobody lends to Mallory"
    assert folder.told == [f"projection library.borrowers stopped: {reason}"]
    assert (standing(folder.place(kind)).sequence, standing(folder.place(kind)).stopped) == (1, reason)
    # What the same commit had folded before the error is not in the rows, what came before it is.
    assert folder.rows(kind) == [{"reader": "Ada", "loans": 1}]


async def test_a_release_of_the_commit_frees_the_projection(folder: Folder) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    await store(log, commit(Lent("b1", "Mallory")), commit(Lent("b2", "Ada")))
    async with folder.folding(log, kind) as (projector,):
        with pytest.raises(ProjectionStopped):
            await projector.reached(2)
        origin = Origin.root("r1", "person:eve")
        await release(log, HandClock(), "cim:test", origin, "evt.library.Book.b1", 1, "not our reader")
        while projector.sequence < 3:  # noqa: ASYNC110 - reached() would say that it stands still yet
            await asyncio.sleep(0)
    found, rows = read_rows(folder.place(kind))
    assert (found.sequence, found.stopped, rows) == (3, None, [{"reader": "Ada", "loans": 1}])
    assert await folder.fold(log, otherwise()) == [
        {"reader": "Ada", "books": ["b2"]},
        {"reader": "Mallory", "books": ["b1"]},
    ], "code that can fold it does, also after the release"


async def test_changed_code_folds_anew_beside_the_rows_that_are_read(folder: Folder) -> None:
    log, kind, newer = MemoryLog(), kind_of(borrowers), otherwise()
    await store(log, commit(Lent("b1", "Ada")), commit(Lent("b2", "Ada")))
    before = await folder.fold(log, kind)
    database = Database.open(folder.place(newer), newer)
    database.take([one async for one in log.read(">")][:1])
    found, rows = read_rows(folder.place(kind))
    assert (found.sequence, found.anew, rows) == (2, 1, before)
    database.close()  # as a crash would: the next process goes on with what was folded anew
    assert await folder.fold(log, newer) == [{"reader": "Ada", "books": ["b1", "b2"]}]
    assert standing(folder.place(newer)).anew is None


async def test_newer_code_that_stops_leaves_the_old_rows(folder: Folder) -> None:
    log, kind = MemoryLog(), otherwise()
    await store(log, commit(Lent("b1", "Mallory")))
    before = await folder.fold(log, kind)
    newer = kind_of(borrowers)
    async with folder.folding(log, newer) as (projector,):
        with pytest.raises(ProjectionStopped):
            await projector.reached(2)
    found, rows = read_rows(folder.place(newer))
    assert (found.sequence, found.anew, rows) == (1, 0, before)
    assert found.stopped is not None


async def test_rows_of_another_log_are_folded_anew(folder: Folder) -> None:
    log, other, kind = MemoryLog(), MemoryLog(), kind_of(borrowers)
    await store(log, commit(Lent("b1", "Ada")))
    await folder.fold(log, kind)
    await store(other, commit(Lent("b9", "Bob")), commit(Lent("b8", "Bob")))
    assert await folder.fold(other, kind) == [{"reader": "Bob", "loans": 2}]
    assert folder.told == [
        "library.borrowers: its rows are of another log than this one: they are folded anew"
    ]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
async def test_a_file_that_is_ruined_or_gone_is_made_anew(files: Folder, content: bytes) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    await store(log, commit(Lent("b1", "Ada")))
    await files.fold(log, kind)
    file(files, kind).write_bytes(content)
    assert await files.fold(log, kind) == [{"reader": "Ada", "loans": 1}]


async def test_what_is_no_event_of_an_entity_is_passed_over(folder: Folder) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    await log.intrude("evt.library.Book.b1", {"x": "y"}, b"not ours")
    await log.intrude("evt.library", {}, b"")
    await store(log, commit(Returned("b2")), commit(Lent("b3", "Ada")))
    assert await folder.fold(log, kind) == [{"reader": "Ada", "loans": 1}]


def nothing_of_theirs(number: int) -> Commit:
    """A commit of an entity whose events no projection here folds."""
    return replace(commit(Lent(f"m{number}", "Ada")), subject=f"evt.archive.Map.m{number}")


async def test_what_concerns_no_row_is_not_written_at_once_and_how_far_they_are_is_known(
    folder: Folder,
) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    await store(log, commit(Lent("b1", "Ada")), nothing_of_theirs(1), nothing_of_theirs(2))
    all_of_it = [one async for one in log.read(">")]
    with ThreadPoolExecutor(1) as thread:
        database = await asyncio.wrap_future(thread.submit(Database.open, folder.place(kind), kind))
        folding = Folding(database, kind, thread)
        await folding.take(all_of_it[:1])
        await folding.take(all_of_it[1:2])
        assert (folding.shown, standing(folder.place(kind)).sequence) == (2, 1)
        assert folding.reach.of(kind.version, 1) == 2
        assert folding.reach.of(kind.version, 0) == 0, "somebody folds them anew"
        assert folding.reach.of("other code", 1) == 1
        assert folding.behind.is_set()
        await folding.mark()
        assert not folding.behind.is_set()
        assert standing(folder.place(kind)).sequence == 2
        await folding.take(all_of_it[2:])
        folding.close()
    assert standing(folder.place(kind)).sequence == 3, "it is written down at the end"
    assert folder.rows(kind) == [{"reader": "Ada", "loans": 1}]


async def test_how_far_they_are_is_written_down_a_moment_later(folder: Folder) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    async with folder.folding(log, kind) as (projector,):
        for number in range(1, 5):
            await store(log, nothing_of_theirs(number))
            await projector.reached(number)
            while standing(folder.place(kind)).sequence < number:  # noqa: ASYNC110 - as others see it
                await asyncio.sleep(0.001)


async def test_rows_that_were_folded_anew_are_as_far_as_the_ones_that_they_replace(folder: Folder) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    await store(log, commit(Lent("b1", "Ada")), *map(nothing_of_theirs, range(5)))
    await folder.fold(log, kind)
    newer = otherwise()
    with ThreadPoolExecutor(1) as thread:
        database = await asyncio.wrap_future(thread.submit(Database.open, folder.place(newer), newer))
        folding = Folding(database, newer, thread)
        for one in [one async for one in log.read(">")]:
            await folding.take([one])
            assert folding.shown == standing(folder.place(kind)).sequence == 6
            assert folding.reach.of(newer.version, 1) == 1, "those that are shown are of older code"
        await folding.take([])
        assert (folding.shown, folding.anew, standing(folder.place(newer)).sequence) == (6, False, 6)
        folding.close()
    assert folder.rows(newer) == [{"reader": "Ada", "books": ["b1"]}]


def test_a_file_that_was_only_just_made_has_no_rows_yet(files: Folder) -> None:
    kind = kind_of(borrowers)
    assert read_rows(files.place(kind)) == (Standing(0, None), [])
    file(files, kind).touch()
    assert read_rows(files.place(kind)) == (Standing(0, None), [])
    Database.open(files.place(kind), kind).close()
    assert read_rows(files.place(kind)) == (Standing(0, None), [])
    file(files, kind).write_bytes(b"no database at all" * 100)
    with pytest.raises(RowsUnreadable, match="remove it"):
        read_rows(files.place(kind))


def test_the_version_follows_code_rows_and_what_the_code_calls() -> None:
    assert kind_of(borrowers).version == kind_of(borrowers).version
    assert len({kind_of(borrowers).version, otherwise().version, kind_of(loans).version}) == 3

"""What PostgreSQL alone can do to rows: crash beside us, be somebody else's, or be of another kind."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from cim.adapters.memory.log import MemoryLog
from cim.adapters.postgres.rows import PostgresRows
from cim.adapters.system import SystemClock
from cim.domain.errors import Misdeclared
from cim.ports.rows import Deadline, Layout, RowsFailed, Table
from cim.projections.database import Database, Unfoldable
from cim.projections.projector import Projector
from cim.projections.reading import RowsUnreadable, read_rows, standing
from cim.testing.postgres_server import postgres_server

from .test_projector import Lent, borrowers, commit, kind_of, otherwise, store

LAYOUT = Layout(1, (Table("cim_checkpoint", (("rows", "TEXT"), ("sequence", "INTEGER")), ("rows",)),))


async def test_rows_go_on_after_the_server_crashed(postgres_bin: Path) -> None:
    log, kind, told = MemoryLog(), kind_of(borrowers), list[str]()
    with postgres_server(postgres_bin) as server:
        rows = PostgresRows(server.url, "desk")
        projector = Projector(kind, rows, log, SystemClock(), told.append)
        task = asyncio.create_task(projector.run())
        try:
            for number in range(1, 40):
                await store(log, commit(Lent(f"b{number}", "Ada")))
                if number % 10 == 0:
                    await asyncio.to_thread(server.kill)
                    with pytest.raises(
                        RowsUnreadable, match=r"desk\.library\.borrowers of PostgreSQL cannot"
                    ):
                        read_rows(rows.place(str(kind)))
                    await asyncio.to_thread(server.start)
                async with asyncio.timeout(20):
                    await projector.reached(number)
            assert read_rows(rows.place(str(kind)))[1] == [{"reader": "Ada", "loans": 39}]
        finally:
            task.cancel()
            await asyncio.wait([task])
    assert told, "it told that it could not go on"
    assert all("trying again" in one for one in told)


async def test_a_place_that_somebody_took_apart_is_made_anew(postgres: PostgresRows) -> None:
    log, kind = MemoryLog(), kind_of(borrowers)
    await store(log, commit(Lent("b1", "Ada")))
    projector = Projector(kind, postgres, log, SystemClock(), lambda _: None)
    task = asyncio.create_task(projector.run())
    try:
        async with asyncio.timeout(20):
            await projector.reached(1)
            with psycopg.connect(postgres.url) as connection:
                connection.execute(f'DROP TABLE "{postgres.machine}.library.borrowers".rows')
            await store(log, commit(Lent("b2", "Ada")))
            await projector.reached(2)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert read_rows(postgres.place(str(kind)))[1] == [{"reader": "Ada", "loans": 2}]


async def test_a_reader_sees_one_moment_while_rows_folded_anew_take_their_place(
    postgres: PostgresRows,
) -> None:
    log, kind, newer = MemoryLog(), kind_of(borrowers), otherwise()
    await store(log, commit(Lent("b1", "Ada")))

    async def fold(one: Projector) -> None:
        task = asyncio.create_task(one.run())
        try:
            async with asyncio.timeout(20):
                await one.settled(1)
        finally:
            task.cancel()
            await asyncio.wait([task])

    await fold(Projector(kind, postgres, log, SystemClock(), lambda _: None))
    with postgres.place(str(kind)).look(Deadline()) as session:
        assert session is not None
        folding = asyncio.create_task(fold(Projector(newer, postgres, log, SystemClock(), lambda _: None)))
        done, _ = await asyncio.wait([folding], timeout=0.5)
        assert not done, "it waits for the reader"
        assert session.first("SELECT reader, loans FROM rows") == ("Ada", 1)
    await folding
    assert read_rows(postgres.place(str(kind)))[1] == [{"reader": "Ada", "books": ["b1"]}]


def test_machines_in_one_database_are_kept_apart(postgres: PostgresRows) -> None:
    other = PostgresRows(postgres.url, f"{postgres.machine}.x")
    for made in (postgres, other):
        made.place("shop.lines").open(LAYOUT, wiping=False).close()
    postgres.place("shop.totals").open(LAYOUT, wiping=False).close()
    assert (postgres.names(), other.names()) == (["shop.lines", "shop.totals"], ["shop.lines"])
    postgres.place("shop.lines").discard()
    assert (postgres.names(), other.names()) == (["shop.totals"], ["shop.lines"])
    assert standing(postgres.place("shop.lines")).sequence == 0


def test_a_place_of_another_layout_is_made_anew(postgres: PostgresRows) -> None:
    place = postgres.place("shop.lines")
    session = place.open(LAYOUT, wiping=False)
    session.run("INSERT INTO cim_checkpoint VALUES (?, ?)", ("rows", 7))
    session.close()
    for number, kept in ((1, ("rows", 7)), (2, None)):
        session = place.open(Layout(number, LAYOUT.tables), wiping=False)
        assert session.first("SELECT rows, sequence FROM cim_checkpoint") == kept
        session.close()


def test_somebody_else_s_schema_is_never_touched(postgres: PostgresRows) -> None:
    place = postgres.place("shop.lines")
    with psycopg.connect(postgres.url) as connection:
        connection.execute(f'CREATE SCHEMA "{place.schema}" CREATE TABLE rows (precious text)')
    with pytest.raises(Misdeclared, match="is somebody else's"):
        place.open(LAYOUT, wiping=False)
    place.discard()
    with psycopg.connect(postgres.url) as connection:
        connection.execute(f'SELECT precious FROM "{place.schema}".rows')


def test_names_that_would_be_cut_off_are_refused(postgres: PostgresRows) -> None:
    with pytest.raises(Misdeclared, match="names a schema"):
        postgres.place(f"shop.{'x' * 64}").open(LAYOUT, wiping=False)


def test_a_database_of_another_encoding_is_refused(postgres: PostgresRows, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        )
    other = PostgresRows(database.replace("/postgres?", "/latin?"), "desk")
    with pytest.raises(Misdeclared, match="has the encoding LATIN1: make one with UTF8"):
        other.place("shop.lines").open(LAYOUT, wiping=False)


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RowsFailed, match=r"schema desk\.shop\.lines of PostgreSQL: connection"):
        PostgresRows(f"postgresql://nobody@/none?host={tmp_path}", "desk").place("shop.lines").open(
            LAYOUT, wiping=False
        )


async def test_a_row_that_the_database_refuses_stops_at_its_own_event(postgres: PostgresRows) -> None:
    """Rows are written at the end of a batch; whose row it was is told all the same."""
    log, kind = MemoryLog(), kind_of(borrowers)
    await store(log, *(commit(Lent(f"b{n}", reader)) for n, reader in enumerate(("Ada", "A\0da", "Bob"))))
    place = postgres.place(str(kind))
    database = Database.open(place, kind)
    try:
        with pytest.raises(Unfoldable, match=r"sequence 2 \(evt.library.Book.b1\): ValueError: PostgreSQL"):
            database.take([one async for one in log.read(">")])
        assert database.checkpoint.sequence == 1
        assert "code 0" in (database.checkpoint.stopped or "")
    finally:
        database.close()
    assert read_rows(place)[1] == [{"reader": "Ada", "loans": 1}]

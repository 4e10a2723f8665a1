"""Kills a process before each statement that it gives its store, one by one; prints what is wrong then.

Run as ``python crash_points.py STORE``. Every process folds the same four commits in two batches, first
into rows, then anew by other code beside them. The next one goes on from whatever was left.
"""

import asyncio
import itertools
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import shop  # type: ignore[import-not-found]  # beside this file

from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.contract.projection import ProjectionType
from cim.ports.rows import Place
from cim.projections.database import Database
from cim.projections.reading import read_rows


def customers(event: shop.Ordered, rows: shop.Table[shop.Total]) -> None:
    before = rows.get("all") or shop.Total("all", 0, 0)
    rows.put(shop.Total("all", before.orders + 1, before.amount + event.amount))


def kind_of(function: Callable[..., Any]) -> ProjectionType:
    context = shop.Context("shop")
    context.entities = shop.shop.entities
    context.projection(function)
    return compose([context]).projections[0]


async def commits() -> list[Commit]:
    return [one async for one in (await shop.history(4, seed=1)).read(">")]


def fold(place: Place, kind: ProjectionType, log: list[Commit]) -> None:
    database = Database.open(place, kind)
    database.take(log[:2])
    database.take(log[2:])
    database.switch()
    database.close()


def killed_before(statement: int, work: Callable[[], None]) -> bool:
    """Whether a child that does the work gave as many statements, and was killed before that one."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    left = itertools.count(1)

    def step() -> None:
        if next(left) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    _trace_sqlite(step)
    _trace_postgres(step)
    work()
    os._exit(0)


def _trace_sqlite(step: Callable[[], None]) -> None:
    connect = sqlite3.connect

    def traced(*given: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given, **named)
        connection.set_trace_callback(lambda _: step())
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]


def _trace_postgres(step: Callable[[], None]) -> None:
    wait = psycopg.Connection.wait

    def traced(connection: Any, *given: Any, **named: Any) -> Any:
        step()
        return wait(connection, *given, **named)

    psycopg.Connection.wait = traced  # type: ignore[method-assign, assignment]


def main(store: shop.RowStore) -> None:
    log, first, other = asyncio.run(commits()), kind_of(shop.totals), kind_of(customers)
    wanted = {}
    for kind in (first, other):
        fold(store.place(str(kind)), kind, log)
        wanted[kind.name] = read_rows(store.place(str(kind)))[1]
    for before, kind in ((None, first), (first, other)):
        for statement in itertools.count(1):
            place = store.place(f"shop.{kind.name}_{statement}_{before is None}")
            if before is not None:
                fold(place, before, log)
            killed = killed_before(statement, lambda: fold(place, kind, log))  # noqa: B023
            shown = read_rows(place)[1]  # what is left can be read, whole
            fold(place, kind, log)
            rows = read_rows(place)[1]
            if rows != wanted[kind.name] or (before is not None and shown not in wanted.values()):
                print(f"{kind.name} killed before statement {statement}: {shown} became {rows}")
            if not killed:
                print(f"{kind.name}: {statement - 1} places")
                break


if __name__ == "__main__":
    main(shop.store_at(sys.argv[1]))

"""Projections: replay through an empty one, rows in SQLite by ours and by the rival, each event once."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from eventsourcing.persistence import Tracking
from eventsourcing.sqlite import SQLiteDatastore, SQLiteTrackingRecorder

from cim import Key, Row, Table
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.contract.projection import ProjectionType, read_projection
from cim.ports.log import Log
from cim.ports.rows import RowStore
from cim.projections.projector import Projector
from costs import Cost, metered
from log_orders import Added, LeanAdded, LeanOrders, Placed, orders
from log_sides import replay


class Total(Row):
    """How many articles an order has."""

    order: Key[str]
    articles: int


def totals(event: Added, rows: Table[Total]) -> None:
    """Add up the articles."""
    before = rows.get(event.order)
    rows.put(Total(event.order, event.quantity + (before.articles if before else 0)))


def nothing(event: Placed | Added, rows: Table[Total]) -> None:
    """Take the event and leave it at that."""


def kind_of(function: Callable[..., Any]) -> ProjectionType:
    """A projection of the orders."""
    return read_projection("orders", function, compose([orders]).entities.values())


async def through_nothing(log: Log, count: int) -> Cost:
    """A replay through an empty projection: each event decoded and handed to its function."""
    kind = kind_of(nothing)
    rows: Any = None

    def folded(commit: Commit) -> int:
        events = list(kind.events(commit))
        for event in events:
            kind.fold(event, rows)
        return len(events)

    return await replay(log, count, folded)


async def into_rows(log: Log, store: RowStore, count: int) -> Cost:
    """The projection of a leaf, from an empty place until it holds all; whatever it tells is an error."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    projector = Projector(kind_of(totals), store, log, SystemClock(), told.set_result)
    with metered(count) as meter:
        running = asyncio.create_task(projector.run())
        reached = asyncio.ensure_future(projector.reached(count))
        both: list[asyncio.Future[Any]] = [reached, told]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in (running, reached):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert not told.done(), told.result()
    return meter.cost


class TheirTotals(SQLiteTrackingRecorder):
    """The rival's way: a row and the place of the event in one transaction an event."""

    def construct_create_table_statements(self) -> list[str]:
        mine = "CREATE TABLE IF NOT EXISTS totals (order_id TEXT PRIMARY KEY, articles INTEGER) WITHOUT ROWID"
        return [*super().construct_create_table_statements(), mine]

    def add(self, tracking: Tracking, order: str, quantity: int) -> None:
        """One event's effect, once."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO totals VALUES (?, ?) ON CONFLICT (order_id)"
                " DO UPDATE SET articles = articles + excluded.articles",
                (order, quantity),
            )


def their_rows(folder: Path, count: int) -> Cost:
    """The rival's projection on disk, in its msgspec style."""
    application = LeanOrders(env={"PERSISTENCE_MODULE": "eventsourcing.popo"})
    order = application.place()
    application.add_many(order, count)
    recorder = TheirTotals(SQLiteDatastore(str(folder / "totals.sqlite")))
    recorder.create_table()
    found = application.recorder.select_notifications(2, count)
    with metered(len(found)) as meter:
        for notification in found:
            event = cast("LeanAdded", application.mapper.to_domain_event(notification))
            recorder.add(Tracking("orders", int(notification.id)), str(event.originator_id), event.quantity)
    application.close()
    return meter.cost

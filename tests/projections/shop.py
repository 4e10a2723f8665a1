"""Folds a log that is the same in every run into rows, until it is killed; says each batch that is folded.

Run as ``python shop.py STORE EVENTS SEED``; STORE is a folder, or ``MACHINE@URL`` for a database. What it
folds counts: an event that is folded twice, or lost, shows in the rows.
"""

import asyncio
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cim import Command, Context, Event, Key, Row, State, Table
from cim.adapters.memory.log import MemoryLog
from cim.adapters.postgres.rows import PostgresRows
from cim.adapters.sqlite.rows import SqliteRows
from cim.adapters.system import SystemClock
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.ports.rows import RowStore
from cim.projections.projector import Projector

shop = Context("shop")


class Order(Command):
    order: str


class Ordered(Event):
    order: str
    customer: str
    amount: int


class Left(Event):
    order: str
    customer: str


@shop.entity(key="order")
class Cart(State):
    def decide(self, command: Order) -> Iterable[Ordered | Left]:
        return []

    def evolve(self, event: Ordered | Left) -> "Cart":
        return self


class Total(Row):
    customer: Key[str]
    orders: int
    amount: int


@shop.projection
def totals(event: Ordered | Left, rows: Table[Total]) -> None:
    match event:
        case Ordered(_, customer, amount):
            before = rows.get(customer) or Total(customer, 0, 0)
            rows.put(Total(customer, before.orders + 1, before.amount + amount))
        case Left(_, customer):
            rows.remove(customer)


def events(count: int, seed: int) -> Iterator[Ordered | Left]:
    chance = random.Random(seed)
    for number in range(count):
        customer = f"c{chance.randrange(20)}"
        if chance.random() < 0.02:
            yield Left(f"o{number}", customer)
        else:
            yield Ordered(f"o{number}", customer, chance.randrange(100))


async def history(count: int, seed: int) -> MemoryLog:
    log = MemoryLog()
    for number, event in enumerate(events(count, seed)):
        origin = Origin.root(f"id{number}", "tester")
        subject, body = f"evt.shop.Cart.{event.order}", codec.encode([codec.item(event)])
        await log.attempt(
            Commit(subject, 1, origin, "cim:t", "shop.Cart.Committed", "2026-01-02", "cim:0", body), 0
        )
    return log


def store_at(place: str) -> RowStore:
    """Rows in a folder's files, or in a database."""
    machine, _, url = place.partition("@")
    return PostgresRows(url, machine) if "://" in url else SqliteRows(Path(place))


async def main(place: str, count: int, seed: int) -> None:
    log = await history(count, seed)
    projector = Projector(compose([shop]).projections[0], store_at(place), log, SystemClock(), print)
    running = asyncio.create_task(projector.run())
    print("begins", flush=True)
    reached = 0
    while reached < count:
        await projector.reached(reached + 1)
        reached = projector.sequence
        print(reached, flush=True)
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

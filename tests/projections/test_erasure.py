"""Rows of people: sealed where they are marked, and folded anew after an erasure."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cim import ERASED, Context, Key, Row, Table
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.adapters.sqlite.rows import SqliteRows
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.projection import ProjectionType
from cim.contract.subjects import Ref
from cim.log.append import append
from cim.log.chain import Head
from cim.log.erasure import erase
from cim.log.sealing import Sealing
from cim.projections.projector import Projector
from cim.projections.reading import read_rows
from cim.testing.clock import HandClock
from cim.testing.people import Placed, Registered, shop

ADA = Ref("shop", "Customer", "ada")
phone_book = Context("phone_book")


class Line(Row):
    """A row whose author forgot the mark."""

    customer: Key[str]
    name: str


@phone_book.projection
def lines(event: Registered, rows: Table[Line]) -> None:
    if event.name.startswith("Nemo"):
        raise ValueError(f"{event.name} is nobody")  # a module's mistake
    rows.put(Line(event.customer, event.name))


LABELS, LINES = compose([shop, phone_book]).projections


@dataclass
class Shop:
    """A log, and the file of one projection that follows it."""

    folder: Path
    kind: ProjectionType
    log: MemoryLog = field(default_factory=MemoryLog)
    keys: MemoryKeys = field(default_factory=MemoryKeys)
    told: list[str] = field(default_factory=list)

    async def write(self, ref: Ref, record: Registered | Placed) -> None:
        origin, time = Origin.root(f"c{await self.log.last()}", "person:clerk"), "2024-05-06T07:08:09.000000Z"
        body = Sealing(self.keys).write(ref.events, [record])
        commit = Commit(ref.events, 0, origin, "cim:shop", "shop.Some.Committed", time, "cim:0", body)
        await append(self.log, HandClock(), commit, Head())

    async def erase(self, person: Ref) -> None:
        origin = Origin.root(f"e{await self.log.last()}", "person:clerk")
        await erase(self.log, HandClock(), "cim:shop", origin, person, "asked")
        self.keys.destroy(f"shop.Customer.{person.id}")

    @asynccontextmanager
    async def following(self) -> AsyncIterator[Projector]:
        sealing, clock = Sealing(self.keys), HandClock(jumps=True)
        projector = Projector(self.kind, SqliteRows(self.folder), self.log, clock, self.told.append, sealing)
        task = asyncio.create_task(projector.run())
        try:
            yield projector
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def settled(self, projector: Projector) -> list[dict[str, Any]]:
        await asyncio.wait_for(projector.settled(await self.log.last()), 20)
        return self.rows()

    def rows(self) -> list[dict[str, Any]]:
        return read_rows(SqliteRows(self.folder).place(str(self.kind)), sealing=Sealing(self.keys))[1]

    def bytes(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.iterdir())


async def test_a_marked_row_is_sealed_and_reads_as_erased_at_once(tmp_path: Path) -> None:
    made = Shop(tmp_path, LABELS)
    await made.write(Ref("shop", "Order", "o1"), Placed("o1", "ada", "12 Secret Lane"))
    await made.write(Ref("shop", "Order", "o2"), Placed("o2", "bob", "7 Other Lane"))
    async with made.following() as projector:
        rows = await made.settled(projector)
    assert [row["address"] for row in rows] == ["12 Secret Lane", "7 Other Lane"]
    assert b"Lane" not in made.bytes()
    made.keys.destroy("shop.Customer.ada")  # nobody folds it: an old copy of the file
    assert [row["address"] for row in made.rows()] == [ERASED, "7 Other Lane"]
    assert made.told == []


async def test_rows_whose_author_forgot_the_mark_are_folded_anew(tmp_path: Path) -> None:
    made = Shop(tmp_path, LINES)
    for id, name in (("ada", "Ada Secret"), ("bob", "Bob Other")):
        await made.write(Ref("shop", "Customer", id), Registered(id, name, None, 1))
    async with made.following() as projector:
        assert [row["name"] for row in await made.settled(projector)] == ["Ada Secret", "Bob Other"]
        await made.erase(ADA)
        await made.write(Ref("shop", "Customer", "cleo"), Registered("cleo", "Cleo", None, 1))
        rows = await made.settled(projector)
        assert [row["name"] for row in rows] == [ERASED, "Bob Other", "Cleo"]
        assert b"Ada Secret" not in made.bytes()
    async with made.following() as projector:  # once is enough
        assert not projector.anew or (await made.settled(projector)) == rows
    assert made.told == []


async def test_an_erasure_while_nobody_folds_is_heard_of_later(tmp_path: Path) -> None:
    made = Shop(tmp_path, LINES)
    await made.write(ADA, Registered("ada", "Ada Secret", None, 1))
    async with made.following() as projector:
        await made.settled(projector)
    await made.erase(ADA)
    async with made.following() as projector:
        assert [row["name"] for row in await made.settled(projector)] == [ERASED]
    assert b"Ada Secret" not in made.bytes()


async def test_why_it_stopped_names_nobody(tmp_path: Path) -> None:
    made = Shop(tmp_path, LINES)
    await made.write(ADA, Registered("ada", "Nemo Secret", None, 1))
    async with made.following() as projector:
        await made.settled(projector)
        assert "ValueError, whose words are not kept: they may tell" in str(projector.stopped)
    assert b"Nemo" not in made.bytes()
    assert "Nemo" not in "".join(made.told)


async def test_a_lost_key_stops_the_projection_by_name(tmp_path: Path) -> None:
    made = Shop(tmp_path, LINES)
    await made.write(ADA, Registered("ada", "Ada Secret", None, 1))
    made.keys = MemoryKeys()
    async with made.following() as projector:
        await made.settled(projector)
        assert "the key of shop.Customer.ada is not in the store" in str(projector.stopped)

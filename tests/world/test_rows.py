"""An entity as a row of an index comes back as it was, in all that decides what is done on it next."""

from collections.abc import Iterable
from dataclasses import fields, replace

import pytest

from cim import Changed, Command, Component, Context, Event, Failure, State
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.stranger import stranger
from cim.contract.subjects import Ref
from cim.log.asking import Answered, Proposed
from cim.log.chain import Head
from cim.log.release import release
from cim.log.sealing import Sealing
from cim.ports.index import IndexRuined, Row
from cim.testing.clock import HandClock
from cim.testing.people import Registered, shop
from cim.world.entity import Again, Cell, Entity, Gone, Run, Step, Wait
from cim.world.rows import Rows
from cim.world.world import World

from .conftest import Start

papers = Context("papers")
CLOCK = HandClock(jumps=True)
P = Ref("papers", "Paper", "p")


class Write(Command):
    paper: str
    words: str


class PutRight(Command):
    paper: str
    total: str


class Wrote(Event):
    words: str


class Said(Event):
    total: str


@papers.entity(key="paper")
class Paper(State):
    words: str = ""
    odd: float = 0.0

    def decide(self, command: Write | PutRight) -> Iterable[Wrote | Said]:
        if isinstance(command, PutRight):
            return [Wrote(self.words), Said(command.total)]
        return [Wrote(command.words)]

    def evolve(self, event: Wrote | Said) -> "Paper":
        if isinstance(event, Said):
            return self
        return self.but(words=event.words, odd=float("nan") if event.words == "odd" else 0.0)


@papers.component(of=Paper)
class Sum(Component):
    total: str = ""

    def correct(self, event: Said) -> "Sum":
        return self.but(total=event.total)


@papers.component(of=Paper)
class Told(Component):
    text: str


@papers.system
def add(paper: Changed[Paper]) -> Sum | None:
    if paper.words == "unreadable":
        raise Failure("these are no words")
    return Sum(paper.words) if paper.words else None


@papers.system
def tell(sum: Changed[Sum]) -> Told | None:
    return Told(sum.total) if sum.total != "nothing" else None


def rows() -> Rows:
    return Rows(compose([papers]))


def again(entity: Entity, by: Rows) -> Entity:
    row = by.row(entity)
    assert row.body is not None
    return by.entity(row)


def assert_equal(one: Entity, other: Entity) -> None:
    for field in fields(Entity):
        assert getattr(one, field.name) == getattr(other, field.name), field.name
    assert [*one.cells] == [*other.cells]
    assert [*one.runs] == [*other.runs]


async def test_each_step_of_a_life_comes_back(start: Start) -> None:
    log = MemoryLog()
    process = start(log, papers)
    said = [
        Write("p", "12"),
        PutRight("p", "13"),
        Write("p", "unreadable"),
        PutRight("p", "nothing"),
        PutRight("p", "14"),
        Write("p", "nothing"),
        Write("p", ""),
    ]
    for number, command in enumerate(said):
        await process.send(command, f"c{number}")
        await process.idle()
    world, met = World(compose([papers])), set[str]()
    async for commit in log.read(">"):
        entity = world.apply(commit)
        found = again(entity, rows())
        assert_equal(found, entity)
        cells = [*entity.cells.values(), *(gone.cell for gone in entity.gone.values())]
        met |= {"corrected" for cell in cells if cell.correction is not None}
        met |= {"derived" for cell in cells if cell.derived is not None}
        met |= {"gone"} if entity.gone else set()
        met |= {"failed"} if entity.failures else set()
    assert met == {"corrected", "derived", "gone", "failed"}


def test_every_field_of_an_entity_comes_back() -> None:
    origin, cause = Origin.root("c1", "person:anna"), Origin("c2", "c1", "c1", "person:anna")
    cell = Cell({"total": "12"}, cause, 3, 1, "papers.add", "t", came=Step(1, said=True))
    junk = stranger(P.events, b"", 9, "no machine wrote it", "mark")
    proposed = Proposed("papers.add", "r1", 1, 2, "send", {"cim.sealed": "…"}, "it may be from outside")
    full = Entity(
        P,
        Paper("12"),
        {"Sum": cell},
        {"Told": Gone(cell, Step(2, said=False), origin, 5)},
        {"Sum": []},
        {"papers.add": Run("papers.add", {"state": 1}, True, "no", 1.5, 3, "v", 1, Again(2, origin))},
        {P.events: Head(1, 1, "digest")},
        first=1,
        sequence=9,
        stopped="no machine wrote it",
        held=[junk],
        passed={9, 8},
        waits={"papers.add": Wait(proposed, origin, Answered("papers.add", "r1", False, "no"), "person:b")},
    )
    bare = Entity(Ref("", "", ""), None)
    for field in fields(Entity):  # whoever adds one says here how it is kept
        assert field.name == "is_personal" or getattr(full, field.name) != getattr(bare, field.name)
    assert_equal(again(full, rows()), full)


@pytest.mark.parametrize("subject", [P.events, "evt.alone", "evt.\udcff"])
async def test_one_that_is_stopped_comes_back_with_what_it_holds_and_passes_over(subject: str) -> None:
    log, world = MemoryLog(), World(compose([papers]))
    first = await log.intrude(subject, {}, b"junk")
    await log.intrude(subject, {}, b"more")
    if subject != "evt.\udcff":
        origin = Origin.root("r1", "person:anna")
        await release(log, CLOCK, "cim:test", origin, subject, first + 1, "not ours")
    async for commit in log.read(">"):
        entity = world.apply(commit)
        assert entity.stopped is not None
        found = again(entity, rows())
        assert_equal(found, entity)
        assert [(one.digest, one.sequence) for one in found.held] == [
            (one.digest, one.sequence) for one in entity.held
        ]
    assert entity.passed == ({2} if subject != "evt.\udcff" else set())
    assert rows().row(entity).is_troubled


async def test_what_is_personal_is_not_in_a_row() -> None:
    sealing = Sealing(MemoryKeys())
    world, by = World(compose([shop]), sealing=sealing), Rows(compose([shop]))
    ada = Ref("shop", "Customer", "ada")
    body = sealing.write(ada.events, [Registered("ada", "Ada", None, 1)])
    made = Commit(ada.events, 0, Origin.root("c1", "x"), "cim:test", "shop.Some", "t", "cim:0", body)
    entity = world.apply(Head().link(made).at(1))
    assert entity.shown()["state"]["name"] == "Ada"
    row = by.row(entity)
    assert (row.ref, row.first, row.sequence, row.body) == (ada, 1, 1, None)
    bare = by.entity(row)
    assert (bare.first, bare.sequence, bare.exists) == (1, 1, False)


async def test_a_state_that_would_not_come_back_is_not_in_a_row(start: Start) -> None:
    process = start(MemoryLog(), papers)
    await process.send(Write("p", "odd"), "c1")
    await process.idle()
    assert rows().row(await process.world.entities.get(P)).body is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b'{"state":1}', b'"{}"\n[{},{},{},{},{},{},{},null,[],[],{}]', b"{}\n[]"]
)
def test_a_body_that_cannot_be_read_is_ruin(body: bytes) -> None:
    with pytest.raises(IndexRuined, match=r"papers\.Paper p: what was kept of it cannot be read"):
        rows().entity(Row(P, 1, 1, body))


def test_the_version_is_another_one_when_other_code_folds() -> None:
    assert rows().version == rows().version
    assert rows().version != Rows(compose([shop])).version
    assert rows().version != Rows(compose([papers, shop])).version
    composition = compose([papers])
    (kind,) = composition.entities.values()
    other = {("papers", "Paper"): replace(kind, version="another")}
    assert Rows(replace(composition, entities=other)).version != rows().version

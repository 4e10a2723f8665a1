"""A log that older versions of a module wrote: everywhere it reads as if the present one had."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from cim import Changed, Command, Component, Context, Event, Former, Key, Row, State, Table
from cim.actors.actor import UnknownEvent
from cim.actors.actors import Actors
from cim.actors.request import Asked, Receipt, content_digest
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.codec import Item
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.chain import Head
from cim.ports.log import Stored
from cim.testing.clock import HandClock
from cim.world.schedule import Schedule
from cim.world.world import World
from cim.world.writer import Writer


class Paint(Command):
    wall: str
    colour: str


class Painted1(Former, version=1, called="Coloured"):
    wall: str

    def upcast(self) -> "Painted":
        return Painted(self.wall, "white")


class Painted(Event, formerly=Painted1):
    wall: str
    colour: str


houses = Context("houses")


@houses.entity(key="wall")
class Wall(State):
    colours: tuple[str, ...] = ()

    def decide(self, command: Paint) -> Iterable[Painted]:
        return [Painted(command.wall, command.colour)]

    def evolve(self, event: Painted) -> "Wall":
        return self.but(colours=(*self.colours, event.colour))


class Tone1(Former, version=1):
    name: str

    def upcast(self) -> "Tone":
        return Tone(self.name, 1)


@houses.component(of=Wall)
class Tone(Component, formerly=Tone1):
    name: str
    coats: int


@houses.system
def see(wall: Changed[Wall]) -> Tone | None:
    return Tone(wall.colours[-1], len(wall.colours)) if wall.colours[-1] != "clear" else None


class Use(Row):
    colour: Key[str]
    times: int


@houses.projection
def uses(event: Painted, rows: Table[Use]) -> None:
    before = rows.get(event.colour)
    rows.put(Use(event.colour, 1 + (before.times if before else 0)))


COMPOSITION = compose([houses])
WALL = Ref("houses", "Wall", "w1")


def commit(subject: str, head: Head, id: str, *items: Item) -> Commit:
    origin = Origin.root(id, "person:painter")
    return head.link(
        Commit(subject, 0, origin, "cim:test", "houses.Wall.Committed", "", "", codec.encode(items))
    )


async def old(log: MemoryLog, subject: str, *bodies: Item) -> None:
    """Commits as an older version of the module wrote them."""
    head = Head()
    for number, item in enumerate(bodies):
        one = commit(subject, head, f"{subject[:3]}{number}", item)
        answer = await log.attempt(one, head.sequence)
        assert isinstance(answer, Stored)
        head = head.advance(one.at(answer.sequence))


async def world(log: MemoryLog) -> World:
    found = World(COMPOSITION)
    async for one in log.read(">"):
        found.apply(one)
    await found.take([])
    return found


def paint(colour: str, id: str) -> Asked:
    command = Paint("w1", colour)
    digest = content_digest(WALL, "Paint", codec.encode([codec.item(command)]))
    return Asked(WALL, command, Origin.root(id, "tester"), digest)


COLOURED = Item("Coloured", 1, {"wall": "w1"})
PAINTED = Item("Painted", 1, {"wall": "w1", "colour": "red"})
NEWER = Item("Painted", 2, {"wall": "w1", "hue": 7})


async def test_events_of_every_version_fold_alike_in_actors_world_and_projections() -> None:
    log = MemoryLog()
    await old(log, WALL.events, COLOURED, PAINTED)
    actors = Actors(COMPOSITION, log, HandClock(jumps=True), "cim:test")
    assert isinstance(await actors.handle(paint("blue", "c1")), Receipt)
    commits = [one async for one in log.read(">")]
    assert codec.decode(commits[-1].body) == [Item("Painted", 1, {"wall": "w1", "colour": "blue"})]
    assert (await (await world(log)).entities.get(WALL)).state == Wall(("white", "red", "blue"))
    (kind,) = COMPOSITION.projections
    events = [event for one in commits for event in kind.events(one)]
    assert events == [Painted("w1", "white"), Painted("w1", "red"), Painted("w1", "blue")]


@pytest.mark.parametrize(
    ("items", "value"),
    [
        ([Item("Tone", 1, {"name": "red"})], {"name": "red", "coats": 1}),
        ([Item("Tone", 2, {"name": "red", "coats": 5})], {"name": "red", "coats": 5}),
        ([Item("Tone", 2, {"name": "red", "coats": 5}), Item("Tone", 1, None)], None),
        ([Item("Tone", 1, {"name": "red"}), Item("Tone", 2, None)], None),
        ([Item("Strange", 9, {"any": 1})], None),
    ],
)
async def test_components_of_every_version_are_what_the_present_one_says(
    items: list[Item], value: Any
) -> None:
    log = MemoryLog()
    await old(log, WALL.events, COLOURED)
    await old(log, WALL.components("houses"), *items)
    entity = await (await world(log)).entities.get(WALL)
    assert entity.stopped is None
    assert (entity.cells["Tone"].value if "Tone" in entity.cells else None) == value


async def test_a_newer_version_stops_its_entity_alone_and_names_both() -> None:
    log = MemoryLog()
    await old(log, WALL.events, COLOURED, NEWER)
    other = Ref("houses", "Wall", "w2")
    await old(log, other.events, Item("Coloured", 1, {"wall": "w2"}))
    found = (await world(log)).entities
    said = "Painted has the version 2, and known here is 1: a newer version of its module reads it"
    assert (await found.get(WALL)).stopped == f"sequence 2: event {said}"
    assert (await found.get(other)).state == Wall(("white",))
    actors = Actors(COMPOSITION, log, HandClock(jumps=True), "cim:test")
    with pytest.raises(UnknownEvent, match=f"houses.Wall w1: event Painted at sequence 2: {said}"):
        await actors.handle(paint("blue", "c1"))


async def test_a_newer_component_stops_its_entity_and_names_both() -> None:
    log = MemoryLog()
    await old(log, WALL.events, COLOURED)
    await old(log, WALL.components("houses"), Item("Tone", 3, {"shade": 1}))
    stopped = (await (await world(log)).entities.get(WALL)).stopped
    assert stopped == (
        "sequence 2: component Tone has the version 3, and known here is 1, 2: "
        "a newer version of its module reads it"
    )


class Here:
    """Runs systems in the event loop."""

    async def run(self, system: Any, given: Any, place: Any, call: Any) -> Any:
        return system.function(**given)


async def test_what_is_written_has_the_present_version() -> None:
    log, clock = MemoryLog(), HandClock(jumps=True)
    await old(log, WALL.events, COLOURED)
    now = await world(log)

    async def follow() -> None:
        async for batch in log.follow(now.sequence):
            await now.take(batch)

    schedule = Schedule(
        now, Writer(now, log, clock, "cim:test", pytest.fail), COMPOSITION.systems, Here(), clock, 1
    )
    tasks = [asyncio.ensure_future(follow()), asyncio.ensure_future(schedule.run())]
    try:
        await now.reached(2)
        await Actors(COMPOSITION, log, clock, "cim:test").handle(paint("clear", "c1"))
        await now.reached(4)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    written = [codec.decode(one.body) async for one in log.read(WALL.components("*"))]
    assert written == [[Item("Tone", 2, {"name": "white", "coats": 1})], [Item("Tone", 2, None)]]

"""What can be asked of the entities of a world: in memory, over an index, and before that is written."""

import asyncio
import gc
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import pytest

from cim import Changed, Command, Component, Context, Event, State
from cim.adapters.memory.index import MemoryIndex
from cim.contract.composition import Composition, compose
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.contract.system import STATE
from cim.ports.index import Index, Part, Row, Said, Standing
from cim.testing.faulty_log import Network
from cim.testing.slow_index import SlowIndex
from cim.world import indexed as world_indexed
from cim.world.entities import Entities
from cim.world.entity import Cell, Entity, Run, Step
from cim.world.indexed import BEHIND, IndexedEntities

NOTE = ("notes", "Note")

notes = Context("notes")


class Write(Command):
    note: str


class Wrote(Event):
    pass


@notes.entity(key="note")
class Note(State):
    def decide(self, command: Write) -> Iterable[Wrote]:
        return [Wrote()]

    def evolve(self, event: Wrote) -> "Note":
        return self


@notes.component(of=Note)
class Length(Component):
    letters: int


@notes.system
def measure(note: Changed[Note]) -> Length:
    return Length(0)


COMPOSITION = compose([notes])


def note(id: str, sequence: int) -> Entity:
    """A note on which its system is due."""
    written = Cell(None, Origin.root(f"c{sequence}", "person:anna"), sequence, 1, "notes.Note", "t")
    ref = Ref(*NOTE, id)
    return Entity(ref, Note(), {STATE: written}, first=sequence, sequence=sequence)


def measured() -> Run:
    """The run of a note's system by which it is not due any more."""
    return Run("notes.measure", {"state": 1}, False, "", 1.0, 9, "v", 1)


def standing(sequence: int) -> Standing:
    return Standing(sequence, "evt.notes.Note.a", "digest", "")


def indexed(written: int = 1) -> IndexedEntities:
    return IndexedEntities(MemoryIndex(), COMPOSITION, lambda text: None, hot=1, written=written)


@pytest.fixture(params=["in memory", "not yet written", "written"])
def empty(request: pytest.FixtureRequest) -> Entities:
    ways: dict[str, Callable[[], Entities]] = {
        "in memory": Entities,
        "not yet written": lambda: indexed(99),
        "written": indexed,
    }
    return ways[request.param]()


async def kept(entities: Entities) -> None:
    """What changed is kept, where that is to be."""
    await entities.keep(1, lambda: standing(99))
    await entities.keep(1, lambda: standing(99))


async def filled(entities: Entities, *ids: str) -> Entities:
    """Notes of these ids, each with a commit after the one before, and something of another kind."""
    for sequence, id in enumerate(ids, 1):
        entities.add(note(id, sequence))
    entities.add(Entity(Ref("shop", "Jar", "b"), None, first=90, sequence=90))
    await kept(entities)
    return entities


def ids(found: list[Entity]) -> list[str]:
    return [entity.ref.id for entity in found]


async def test_an_entity_is_found_by_its_name(empty: Entities) -> None:
    entities = await filled(empty, "a")
    assert ids([await entities.get(Ref(*NOTE, "a"))]) == ["a"]
    assert await entities.find(Ref(*NOTE, "b")) is None
    assert (await entities.count(), await entities.count(NOTE)) == (2, 1)


async def test_a_kind_is_gone_through_in_pages_in_the_order_of_ids(empty: Entities) -> None:
    entities = await filled(empty, "d", "a", "c", "b")
    assert ids(await entities.page(NOTE, None, 3)) == ["a", "b", "c"]
    assert ids(await entities.page(NOTE, "c", 3)) == ["d"]
    assert ids(await entities.page(NOTE, "bb", 1)) == ["c"]
    assert [one.ref.id async for one in entities.each(NOTE)] == ["a", "b", "c", "d"]
    assert len([one async for one in entities.each()]) == 5


async def test_all_are_gone_through_in_the_order_in_which_they_came(empty: Entities) -> None:
    entities = await filled(empty, "d", "a", "c")
    found: list[str] = []
    async for one in entities.to_look_at():
        if not found:
            entities.add(note("late", 200))
            await kept(entities)
        found.append(one.ref.id)
    assert [id for id in found if id in "dac"] == ["d", "a", "c"]
    assert len(found) <= 4
    assert "late" not in found


async def test_what_changed_since_a_sequence_comes_in_the_order_of_the_changes(empty: Entities) -> None:
    entities = await filled(empty, "d", "a", "c", "b")
    assert ids(await entities.changed_since(NOTE, 1, 2)) == ["a", "c"]
    assert ids(await entities.changed_since(NOTE, 4)) == []


async def test_what_is_stopped_or_failed_is_found(empty: Entities) -> None:
    entities = await filled(empty, "a", "b", "c")
    for id, failed in (("a", False), ("b", True)):
        one = await entities.get(Ref(*NOTE, id))
        one.runs["n.s"] = Run("n.s", {}, failed, "no", 1.0, 9, "v", 1)
        entities.touch(one)
    one = await entities.get(Ref(*NOTE, "c"))
    one.stopped = "a broken chain"
    entities.touch(one)
    await kept(entities)
    assert [one.ref.id async for one in entities.troubled()] == ["b", "c"]


async def test_the_command_of_an_id_is_found(empty: Entities) -> None:
    empty.add_command("c1", Ref(*NOTE, "a"), "Write/5f")
    entities = await filled(empty, "a")
    assert entities.command("c1") == (Ref(*NOTE, "a"), "Write/5f")
    assert entities.command("c2") is None


async def test_pages_hold_those_that_come_in_while_they_are_asked_for(empty: Entities) -> None:
    chance = random.Random(3)
    ids = [f"n{number:04}" for number in range(400)]
    chance.shuffle(ids)
    entities, known = empty, set[str]()
    while ids:
        for id in [ids.pop() for _ in range(min(len(ids), chance.choice([1, 3, 40])))]:
            entities.add(note(id, len(known) + 1))
            known.add(id)
            if chance.random() < 0.1:
                await kept(entities)
        after = chance.choice([None, *sorted(known)])
        wanted = [id for id in sorted(known) if after is None or id > after][:7]
        assert [one.ref.id for one in await entities.page(NOTE, after, 7)] == wanted


async def test_a_page_holds_those_that_carry_what_is_asked_for(empty: Entities) -> None:
    chance, shapes = random.Random(4), dict[str, set[str]]()
    for number in range(60):
        empty.add(note(f"n{number:02}", number + 1))
        shapes[f"n{number:02}"] = set()
    for _ in range(120):
        one = await empty.get(Ref(*NOTE, f"n{chance.randrange(60):02}"))
        key = chance.choice("TUV")
        if shapes[one.ref.id] ^ {key} > shapes[one.ref.id]:
            one.carry(key, one.cells[STATE], Step(1, said=False))
        else:
            del one.cells[key]
        shapes[one.ref.id] ^= {key}
        empty.touch(one)
        if chance.random() < 0.3:
            await kept(empty)
        after = chance.choice([None, *shapes])
        carrying, lacking = chance.sample("TUV", chance.randrange(3)), chance.sample("TUV", 1)
        wanted = [
            id
            for id, keys in shapes.items()
            if (after is None or id > after) and keys.issuperset(carrying) and keys.isdisjoint(lacking)
        ]
        assert ids(await empty.page(NOTE, after, 5, carrying, lacking)) == wanted[:5]
        assert [one.ref.id async for one in empty.each(NOTE, ["T"])] == [
            id for id, keys in shapes.items() if "T" in keys
        ]


async def test_an_entity_is_one_object_as_long_as_anybody_holds_it() -> None:
    entities = await filled(indexed(), "a", "b", "c")
    held = entities.at_hand(Ref(*NOTE, "a"))
    assert held is not None
    for id in "bc":
        assert entities.at_hand(Ref(*NOTE, id)) is not None  # there is room for one
    assert entities.at_hand(Ref(*NOTE, "a")) is held
    assert held in await entities.page(NOTE)
    assert any([one is held async for one in entities.to_look_at()])
    assert any(one is held for one in await entities.changed_since(NOTE, 0))


async def test_what_nobody_holds_is_not_in_memory() -> None:
    entities = await filled(indexed(), *(f"n{number}" for number in range(50)))
    assert len([one async for one in entities.each()]) == 51
    gc.collect()
    there = [one for one in gc.get_objects() if isinstance(one, Entity) and one.ref.id.startswith("n")]
    assert len(there) <= 2
    for number in range(50):
        assert entities.at_hand(Ref(*NOTE, f"n{number}")) is not None
    there = [one for one in gc.get_objects() if isinstance(one, Entity) and one.ref.id.startswith("n")]
    assert len(there) <= 2


async def test_what_is_read_over_a_pause_is_not_older_than_what_was_written_meanwhile() -> None:
    entities = await filled(indexed(), *(f"n{number:02}" for number in range(30)))
    found = entities.to_look_at()
    await anext(found)
    changed = await entities.get(Ref(*NOTE, "n29"))
    changed.sequence = 77
    entities.touch(changed)
    await kept(entities)
    del changed
    for id in ("n01", "n02"):  # it is held by nobody any more
        entities.at_hand(Ref(*NOTE, id))
    await kept(entities)
    assert {one.ref.id: one.sequence async for one in found}["n29"] == 77


async def test_what_cannot_be_written_is_held_told_once_and_written_later() -> None:
    told = list[str]()
    network = Network(random.Random(1))
    index = SlowIndex(network)
    entities = IndexedEntities(index, COMPOSITION, told.append, hot=1, written=1)
    network.fate = lambda fates: "index is not written"  # type: ignore[method-assign]
    await filled(entities, "a", "b")
    await entities.finish(lambda: standing(2))
    assert told == ["no room is left on the disk: it is tried again"]
    entities.add_command("c1", Ref(*NOTE, "a"), "Write/5f")
    await entities.finish(lambda: standing(2))
    assert (index.standing(), await entities.count()) == (None, 3)
    assert entities.command("c1") == (Ref(*NOTE, "a"), "Write/5f")
    network.fate = lambda fates: "index is written"  # type: ignore[method-assign]
    await entities.finish(lambda: standing(2))
    assert (index.count(), await entities.count()) == (3, 3)
    assert index.command("c1") == entities.command("c1") == (Ref(*NOTE, "a"), "Write/5f")
    assert index.standing() == Standing(2, "evt.notes.Note.a", "digest", entities.version)


async def test_few_that_change_again_and_again_are_written_now_and_then() -> None:
    entities = indexed(written=99)
    entities.add(note("a", 1))
    index = entities._index
    await entities.keep(BEHIND - 1, lambda: standing(BEHIND - 1))
    assert index.standing() is None
    await entities.keep(BEHIND, lambda: standing(BEHIND))
    found = index.standing()
    assert found is not None
    assert found.sequence == BEHIND


async def test_where_nothing_is_to_do_nobody_looks_at() -> None:
    entities = await filled(indexed(), "a", "b", "c")
    for id in "ac":
        one = await entities.get(Ref(*NOTE, id))
        one.runs["notes.measure"] = measured()
        entities.touch(one)
    await kept(entities)
    assert await entities.count_to_look_at() == 1
    assert [one.ref.id async for one in entities.to_look_at()] == ["b"]
    changed = await entities.get(Ref(*NOTE, "c"))
    entities.touch(changed)  # it is looked at before it is known what is due on it
    assert [one.ref.id async for one in entities.to_look_at()] == ["b", "c"]
    assert await entities.count_to_look_at() == 2


class Held(MemoryIndex):
    """An index whose writes are there once somebody lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[asyncio.Future[None], Callable[[], object]]] = []

    def write(
        self,
        rows: Sequence[Row],
        commands: Mapping[str, Said],
        standing: Standing,
        parts: Mapping[Part, bytes | None] = MappingProxyType({}),
    ) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((done, partial(super().write, [*rows], {**commands}, standing, {**parts})))
        return done

    def let(self) -> None:
        done, write = self.waiting.pop(0)
        write()
        done.set_result(None)


def over(index: Index, composition: Composition = COMPOSITION, written: int = 1) -> IndexedEntities:
    return IndexedEntities(index, composition, lambda text: None, hot=1, written=written)


class Hasty(Held):
    """One whose writes are there in the middle of whatever asks for a row."""

    def find(self, ref: Ref) -> Row | None:
        while self.waiting:
            self.let()
        return super().find(ref)


async def test_how_many_there_are_is_the_same_while_they_are_written() -> None:
    entities = over(Hasty())
    for number in range(3):
        entities.add(note(f"n{number}", number + 1))
    await kept(entities)
    assert (await entities.count(), await entities.count(NOTE)) == (3, 3)


async def test_what_is_being_written_is_found_as_it_is() -> None:
    index = Held()
    entities = over(index)
    entities.add(note("a", 1))
    entities.add_command("c1", Ref(*NOTE, "a"), None)
    await kept(entities)
    assert len(index.waiting) == 1
    changed = await entities.get(Ref(*NOTE, "a"))
    changed.sequence = 5
    entities.touch(changed)
    entities.add(note("b", 6))
    assert ids(await entities.page(NOTE)) == ids(await entities.changed_since(NOTE, 0)) == ["a", "b"]
    assert ids(await entities.changed_since(NOTE, 4)) == ["a", "b"]
    assert await entities.count() == 2
    assert entities.command("c1") == (Ref(*NOTE, "a"), None)
    index.let()
    await kept(entities)
    assert (await entities.count(), ids(await entities.page(NOTE))) == (2, ["a", "b"])
    index.let()
    await kept(entities)
    found = index.find(Ref(*NOTE, "a"))
    assert found is not None
    assert found.sequence == 5


async def test_who_is_cut_off_while_it_waits_leaves_what_is_written_to_its_end() -> None:
    index = Held()
    entities = over(index)
    entities.add(note("a", 1))
    await kept(entities)
    ending = asyncio.ensure_future(entities.finish(lambda: standing(1)))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait([ending])
    index.let()
    await entities.finish(lambda: standing(1))
    assert index.count() == 1


async def test_when_much_has_changed_the_fold_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_indexed, "MOST", 3)
    index = Held()
    entities = over(index)
    for place in range(1, 5):
        entities.add(note(f"n{place}", place))
        keeping = asyncio.ensure_future(entities.keep(place, lambda: standing(9)))
        await asyncio.sleep(0)
        assert keeping.done() == (place < 4), place
    index.let()
    await keeping
    assert (index.count(), len(index.waiting)) == (1, 1)

"""What can be asked of the entities of a world."""

import random

from cim.contract.subjects import Ref
from cim.world.entities import Entities
from cim.world.entity import Entity, Run

NOTE = ("notes", "Note")


def note(id: str, sequence: int) -> Entity:
    return Entity(Ref(*NOTE, id), None, first=sequence, sequence=sequence)


def filled(*ids: str) -> Entities:
    """Notes of these ids, each with a commit after the one before, and something of another kind."""
    entities = Entities()
    for sequence, id in enumerate(ids, 1):
        entities.add(note(id, sequence))
    entities.add(Entity(Ref("shop", "Jar", "b"), None))
    return entities


def ids(found: list[Entity]) -> list[str]:
    return [entity.ref.id for entity in found]


async def test_an_entity_is_found_by_its_name() -> None:
    entities = filled("a")
    assert ids([await entities.get(Ref(*NOTE, "a"))]) == ["a"]
    assert await entities.find(Ref(*NOTE, "b")) is None
    assert (await entities.count(), await entities.count(NOTE)) == (2, 1)


async def test_a_kind_is_gone_through_in_pages_in_the_order_of_ids() -> None:
    entities = filled("d", "a", "c", "b")
    assert ids(await entities.page(NOTE, None, 3)) == ["a", "b", "c"]
    assert ids(await entities.page(NOTE, "c", 3)) == ["d"]
    assert ids(await entities.page(NOTE, "bb", 1)) == ["c"]
    assert [one.ref.id async for one in entities.each(NOTE)] == ["a", "b", "c", "d"]
    assert len([one async for one in entities.each()]) == 5


async def test_all_are_gone_through_in_the_order_in_which_they_came() -> None:
    entities = filled("d", "a", "c")
    found: list[str] = []
    async for one in entities.oldest_first():
        if not found:
            entities.add(Entity(Ref(*NOTE, "late"), None))
        found.append(one.ref.id)
    assert [id for id in found if id in "dac"] == ["d", "a", "c"]
    assert "late" not in found


async def test_what_changed_since_a_sequence_comes_in_the_order_of_the_changes() -> None:
    entities = filled("d", "a", "c", "b")
    assert ids(await entities.changed_since(NOTE, 1, 2)) == ["a", "c"]
    assert ids(await entities.changed_since(NOTE, 4)) == []


async def test_what_is_stopped_or_failed_is_found() -> None:
    entities = filled("a", "b", "c")
    (await entities.get(Ref(*NOTE, "c"))).stopped = "a broken chain"
    (await entities.get(Ref(*NOTE, "b"))).runs["n.s"] = Run("n.s", {}, True, "no", 1.0, 9, "v", 1)
    (await entities.get(Ref(*NOTE, "a"))).runs["n.s"] = Run("n.s", {}, False, "", 1.0, 9, "v", 1)
    assert [one.ref.id async for one in entities.troubled()] == ["b", "c"]


def test_the_command_of_an_id_is_found() -> None:
    entities = filled("a")
    entities.add_command("c1", Ref(*NOTE, "a"), "Write/5f")
    assert entities.command("c1") == (Ref(*NOTE, "a"), "Write/5f")
    assert entities.command("c2") is None


async def test_pages_hold_those_that_come_in_while_they_are_asked_for() -> None:
    chance = random.Random(3)
    ids = [f"n{number:04}" for number in range(400)]
    chance.shuffle(ids)
    entities, known = Entities(), set[str]()
    while ids:
        for id in [ids.pop() for _ in range(min(len(ids), chance.choice([1, 3, 40])))]:
            entities.add(note(id, len(known) + 1))
            known.add(id)
        after = chance.choice([None, *sorted(known)])
        wanted = [id for id in sorted(known) if after is None or id > after][:7]
        assert [one.ref.id for one in await entities.page(NOTE, after, 7)] == wanted

"""A world goes on from its index where that was folded from this very log, and is made anew where not."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import pytest

from cim.adapters.memory.index import MemoryIndex
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import Composition, compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.erasure import erase, settle
from cim.log.sealing import Sealing
from cim.ports.index import UNKEPT, Part, Standing
from cim.testing.clock import HandClock
from cim.testing.people import Greeting, Registered, shop
from cim.testing.people import Placed as Ordered
from cim.world import standing as standings
from cim.world.indexed import IndexedEntities
from cim.world.standing import go_on
from cim.world.trail import history
from cim.world.world import World

from .boxes import Packed, boxes

CLOCK = HandClock()
ADA, ORDER = Ref("shop", "Customer", "ada"), Ref("shop", "Order", "o1")


class Leaf:
    """A log and an index of the world that it leads to, over starts."""

    def __init__(self) -> None:
        self.log, self.index, self.keys = MemoryLog(), MemoryIndex(), MemoryKeys()
        self.told: list[str] = []
        self._heads: dict[str, Head] = {}

    async def write(self, subject: str, *records: object) -> Commit:
        body = Sealing(self.keys).write(subject, records)
        origin = Origin.root(f"c{await self.log.last()}", "person:clerk")
        commit = Commit(subject, 0, origin, "cim:test", "some.Committed", "t", "cim:0", body)
        outcome = await append(self.log, CLOCK, commit, self._heads.get(subject, Head()))
        assert isinstance(outcome, Appended)
        self._heads[subject] = self._heads.get(subject, Head()).advance(outcome.commit)
        return outcome.commit

    async def pack(self, count: int) -> None:
        for number in range(count):
            await self.write(Ref("boxes", "Box", f"b{number}").events, Packed(f"b{number}", number))

    async def start(self, milestone: int = 0, composition: Composition | None = None) -> World:
        """A world where the index stands."""
        composition = composition or compose([boxes, shop])
        sealing = Sealing(self.keys)
        await settle(self.log, sealing)
        entities = IndexedEntities(self.index, composition, self.told.append, hot=1, written=2)
        world = World(composition, milestone, sealing, lambda ref: history(self.log, ref), entities)
        await go_on(world, entities, self.index, self.log, milestone, self.told.append)
        return world

    async def follow(self, world: World) -> World:
        async for commit in self.log.read(">", world.sequence):
            await world.take([commit])
            await world.keep()
        await world.take([])
        await world.keep()
        return world

    async def assert_as_from_nothing(self, world: World) -> None:
        sealing = Sealing(self.keys)
        await settle(self.log, sealing)
        again = World(compose([boxes, shop]), sealing=sealing)
        await again.take([one async for one in self.log.read(">")])
        assert (world.sequence, world.digest, world.root) == (again.sequence, again.digest, again.root)
        assert await world.fingerprint() == await again.fingerprint()
        assert world.erased_at == again.erased_at


@pytest.fixture
def leaf() -> Leaf:
    return Leaf()


async def test_it_goes_on_where_it_stood_and_is_the_world_that_is_folded_from_nothing(leaf: Leaf) -> None:
    await leaf.pack(5)
    world = await leaf.follow(await leaf.start())
    await world.finish()
    await leaf.pack(3)
    again = await leaf.start()
    assert (again.sequence, await again.entities.count()) == (5, 5)
    assert not again.caught_up
    await leaf.assert_as_from_nothing(await leaf.follow(again))
    assert leaf.told == []


async def test_what_was_not_written_when_it_was_killed_is_read_again(leaf: Leaf) -> None:
    await leaf.pack(7)
    await leaf.follow(await leaf.start())
    again = await leaf.start()
    assert 0 < again.sequence < 7
    await leaf.assert_as_from_nothing(await leaf.follow(again))


async def test_what_it_knew_is_passed_by_where_the_log_is_read_from_its_beginning(leaf: Leaf) -> None:
    await leaf.pack(4)
    await (await leaf.follow(await leaf.start())).finish()
    again = await leaf.start()
    await again.take([one async for one in leaf.log.read(">")])
    await leaf.assert_as_from_nothing(again)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"version": "another"}, "other code folded it"),
        ({"sequence": 9}, "it holds a log up to 9, and this one ends before"),
        ({"commit": "other"}, "it holds a log that has another entry at 4"),
        ({"subject": "evt.boxes.Box.b1"}, "it holds a log that has another entry at 4"),
    ],
)
async def test_one_that_is_not_of_this_log_or_code_is_made_anew_with_a_word(
    leaf: Leaf, other: dict[str, object], said: str
) -> None:
    await leaf.pack(4)
    await (await leaf.follow(await leaf.start())).finish()
    stood = leaf.index.standing()
    assert stood is not None
    await leaf.index.write([], {}, replace(stood, **other))  # type: ignore[arg-type]
    again = await leaf.start()
    assert leaf.told == [f"the index of the world is made anew from the log: {said}"]
    assert (again.sequence, leaf.index.count()) == (0, 0)
    await leaf.assert_as_from_nothing(await leaf.follow(again))


@pytest.mark.parametrize("milestone", [2, 4, 6])
async def test_what_the_log_was_at_the_kept_head_is_told_however_it_began(leaf: Leaf, milestone: int) -> None:
    await leaf.pack(2)
    world = await leaf.follow(await leaf.start())
    world.mark()
    await leaf.pack(2)
    await (await leaf.follow(world)).finish()
    await leaf.pack(3)
    again = await leaf.start(milestone)
    assert again.sequence == 4
    await leaf.follow(again)
    whole = World(compose([boxes]), milestone)
    await whole.take([one async for one in leaf.log.read(">")])
    assert again.passed == whole.passed is not None
    await again.finish()
    assert leaf.told == []


async def test_a_kept_head_of_which_the_index_knows_nothing_has_it_made_anew(leaf: Leaf) -> None:
    await leaf.pack(4)
    await (await leaf.follow(await leaf.start())).finish()
    again = await leaf.follow(await leaf.start(3))
    (told,) = leaf.told
    assert told.endswith("what the log was at 3, where its head was kept, is not known there")
    assert again.passed is not None


async def registered(leaf: Leaf) -> World:
    await leaf.write(ADA.events, Registered("ada", "Ada", None, 1))
    await leaf.write(ADA.components("shop"), Greeting("Dear Ada"))
    await leaf.write(ORDER.events, Ordered("o1", "ada", "1 Main St"))
    await leaf.pack(2)
    return await leaf.follow(await leaf.start())


async def test_what_is_personal_is_folded_from_its_own_history(leaf: Leaf) -> None:
    await (await registered(leaf)).finish()
    assert {*leaf.index.bodiless(9)} == {ADA, ORDER}
    again = await leaf.start()
    assert again.sequence == 5
    assert again.holding("shop.Customer.ada") == {ADA, ORDER}
    assert (await again.entities.get(ADA)).shown()["state"]["name"] == "Ada"
    await leaf.assert_as_from_nothing(await leaf.follow(again))


@pytest.mark.parametrize("when", ["while it runs", "behind what is kept", "while nothing runs"])
async def test_what_was_erased_is_erased_over_a_restart(leaf: Leaf, when: str) -> None:
    world = await registered(leaf)
    told: list[tuple[str, Collection[Ref]]] = []
    if when == "behind what is kept":
        await world.finish()
    await erase(leaf.log, CLOCK, "cim:test", Origin.root("e1", "person:clerk"), ADA, "asked")
    if when != "while nothing runs":
        await leaf.follow(world)
    if when == "while it runs":
        await world.finish()
    leaf.keys.destroy("shop.Customer.ada")
    again = await leaf.start()
    again.when_erased(lambda person, refs: told.append((person, refs)))
    await leaf.follow(again)
    assert "Ada" not in str([one.shown() async for one in again.entities.each()])
    await leaf.assert_as_from_nothing(again)


async def test_many_that_are_personal_are_not_asked_for_one_by_one(
    leaf: Leaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await registered(leaf)).finish()
    monkeypatch.setattr(standings, "APART", 1)
    again = await leaf.start()
    assert leaf.told == [
        "the index of the world is made anew from the log: more than 1 entities are not kept there, since "
        "they are personal"
    ]
    await leaf.assert_as_from_nothing(await leaf.follow(again))


def test_nothing_is_known_of_an_index_that_was_never_written() -> None:
    assert standings.is_known(Standing(4, "s", "d", "v"), 0)
    assert not standings.is_known(Standing(4, "s", "d", "v"), 3)


class Counting:
    """A second fold: how many commits there are, kept as one part."""

    def __init__(self, version: str = "v1") -> None:
        self.sequence, self.version, self.begun = 0, version, dict[Part, bytes]()

    def take(self, sequence: int) -> None:
        self.sequence = sequence

    def changed(self) -> Mapping[Part, bytes | None]:
        return {("shop.Ship", "a", 0): b"%d" % self.sequence}

    def go_on(self, sequence: int, parts: Iterable[tuple[Part, bytes]]) -> None:
        self.sequence, self.begun = sequence, dict(parts)


async def started(leaf: Leaf, beside: Counting) -> World:
    composition = compose([boxes, shop])
    entities = IndexedEntities(leaf.index, composition, leaf.told.append, hot=1, written=2, beside=beside)
    world = World(composition, history=lambda ref: history(leaf.log, ref), entities=entities)
    await go_on(world, entities, leaf.index, leaf.log, 0, leaf.told.append)
    return world


async def followed(leaf: Leaf, world: World, beside: Counting) -> None:
    async for commit in leaf.log.read(">", world.sequence):
        await world.take([commit])
        beside.take(commit.sequence)
        await world.keep()


async def test_what_is_folded_beside_the_world_is_kept_at_the_same_place(leaf: Leaf) -> None:
    await leaf.pack(5)
    first, again = Counting(), Counting()
    world = await started(leaf, first)
    await followed(leaf, world, first)
    await world.finish()
    assert vars(world.entities)["_parts"] == {}, "what was written is not written again"
    await started(leaf, again)
    assert (again.sequence, again.begun) == (5, {("shop.Ship", "a", 0): b"5"})


async def test_who_is_cut_off_between_the_two_keeps_neither(leaf: Leaf) -> None:
    await leaf.pack(5)
    first, again = Counting(), Counting()
    world = await started(leaf, first)
    await followed(leaf, world, first)
    await world.finish()
    await leaf.pack(2)
    async for commit in leaf.log.read(">", 5):
        await world.take([commit])
    await world.finish()
    await started(leaf, again)
    assert (again.sequence, again.begun) == (5, {("shop.Ship", "a", 0): b"5"})


@pytest.mark.parametrize(
    ("first", "again", "why"),
    [
        (Counting("v1"), Counting("v2"), "other code folded it"),
        (Counting(""), Counting("v1"), "other code folded it"),
        (Counting("v1"), Counting(""), None),
        (Counting(), Counting(), None),
    ],
)
async def test_what_is_beside_decides_with_whether_it_goes_on(
    leaf: Leaf, first: Counting, again: Counting, why: str | None
) -> None:
    await leaf.pack(3)
    world = await started(leaf, first)
    await followed(leaf, world, first)
    await world.finish()
    begun = await started(leaf, again)
    assert begun.sequence == (0 if why else 3)
    assert leaf.told == ([f"the index of the world is made anew from the log: {why}"] if why else [])


async def test_what_a_process_waits_for_and_could_not_be_kept_has_the_log_read(leaf: Leaf) -> None:
    await leaf.pack(3)
    first, again = Counting(), Counting()
    first.changed = lambda: {("shop.Ship", "a", 0): UNKEPT}  # type: ignore[method-assign]
    world = await started(leaf, first)
    await followed(leaf, world, first)
    await world.finish()
    assert (await started(leaf, again)).sequence == 0
    (told,) = leaf.told
    assert told.endswith("what a process waits for could not be kept there")

"""The world after an erasure: folded anew without a restart, equal to one that is folded from nothing."""

from collections.abc import Collection

import pytest

from cim import ERASED
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref, erasure
from cim.log.append import Appended, append
from cim.log.chain import Chains, Head
from cim.log.erasure import Erased, erase, erased, settle
from cim.log.sealing import Sealing
from cim.testing.clock import HandClock
from cim.testing.people import Closed, Greeting, Placed, Registered, shop
from cim.world.trail import history, trail
from cim.world.world import World

COMPOSITION = compose([shop])
ADA, BOB, ORDER = Ref("shop", "Customer", "ada"), Ref("shop", "Customer", "bob"), Ref("shop", "Order", "o1")
CLOCK = HandClock()


class Shop:
    """A log with a world that follows it by hand."""

    def __init__(self) -> None:
        self.log, self.keys = MemoryLog(), MemoryKeys()
        self.sealing = Sealing(self.keys)
        self.world = World(COMPOSITION, sealing=self.sealing, history=lambda ref: history(self.log, ref))
        self.told: list[tuple[str, set[Ref]]] = []
        self.world.when_erased(self._forget)
        self._heads: dict[str, Head] = {}

    def _forget(self, person: str, refs: Collection[Ref]) -> None:
        self.told.append((person, set(refs)))
        self.keys.destroy(person)

    async def write(self, subject: str, *records: object, body: bytes | None = None) -> Commit:
        body = self.sealing.write(subject, records) if body is None else body
        origin = Origin.root(f"c{await self.log.last()}", "person:clerk")
        time = "2024-05-06T07:08:09.000000Z"
        commit = Commit(subject, 0, origin, "cim:shop", "shop.Some.Committed", time, "cim:0", body)
        head = self._heads.get(subject, Head())
        outcome = await append(self.log, CLOCK, commit, head)
        assert isinstance(outcome, Appended)
        self._heads[subject] = head.advance(outcome.commit)
        return outcome.commit

    async def erase(self, person: Ref) -> Commit:
        origin = Origin.root(f"e{await self.log.last()}", "person:clerk")
        return await erase(self.log, CLOCK, "cim:shop", origin, person, "asked")

    async def follow(self) -> None:
        await self.world.take([one async for one in self.log.read(">", self.world.sequence)])
        await self.world.take([])

    async def anew(self, keys: MemoryKeys) -> World:
        sealing = Sealing(keys)
        await settle(self.log, sealing)
        world = World(COMPOSITION, sealing=sealing)
        await world.take([one async for one in self.log.read(">")])
        return world


@pytest.fixture
async def filled() -> Shop:
    made = Shop()
    await made.write(ADA.events, Registered("ada", "Ada", None, 1))
    await made.write(ADA.components("shop"), Greeting("Dear Ada"))
    await made.write(BOB.events, Registered("bob", "Bob", None, 2))
    await made.write(ORDER.events, Placed("o1", "ada", "1 Main St"))
    await made.follow()
    return made


async def test_after_it_everything_of_the_person_reads_as_erased_and_nothing_else(filled: Shop) -> None:
    held = await filled.world.entities.get(ADA)
    assert held.cells["Greeting"].value == {"words": "Dear Ada"}
    await filled.erase(ADA)
    await filled.follow()
    assert (await filled.world.entities.get(ADA)) is held  # whoever holds it sees it
    assert held.shown()["state"]["name"] == ERASED
    assert held.shown()["state"]["level"] == 1
    assert held.cells["Greeting"].value == {"words": ERASED}
    assert (await filled.world.entities.get(ORDER)).shown()["state"] == {"customer": "ada", "address": ERASED}
    assert (await filled.world.entities.get(BOB)).shown()["state"]["name"] == "Bob"
    assert filled.told == [("shop.Customer.ada", {ADA, ORDER})]


@pytest.mark.parametrize("keep", [False, True], ids=["key destroyed", "key still there"])
async def test_it_is_the_world_that_is_folded_from_nothing(filled: Shop, keep: bool) -> None:
    keys = filled.keys
    if keep:  # as after a crash between entry and key: the entry alone must do
        filled.keys = MemoryKeys()
    await filled.write(ADA.events, Closed("ada", "Ada"))
    await filled.erase(ADA)
    await filled.follow()
    again = await filled.anew(keys)
    assert await again.fingerprint() == await filled.world.fingerprint()
    assert (again.digest, again.sequence) == (filled.world.digest, filled.world.sequence)
    assert (await again.entities.get(ADA)).shown()["state"]["name"] == ERASED


async def test_what_was_decided_before_the_entry_was_heard_of_is_erased_too(filled: Shop) -> None:
    body = filled.sealing.write(ADA.events, [Closed("ada", "Ada")])
    await filled.erase(ADA)
    await filled.follow()
    await filled.write(ADA.events, body=body)
    await filled.follow()
    assert (await filled.world.entities.get(ADA)).stopped is None
    assert filled.told[1:] == [("shop.Customer.ada", {ADA})]
    steps = await trail(filled.log, ADA, filled.sealing)
    assert "Ada" not in "".join(step.note for step in steps)


async def test_a_lost_key_stops_its_entities_alone_and_an_erasure_frees_them(filled: Shop) -> None:
    world = World(COMPOSITION, sealing=Sealing(MemoryKeys()), history=lambda ref: history(filled.log, ref))
    await world.take([one async for one in filled.log.read(">")])
    for ref in (ADA, ORDER):
        stopped = (await world.entities.get(ref)).stopped
        assert "the key of shop.Customer.ada is not in the store" in str(stopped)
    await filled.erase(ADA)
    await world.take([one async for one in filled.log.read(">", world.sequence)])
    assert (await world.entities.get(ADA)).stopped is None
    assert (await world.entities.get(ADA)).shown()["state"]["name"] == ERASED
    assert (await world.entities.get(ORDER)).stopped is None
    assert (await world.entities.get(BOB)).stopped is not None


async def test_the_entry_is_accountable_stands_once_and_names_nobody(filled: Shop) -> None:
    first = await filled.erase(ADA)
    assert await filled.erase(ADA) == first
    assert erased(first) == Erased("shop.Customer.ada", "asked")
    assert first.origin.owner == "person:clerk"
    assert first.subject == erasure(ADA) == "evt.cim.Person.shop=Customer=ada"
    await filled.follow()
    chains = Chains()
    async for commit in filled.log.read(">"):
        chains.advance(commit)
    entry = await filled.world.entities.get(Ref("cim", "Person", "shop=Customer=ada"))
    assert (entry.stopped, entry.exists) == (None, False)
    (step,) = await trail(filled.log, entry.ref)
    assert (step.name, step.by, step.note) == ("Erase", "person:clerk", "shop.Customer.ada: asked")


def test_the_subject_of_a_long_name_is_cut_to_a_digest() -> None:
    long = [erasure(Ref("shop", "Customer", end * 120)) for end in "ab"]
    assert len(set(long)) == 2
    assert all(len(subject.split(".")[-1]) == 64 for subject in long)


async def test_who_opens_a_log_learns_first_who_was_erased_and_finishes_it(filled: Shop) -> None:
    await filled.erase(ADA)
    sealing, destroyed = Sealing(filled.keys), list[str]()
    assert await settle(filled.log, sealing, destroyed.append) == await filled.log.last()
    assert destroyed == ["shop.Customer.ada"]
    assert sealing.forgotten == {"shop.Customer.ada"}
    assert await settle(MemoryLog(), sealing) == 0

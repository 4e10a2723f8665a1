"""A rule that spans entities: decided on the newest states, written to all or to none, once."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence

import pytest

from cim import Command, Context, Event, Personal, State
from cim.actors.actors import Actors
from cim.actors.request import Asked, Receipt, Rejection, content_digest
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.log.chain import BrokenChain, Chains
from cim.log.sealing import Sealing, persons_in
from cim.log.together import Together
from cim.ports.log import Stored, Unclear
from cim.testing.clock import HandClock
from cim.testing.jars import HOLDS, Move, Pour, Put, jars
from cim.testing.machine import ask

COMPOSITION = compose([jars])


def process(log: MemoryLog) -> Actors:
    return Actors(COMPOSITION, log, HandClock(jumps=True), "cim:test")


async def stored(log: MemoryLog) -> list[tuple[str, str]]:
    """Entity and id of each commit; the chains hold, and no write is torn."""
    chains, together, found = Chains(), Together(), []
    async for commit in log.read(">"):
        chains.advance(commit)
        together.take(commit)
        found.append((commit.subject.rpartition(".")[2], commit.id))
    assert together.faults() == []
    return found


async def amounts(log: MemoryLog) -> dict[str, int]:
    """What each jar holds, by the log alone."""
    found: dict[str, int] = {}
    async for commit in log.read("evt.>"):
        jar = commit.subject.rpartition(".")[2]
        for item in codec.decode(commit.body):
            sign = {"Added": 1, "Taken": -1}.get(item.type)
            before = found.get(jar, 0)
            found[jar] = before // 2 if sign is None else before + sign * item.data["amount"]
    return found


@pytest.fixture
async def log() -> MemoryLog:
    made = MemoryLog()
    await process(made).handle(ask(Put("a", 8), "first"))
    return made


async def test_both_are_written_and_the_receipt_names_the_newest(log: MemoryLog) -> None:
    receipt = await process(log).handle(ask(Move("a", "b", 3), "m1"))
    assert receipt == Receipt("m1", "a", 3, "m1")
    assert await stored(log) == [("a", "first"), ("b", "m1"), ("a", "m1")]
    assert await amounts(log) == {"a": 5, "b": 3}
    found = [commit async for commit in log.read(">", 1)]
    assert [one.partners for one in found] == [{"evt.jars.Jar.a": 2}, {"evt.jars.Jar.b": 1}]
    assert {(one.origin.owner, one.origin.correlation, one.origin.causation) for one in found} == {
        ("tester", "m1", "m1")
    }


@pytest.mark.parametrize("warm", [True, False])
async def test_sent_again_it_has_one_effect_and_the_first_receipt(log: MemoryLog, warm: bool) -> None:
    actors = process(log)
    first = await actors.handle(ask(Move("a", "b", 3), "m1"))
    await actors.handle(ask(Put("b", 1), "p1"))
    again = await (actors if warm else process(log)).handle(ask(Move("a", "b", 3), "m1"))
    assert again == first
    assert await amounts(log) == {"a": 5, "b": 4}


@pytest.mark.parametrize(
    "other", [Move("a", "b", 4), Move("a", "c", 3), Put("a", 1), Put("b", 1), Move("b", "c", 1)]
)
@pytest.mark.parametrize("warm", [True, False])
async def test_its_id_stands_for_nothing_else_on_any_of_them(
    log: MemoryLog, other: Move | Put, warm: bool
) -> None:
    actors = process(log)
    await actors.handle(ask(Move("a", "b", 3), "m1"))
    answer = await (actors if warm else process(log)).handle(ask(other, "m1"))
    assert isinstance(answer, Rejection)
    assert "id m1 was used at sequence" in answer.reason
    assert await amounts(log) == {"a": 5, "b": 3}


@pytest.mark.parametrize(
    ("command", "reason"), [(Move("a", "b", 9), "only 8 there"), (Move("a", "c", 5), "only 1 fit")]
)
async def test_a_rejection_leaves_no_trace(log: MemoryLog, command: Move, reason: str) -> None:
    actors = process(log)
    await actors.handle(ask(Put("c", HOLDS - 1), "c1"))
    before = await stored(log)
    assert await actors.handle(ask(command, "m1")) == Rejection("jars.Jar a", reason)
    assert await stored(log) == before
    await actors.handle(ask(Pour("c"), "c2"))
    await actors.handle(ask(Put("a", 1), "a2"))
    assert isinstance(await actors.handle(ask(command, "m1")), Receipt)  # decided anew, and granted now


async def test_one_entity_twice_is_refused(log: MemoryLog) -> None:
    with pytest.raises(CimError, match="Move names one entity twice"):
        await process(log).handle(ask(Move("a", "a", 1), "m1"))


async def test_overtaken_on_any_of_them_it_decides_anew(log: MemoryLog) -> None:
    one, other = process(log), process(log)
    await one.handle(ask(Move("a", "b", 1), "m1"))
    await other.handle(ask(Put("b", 8), "p1"))
    assert await one.handle(ask(Move("a", "b", 2), "m2")) == Rejection("jars.Jar a", "only 1 fit")
    await other.handle(ask(Pour("a"), "p2"))
    assert await one.handle(ask(Move("a", "c", 4), "m3")) == Rejection("jars.Jar a", "only 3 there")
    assert await amounts(log) == {"a": 3, "b": 9}


async def test_moves_against_each_other_never_wait_for_each_other_and_lose_nothing(log: MemoryLog) -> None:
    chance, processes = random.Random(7), [process(log), process(log)]
    for jar in "bcd":
        await processes[0].handle(ask(Put(jar, 8), f"first-{jar}"))

    async def move(number: int) -> Receipt | Rejection:
        source, target = chance.sample("abcd", 2)
        command = Move(source, target, chance.randint(1, 3))
        return await chance.choice(processes).handle(ask(command, f"m{number}"))

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(move(number) for number in range(200)))
    assert sum((await amounts(log)).values()) == 32
    granted = sum(isinstance(answer, Receipt) for answer in answers)
    assert len(await stored(log)) == 4 + 2 * granted
    assert 20 < granted < 200


post = Context("post")


class Register(Command):
    person: str


class Greet(Command):
    sender: str
    receiver: str


class Greeted(Event):
    words: Personal[str]


@post.entity(key="person")
class Member(State):
    words: tuple[str, ...] = ()

    def decide(self, command: Register) -> Iterable[Greeted]:
        return [Greeted("welcome")]

    def evolve(self, event: Greeted) -> "Member":
        return self.but(words=(*self.words, event.words))


@post.rule
def greet(command: Greet, sender: Member, receiver: Member) -> tuple[Iterable[Greeted], Iterable[Greeted]]:
    return [Greeted(f"to {command.receiver}")], [Greeted(f"from {command.sender}")]


async def test_what_is_personal_is_sealed_under_the_key_of_each_entity() -> None:
    log, keys, composition = MemoryLog(), MemoryKeys(), compose([post])

    async def send() -> Receipt | Rejection:
        actors = Actors(composition, log, HandClock(jumps=True), "cim:test", sealing=Sealing(keys))
        ref, command = Ref("post", "Member", "ada"), Greet("ada", "bob")
        digest = content_digest(ref, "Greet", codec.write([command]))
        return await actors.handle(Asked(ref, command, Origin.root("g1", "tester"), digest))

    first = await send()
    assert isinstance(first, Receipt)
    stored_now = [commit async for commit in log.read(">")]
    assert all(b"from" not in one.body and b"to " not in one.body for one in stored_now)
    assert [persons_in(one.body) for one in stored_now] == [{"post.Member.bob"}, {"post.Member.ada"}]
    opened = [Sealing(keys).body(one) for one in stored_now]
    assert (b"from ada" in opened[0], b"to bob" in opened[1]) == (True, True)
    keys.destroy("post.Member.bob")
    assert b"from ada" not in Sealing(keys).body(stored_now[0])
    assert await send() == first


class Between(MemoryLog):
    """A log where something comes between the reads of two entities, once."""

    def __init__(self) -> None:
        super().__init__()
        self.deeds: list[Asked] = []

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        async for commit in super().read(subject, after):
            yield commit
        if subject.endswith(".b") and self.deeds:
            deed = self.deeds.pop()
            await Actors(COMPOSITION, self, HandClock(jumps=True), "cim:test").handle(deed)


async def test_what_comes_between_the_reads_of_two_entities_is_no_torn_write() -> None:
    log = Between()
    await process(log).handle(ask(Put("a", 8), "first"))
    log.deeds.append(ask(Move("b", "a", 1), "m1"))
    await process(log).handle(ask(Put("b", 1), "second"))
    log.deeds.append(ask(Move("a", "b", 2), "m2"))
    # It reads b first; then the same command, sent again, is written by another process; then it reads a.
    assert await process(log).handle(ask(Move("a", "b", 2), "m2")) == await process(log).handle(
        ask(Move("a", "b", 2), "m2")
    )
    assert (await amounts(log))["b"] in (2, 3)


class Deaf(MemoryLog):
    """A log whose answers to writes that span entities are lost, some of them."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self.lost = lost

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        answer = await super().attempt_together(parts)
        self.lost -= 1
        return Unclear("no answer") if self.lost >= 0 else answer


async def test_a_lost_answer_is_settled_by_reading_back() -> None:
    log = Deaf(2)
    actors = process(log)
    await actors.handle(ask(Put("a", 8), "first"))
    assert await actors.handle(ask(Move("a", "b", 3), "m1")) == Receipt("m1", "a", 3, "m1")
    assert await actors.handle(ask(Move("a", "b", 1), "m2")) == Receipt("m2", "a", 5, "m2")
    assert await amounts(log) == {"a": 4, "b": 4}


async def test_half_a_write_is_told_by_name() -> None:
    log = MemoryLog()
    await process(log).handle(ask(Put("a", 8), "first"))
    await process(log).handle(ask(Move("a", "b", 3), "m1"))
    torn = MemoryLog()
    async for commit in log.read(">"):
        if not commit.subject.endswith(".b"):
            await torn.attempt(commit, {1: 0, 3: 1}[commit.sequence])
    with pytest.raises(BrokenChain, match=r"m1 was written to jars\.Jar a and not to the others of its rule"):
        await process(torn).handle(ask(Move("a", "b", 3), "m1"))
    together = Together()
    async for commit in torn.read(">"):
        together.take(commit)
    assert together.faults() == [
        "evt.jars.Jar.a #2 was written together with evt.jars.Jar.b #1, which is missing or another"
    ]

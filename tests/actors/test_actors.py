"""Entities at their mailboxes: one effect a command, whoever races, loses the link or starts again."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest

from cim import Command, Context, Event, Reject, State
from cim.actors.actors import Actors
from cim.actors.request import Asked, Receipt, Rejection, content_digest
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.codec import BadBody
from cim.contract.composition import Composition, Unknown, compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.append import OutcomeUnknown
from cim.log.chain import BrokenChain, Chains, Head
from cim.ports.log import LinkLost, Stored, Unclear
from cim.testing.clock import HandClock


class Put(Command):
    jar: str
    amount: int


class Shake(Command):
    jar: str


class Spoil(Command):
    """A module's mistakes, by name."""

    jar: str
    how: str


class Added(Event):
    jar: str
    amount: int


class Pour(Command):
    jar: str


class Emptied(Event):
    jar: str


class Smashed(Event):
    """Evolve does not take it."""

    jar: str


shop = Context("shop")


@shop.entity(key="jar")
class Jar(State):
    """Holds ten."""

    amount: int = 0
    puts: int = 0

    def decide(self, command: Put | Pour | Shake | Spoil) -> Iterable[Added | Emptied]:
        match command:
            case Put(jar, amount):
                if self.amount + amount > 10:
                    raise Reject(f"only {10 - self.amount} fit")
                return [Added(jar, amount)]
            case Pour(jar):
                return [Emptied(jar)]
            case Shake():
                return []
            case Spoil(jar, "undeclared"):
                return [Smashed(jar)]  # type: ignore[list-item]
            case Spoil(jar, "type"):
                return [Added(jar, "three")]  # type: ignore[arg-type]
            case Spoil(jar, "evolve"):
                return [Added(jar, -1)]
            case Spoil():
                raise ZeroDivisionError(command.how)

    def evolve(self, event: Added | Emptied) -> "Jar":
        if isinstance(event, Emptied):
            return self.but(amount=0)
        if event.amount < 0:
            raise ValueError("less than nothing")
        return self.but(amount=self.amount + event.amount, puts=self.puts + 1)


@pytest.fixture
def composition() -> Composition:
    return compose([shop])


def ask(command: Put | Pour | Shake | Spoil, id: str) -> Asked:
    ref = Ref("shop", "Jar", command.jar)
    name = type(command).__name__
    digest = content_digest(ref, name, codec.encode([codec.item(command)]))
    return Asked(ref, command, Origin.root(id, "tester"), digest)


def actors(log: MemoryLog, composition: Composition, warm: int = 100) -> Actors:
    return Actors(composition, log, HandClock(jumps=True), "cim:test", warm)


async def stored(log: MemoryLog) -> list[Commit]:
    commits = [commit async for commit in log.read(">")]
    chains = Chains()
    for commit in commits:
        chains.advance(commit)
    return commits


async def state(log: MemoryLog, jar: str = "j1") -> Jar:
    """The jar as its history says."""
    found = Jar()
    async for commit in log.read(f"evt.shop.Jar.{jar}"):
        for item in codec.decode(commit.body):
            known: type[Added] | type[Emptied] = Added if item.type == "Added" else Emptied
            found = found.evolve(codec.typed(item.data, known))
    return found


async def test_a_command_sent_again_gets_its_first_receipt(composition: Composition) -> None:
    log = MemoryLog()
    here = actors(log, composition)
    first = await here.handle(ask(Put("j1", 6), "c1"))
    assert first == Receipt("c1", "j1", 1, "c1")
    assert await here.handle(ask(Put("j1", 1), "c2")) == Receipt("c2", "j1", 2, "c2")
    assert await here.handle(ask(Put("j1", 6), "c1")) == first
    # After a restart, and in another process that knows nothing yet, it is the same.
    assert await actors(log, composition).handle(ask(Put("j1", 6), "c1")) == first
    assert await state(log) == Jar(7, 2)


async def test_a_warm_entity_hears_of_a_command_that_another_process_took(composition: Composition) -> None:
    log = MemoryLog()
    here, there = actors(log, composition), actors(log, composition)
    await here.handle(ask(Put("j1", 1), "c0"))
    first = await there.handle(ask(Put("j1", 9), "c1"))
    # Here the jar still seems to hold one, and c1 was never seen.
    assert await here.handle(ask(Put("j1", 9), "c1")) == first
    assert await state(log) == Jar(10, 2)


async def test_a_rejection_is_never_made_on_what_is_no_longer_so(composition: Composition) -> None:
    log = MemoryLog()
    here, there = actors(log, composition), actors(log, composition)
    await here.handle(ask(Put("j1", 10), "c1"))
    await there.handle(ask(Pour("j1"), "c2"))
    # Here the jar still seems full, and no append would tell: a rejection appends nothing.
    assert await here.handle(ask(Put("j1", 5), "c3")) == Receipt("c3", "j1", 3, "c3")
    assert await here.handle(ask(Put("j1", 6), "c4")) == Rejection("shop.Jar j1", "only 5 fit")


async def test_the_same_id_with_other_content_is_rejected_by_name(composition: Composition) -> None:
    log = MemoryLog()
    here, there = actors(log, composition), actors(log, composition)
    await here.handle(ask(Put("j1", 6), "c1"))
    reason = "id c1 was used at sequence 1 for another command: give this one an id of its own"
    for other in (Put("j1", 1), Shake("j1")):
        for place in (here, there):
            assert await place.handle(ask(other, "c1")) == Rejection("shop.Jar j1", reason)
    assert await state(log) == Jar(6, 1)


async def test_two_contents_under_one_id_race_and_one_wins(composition: Composition) -> None:
    log = MemoryLog()
    outcomes = await asyncio.gather(
        actors(log, composition).handle(ask(Put("j1", 6), "c1")),
        actors(log, composition).handle(ask(Put("j1", 1), "c1")),
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Receipt", "Rejection"]
    assert len(await stored(log)) == 1


async def test_what_stands_in_the_log_under_an_id_counts_and_not_what_was_decided_here(
    composition: Composition,
) -> None:
    log = MemoryLog()
    here, there = actors(log, composition), actors(log, composition)
    await here.handle(ask(Put("j1", 1), "c0"))
    await there.handle(ask(Put("j1", 7), "c1"))
    assert isinstance(await here.handle(ask(Put("j1", 2), "c1")), Rejection)
    # Eight are in the jar. Had the two that were decided here counted, this would fit.
    assert await here.handle(ask(Put("j1", 3), "c2")) == Rejection("shop.Jar j1", "only 2 fit")
    assert await here.handle(ask(Put("j1", 2), "c2")) == Receipt("c2", "j1", 3, "c2")


async def test_a_rejection_leaves_no_trace_and_is_decided_anew(composition: Composition) -> None:
    log = MemoryLog()
    here = actors(log, composition)
    assert await here.handle(ask(Put("j1", 11), "c1")) == Rejection("shop.Jar j1", "only 10 fit")
    assert await stored(log) == []
    await here.handle(ask(Put("j1", 6), "c2"))
    assert await here.handle(ask(Put("j1", 11), "c1")) == Rejection("shop.Jar j1", "only 4 fit")
    # The same id may even come with another content: it was never used.
    assert isinstance(await here.handle(ask(Put("j1", 4), "c1")), Receipt)
    assert await state(log) == Jar(10, 2)


async def test_a_decision_without_an_event_is_an_empty_commit(composition: Composition) -> None:
    log = MemoryLog()
    first = await actors(log, composition).handle(ask(Shake("j1"), "c1"))
    assert first == Receipt("c1", "j1", 1, "c1")
    (commit,) = await stored(log)
    assert (commit.body, commit.id, commit.number) == (b"[]", "c1", 1)
    assert commit.request is not None
    assert commit.request.startswith("Shake/")
    assert await actors(log, composition).handle(ask(Shake("j1"), "c1")) == first


async def test_a_commit_says_who_asked_what_for_whom(composition: Composition) -> None:
    log = MemoryLog()
    asked = ask(Put("j1", 3), "c9")
    origin = Origin.root("c1", "tester").child("c9")
    await actors(log, composition).handle(Asked(asked.ref, asked.command, origin, asked.digest))
    (commit,) = await stored(log)
    assert commit.origin == Origin("c9", "c1", "c1", "tester")
    assert (commit.subject, commit.type, commit.source) == (
        "evt.shop.Jar.j1",
        "shop.Jar.Committed",
        "cim:test",
    )
    assert commit.time == "2026-01-02T03:04:05.000000Z"
    assert commit.request == asked.digest


async def test_two_processes_never_both_succeed_on_the_same_state(composition: Composition) -> None:
    """200 commands race on five jars that hold ten: what was granted fits, and not one more."""
    log, chance = MemoryLog(), random.Random(7)
    places = [actors(log, composition, warm=3), actors(log, composition)]
    commands = [ask(Put(f"j{chance.randrange(5)}", chance.randrange(1, 4)), f"c{n}") for n in range(200)]
    # Every tenth goes to both at once, as a sender does who lost patience.
    sent = [(places[n % 2], one) for n, one in enumerate(commands)]
    sent += [(places[1 - n % 2], one) for n, one in enumerate(commands) if n % 10 == 0]
    chance.shuffle(sent)
    outcomes = await asyncio.gather(*(place.handle(one) for place, one in sent))
    granted: dict[str, Receipt] = {}
    for (_, one), outcome in zip(sent, outcomes, strict=True):
        if isinstance(outcome, Receipt):
            assert granted.setdefault(one.origin.id, outcome) == outcome
    commits = await stored(log)
    assert {commit.id: commit.sequence for commit in commits} == {
        id: receipt.sequence for id, receipt in granted.items()
    }
    assert len(commits) == len(granted)
    for jar in range(5):
        amounts = [
            one.command.amount
            for one in commands
            if isinstance(one.command, Put) and one.ref.id == f"j{jar}" and one.origin.id in granted
        ]
        found = await state(log, f"j{jar}")
        assert found == Jar(sum(amounts), len(amounts))
        assert 8 <= found.amount <= 10


class LosingLog(MemoryLog):
    """Loses requests and acknowledgements by chance, and has a link that can be cut."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance, self.is_cut = chance, False

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        if self.is_cut:
            return Unclear("no answer")
        fate = self.chance.choice(["ok", "ack lost", "request lost"])
        if fate == "request lost":
            return Unclear("no answer")
        answer = await super().attempt(commit, expected)
        return Unclear("no answer") if fate == "ack lost" else answer

    async def next_on(self, subject: str, after: int) -> Commit | None:
        if self.is_cut or self.chance.random() < 0.2:
            raise LinkLost("cut")
        return await super().next_on(subject, after)


async def test_each_command_has_one_effect_over_a_link_that_loses(composition: Composition) -> None:
    log = LosingLog(random.Random(3))
    places = [actors(log, composition), actors(log, composition)]
    commands = [ask(Put(f"j{n % 4}", 1), f"c{n}") for n in range(32)]
    outcomes = await asyncio.gather(*(places[n % 2].handle(one) for n, one in enumerate(commands)))
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert sorted(commit.id for commit in await stored(log)) == sorted(one.origin.id for one in commands)


async def test_after_an_unknown_outcome_the_same_id_is_safe(composition: Composition) -> None:
    log = LosingLog(random.Random(1))
    here = actors(log, composition)
    await here.handle(ask(Put("j1", 1), "c0"))
    log.is_cut = True
    with pytest.raises(OutcomeUnknown, match="outcome of c1 unknown after 10 s"):
        await here.handle(ask(Put("j1", 2), "c1"))
    log.is_cut = False
    assert isinstance(await here.handle(ask(Put("j1", 2), "c1")), Receipt)
    assert await state(log) == Jar(3, 2)


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        (
            "undeclared",
            Exception,
            r"event Smashed that was just decided is not declared by shop\.Jar; .*: Added, Emptied",
        ),
        ("type", BadBody, r"Added: Expected `int`, got `str` - at `\$\.amount`"),
        ("evolve", ValueError, "less than nothing"),
        ("oops", ZeroDivisionError, "oops"),
    ],
)
async def test_a_decision_that_could_not_be_read_back_is_never_written(
    composition: Composition, how: str, error: type[Exception], said: str
) -> None:
    log = MemoryLog()
    here = actors(log, composition)
    await here.handle(ask(Put("j1", 1), "c1"))
    with pytest.raises(error, match=said):
        await here.handle(ask(Spoil("j1", how), "c2"))
    assert len(await stored(log)) == 1
    assert isinstance(await here.handle(ask(Put("j1", 2), "c3")), Receipt)


async def test_an_unknown_event_stops_its_entity_and_no_other(composition: Composition) -> None:
    log = MemoryLog()
    here = actors(log, composition)
    await here.handle(ask(Put("j1", 1), "c1"))
    await here.handle(ask(Put("j2", 1), "c2"))
    (first, *_) = await stored(log)
    newer = codec.encode([codec.Item("Relabelled", 1, {"jar": "j1"})])
    strange = Commit(
        first.subject, 0, Origin.root("c3", "newer"), "cim:test", first.type, first.time, "cim:0", newer
    )
    await log.attempt(Head().advance(first).link(strange), first.sequence)
    for _ in range(2):
        with pytest.raises(
            Exception, match=r"shop\.Jar j1: event Relabelled at sequence 3 is not declared by"
        ):
            await here.handle(ask(Put("j1", 1), "c4"))
    assert isinstance(await here.handle(ask(Put("j2", 1), "c5")), Receipt)
    assert [commit.id for commit in await stored(log)] == ["c1", "c2", "c3", "c5"]


async def test_a_broken_chain_stops_its_entity(composition: Composition) -> None:
    log = MemoryLog()
    await actors(log, composition).handle(ask(Put("j1", 1), "c1"))
    log._commits[0] = replace(log._commits[0], number=2)
    with pytest.raises(BrokenChain, match="commit 1 is missing, found number 2"):
        await actors(log, composition).handle(ask(Put("j1", 1), "c2"))


async def test_an_entity_that_nobody_declares_is_refused(composition: Composition) -> None:
    asked = ask(Put("j1", 1), "c1")
    with pytest.raises(Unknown, match=r"declares the entity shop\.Tin"):
        await actors(MemoryLog(), composition).handle(
            Asked(Ref("shop", "Tin", "j1"), asked.command, asked.origin, asked.digest)
        )


class CountingLog(MemoryLog):
    """Counts how often an entity was loaded from the start."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        if after == 0:
            self.loads.append(subject[-2:])
        return super().read(subject, after)


async def test_a_warm_entity_is_not_loaded_again_and_the_coldest_is_let_go(composition: Composition) -> None:
    log = CountingLog()
    here = actors(log, composition, warm=2)
    for number, jar in enumerate(["j1", "j2", "j1", "j2", "j1"]):
        await here.handle(ask(Put(jar, 1), f"c{number}"))
    assert log.loads == ["j1", "j2"]
    for number, jar in enumerate(["j3", "j1", "j2"]):
        await here.handle(ask(Put(jar, 1), f"d{number}"))
    assert log.loads == ["j1", "j2", "j3", "j2"]


async def test_a_command_that_is_given_up_half_way_does_not_harm_the_next(composition: Composition) -> None:
    class SlowLog(MemoryLog):
        stored = asyncio.Event()

        async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
            answer = await super().attempt(commit, expected)
            if commit.id == "c1":
                self.stored.set()
                await asyncio.Event().wait()
            return answer

    log = SlowLog()
    here = actors(log, composition)
    given_up = asyncio.create_task(here.handle(ask(Put("j1", 6), "c1")))
    await log.stored.wait()
    given_up.cancel()
    assert await here.handle(ask(Put("j1", 6), "c2")) == Rejection("shop.Jar j1", "only 4 fit")
    assert await here.handle(ask(Put("j1", 6), "c1")) == Receipt("c1", "j1", 1, "c1")
    assert await state(log) == Jar(6, 1)

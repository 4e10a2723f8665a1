"""Laws of snapshots: whatever becomes of them, snapshot and tail are the whole fold, no id is forgotten."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cim.actors.actors import Actors
from cim.actors.past import Keeping
from cim.actors.request import Receipt
from cim.adapters.memory.log import MemoryLog
from cim.adapters.memory.snapshots import MemorySnapshots
from cim.contract.envelope import Commit
from cim.log.chain import Chains
from cim.ports.snapshots import Snapshot
from cim.testing.clock import HandClock
from cim.testing.jars import HOLDS, Pour, Put
from cim.testing.machine import COMPOSITION, ask
from cim.world.world import World

LAWS = settings(deadline=None, database=None, derandomize=True, max_examples=300)

JARS = st.sampled_from(["a", "b", "c"])
COMMANDS = st.builds(Pour, jar=JARS) | st.builds(Put, jar=JARS, amount=st.integers(1, HOLDS))
WHERE = st.integers(0, 2)

FORGED: dict[str, Callable[[Snapshot], Snapshot]] = {
    "digest": lambda one: replace(one, digest="0" * 64),
    "sequence": lambda one: replace(one, sequence=one.sequence + 1),
    "ahead": lambda one: replace(one, sequence=one.sequence + 1000),
    "state": lambda one: replace(one, state=b"{"),
    "version": lambda one: replace(one, version="older"),
}
DEEDS = st.lists(
    st.tuples(st.just("command"), WHERE, COMMANDS)
    | st.tuples(st.just("command"), WHERE, COMMANDS)
    | st.tuples(st.just("command"), WHERE, COMMANDS)
    | st.tuples(st.just("again"), WHERE, st.integers(0, 100))
    | st.tuples(st.just("restart"), WHERE, st.none())
    | st.tuples(st.just("newer code"), WHERE, st.none())
    | st.tuples(st.just("thrown away"), WHERE, st.none())
    | st.tuples(st.just("other history"), WHERE, st.none())
    | st.tuples(st.just("wait"), WHERE, st.integers(0, 5))
    | st.tuples(st.just("forged"), WHERE, st.sampled_from(sorted(FORGED))),
    min_size=10,
    max_size=60,
)


class Life:
    """Three processes on one log: two with one store, the third with its own; they keep often."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        shared = MemorySnapshots()
        self.stores = [shared, shared, MemorySnapshots()]
        self.codes = ["1", "1", "1"]
        self.actors = [self.opened(where) for where in range(3)]

    def opened(self, where: int) -> Actors:
        """A process that has just started."""
        keeping = Keeping(self.stores[where], lambda text: None, every=3, parting=1)
        entities = {
            name: replace(kind, version=self.codes[where]) for name, kind in COMPOSITION.entities.items()
        }
        composition = replace(COMPOSITION, entities=entities)
        return Actors(composition, self.log, HandClock(jumps=True), "cim:test", 2, keeping=keeping)


async def elsewhere() -> MemorySnapshots:
    """The snapshots of another history of the same jars."""
    life = Life()
    for jar in "abc":
        for number in range(3):
            await life.actors[0].handle(ask(Put(jar, 1), f"{jar}{number}"))
        await asyncio.sleep(0)
    return life.stores[0]


@LAWS
@given(DEEDS)
def test_whatever_becomes_of_snapshots_each_command_has_one_effect(
    deeds: list[tuple[str, int, object]],
) -> None:
    async def check() -> None:
        life, sent, first = Life(), list[Put | Pour](), dict[int, Receipt]()
        for deed, where, what in deeds:
            store = life.stores[where]
            if deed == "command" and isinstance(what, Put | Pour):
                sent.append(what)
                await answered(life, where, len(sent) - 1, sent, first)
            elif deed == "again" and isinstance(what, int) and sent:
                await answered(life, where, what % len(sent), sent, first)
            elif deed == "wait" and isinstance(what, int):
                for _ in range(what):
                    await asyncio.sleep(0)
            elif deed == "newer code":
                life.codes[where] += "1"
                life.actors[where] = life.opened(where)
            elif deed == "restart":
                life.actors[where] = life.opened(where)
            elif deed == "thrown away":
                store._kept.clear()
            elif deed == "other history":
                store._kept.update((await elsewhere())._kept)
                life.actors = [life.opened(one) for one in range(3)]
            elif deed == "forged" and isinstance(what, str):
                store._kept = {name: (FORGED[what](one), ids) for name, (one, ids) in store._kept.items()}
                life.actors = [life.opened(one) for one in range(3)]
        for where in range(3):
            for number in range(len(sent)):
                if number in first:
                    await answered(life, where, number, sent, first)
        await held(life.log, sent, first)

    asyncio.run(check())


async def answered(
    life: Life, where: int, number: int, sent: list[Put | Pour], first: dict[int, Receipt]
) -> None:
    """Send a command; it must be granted where the log's own fold grants it, and once."""
    command = sent[number]
    amount = (await amounts(life.log))[command.jar]
    outcome = await life.actors[where].handle(ask(command, f"c{number}"))
    if where:  # else what is to be kept waits for another turn of the loop
        await asyncio.sleep(0)
    if number in first:
        assert outcome == first[number]
    elif isinstance(command, Put) and amount + command.amount > HOLDS:
        assert getattr(outcome, "reason", None) == f"only {HOLDS - amount} fit"
    else:
        assert isinstance(outcome, Receipt)
        first[number] = outcome


async def amounts(log: MemoryLog) -> dict[str, int]:
    """What each jar holds by the whole history, with no snapshot in the way."""
    world = World(COMPOSITION)
    async for commit in log.read(">"):
        world.apply(commit)
    found = {one.ref.id: getattr(one.state, "amount", 0) async for one in world.entities.each()}
    return defaultdict(int, found)


async def held(log: MemoryLog, sent: list[Put | Pour], first: dict[int, Receipt]) -> None:
    commits: list[Commit] = [commit async for commit in log.read(">")]
    chains = Chains()
    for commit in commits:
        chains.advance(commit)
    assert sorted(commit.id for commit in commits) == sorted(f"c{number}" for number in first)
    for number, receipt in first.items():
        found = commits[receipt.sequence - 1]
        assert (found.id, found.subject) == (f"c{number}", ask(sent[number], "").ref.events)

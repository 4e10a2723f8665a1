"""Laws of commands: one effect an id, order per entity, and a replay that gives what a dictionary gives."""

import asyncio
from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from cim.actors.actors import Actors
from cim.actors.request import Receipt, Rejection
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.release import release
from cim.testing.clock import HandClock
from cim.testing.jars import HOLDS, Pour, Put
from cim.testing.machine import COMPOSITION, ask
from cim.world.world import World

LAWS = settings(deadline=None, database=None, derandomize=True, max_examples=150)

JARS = st.sampled_from(["a", "b", "c"])
COMMANDS = st.builds(Pour, jar=JARS) | st.builds(Put, jar=JARS, amount=st.integers(1, HOLDS))
LISTS = st.lists(COMMANDS, max_size=20)

Model = dict[str, tuple[int, int]]
Outcome = Receipt | Rejection


def processes(log: MemoryLog, count: int) -> list[Actors]:
    return [Actors(COMPOSITION, log, HandClock(jumps=True), "cim:test", warm=2) for _ in range(count)]


def modelled(model: Model, command: Put | Pour) -> bool:
    """Whether the dictionary grants the command; it then holds what follows: amount and number of events."""
    amount, deeds = model.get(command.jar, (0, 0))
    if isinstance(command, Pour):
        model[command.jar] = amount // 2, deeds + 1
        return True
    if amount + command.amount > HOLDS:
        return False
    model[command.jar] = amount + command.amount, deeds + (2 if command.amount > 1 else 1)
    return True


async def replayed(log: MemoryLog, sizes: list[int] | None = None) -> World:
    """A new world that takes the log in by batches of these sizes, in turn; one by one without any."""
    world, left = World(COMPOSITION), [commit async for commit in log.read(">")]
    turn = 0
    while left:
        size = sizes[turn % len(sizes)] if sizes else 1
        await world.take(left[:size])
        left, turn = left[size:], turn + 1
    await world.take([])
    return world


async def states(world: World) -> Model:
    found = {one.ref.id: codec.plain(one.state) async for one in world.entities.each()}
    return {id: (state["amount"], state["deeds"]) for id, state in found.items()}


@LAWS
@given(LISTS, st.data())
def test_a_replay_gives_what_a_dictionary_gives(commands: list[Put | Pour], data: st.DataObject) -> None:
    """Whichever process takes each command, and however the log is cut into batches."""
    turns = data.draw(st.lists(st.integers(0, 2), min_size=len(commands), max_size=len(commands)))
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))

    async def check() -> None:
        log, model = MemoryLog(), Model()
        some = processes(log, 3)
        for number, (command, turn) in enumerate(zip(commands, turns, strict=True)):
            outcome = await some[turn].handle(ask(command, f"c{number}"))
            assert isinstance(outcome, Receipt) == modelled(model, command)
        one, other = await replayed(log), await replayed(log, sizes)
        assert await states(one) == model
        assert (await one.fingerprint(), one.digest) == (await other.fingerprint(), other.digest)

    asyncio.run(check())


@LAWS
@given(LISTS, st.data())
def test_any_interleaving_of_resends_has_one_effect_and_one_receipt(
    commands: list[Put | Pour], data: st.DataObject
) -> None:
    numbers = list(range(len(commands)))
    sends = data.draw(st.permutations(numbers * 3))
    turns = data.draw(st.lists(st.integers(0, 2), min_size=len(sends), max_size=len(sends)))
    waits = data.draw(st.lists(st.integers(0, 9), min_size=len(sends), max_size=len(sends)))

    async def sent(some: list[Actors], number: int, turn: int, wait: int) -> tuple[int, Outcome]:
        for _ in range(wait):
            await asyncio.sleep(0)
        return number, await some[turn].handle(ask(commands[number], f"c{number}"))

    async def check() -> None:
        log = MemoryLog()
        some = processes(log, 3)
        tries = (sent(some, *how) for how in zip(sends, turns, waits, strict=True))
        receipts: dict[str, set[Receipt]] = defaultdict(set)
        for number, outcome in await asyncio.gather(*tries):
            if isinstance(outcome, Receipt):
                receipts[f"c{number}"].add(outcome)
        commits = [commit async for commit in log.read(">")]
        assert Counter(commit.id for commit in commits) == Counter(receipts.keys())
        for commit in commits:
            assert {one.sequence for one in receipts[commit.id]} == {commit.sequence}
        assert await (await replayed(log)).fingerprint()

    asyncio.run(check())


@LAWS
@given(LISTS)
def test_an_entity_takes_its_commands_in_the_order_in_which_they_came(commands: list[Put | Pour]) -> None:
    async def check() -> None:
        log, model = MemoryLog(), Model()
        (one,) = processes(log, 1)
        tasks = [one.handle(ask(command, f"c{number}")) for number, command in enumerate(commands)]
        await asyncio.gather(*tasks)
        taken: dict[str, list[Commit]] = defaultdict(list)
        async for commit in log.read(">"):
            taken[commit.subject].append(commit)
        for number, command in enumerate(commands):
            if modelled(model, command):
                assert taken[ask(command, "").ref.events].pop(0).id == f"c{number}"
        assert not any(taken.values())

    asyncio.run(check())


@LAWS
@given(st.lists(COMMANDS | JARS, max_size=20), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_what_was_released_leaves_a_history_as_if_it_never_came(
    deeds: list[Put | Pour | str], sizes: list[int]
) -> None:
    """A name among the deeds: another program writes on that jar's subject, and a person releases it."""

    async def check() -> None:
        log, model, clock = MemoryLog(), Model(), HandClock(jumps=True)
        some = processes(log, 2)
        for number, deed in enumerate(deeds):
            if isinstance(deed, str):
                subject = Ref("jars", "Jar", deed).events
                at = await log.intrude(subject, {}, b"whatever")
                origin = Origin.root(f"r{number}", "person:tester")
                await release(log, clock, "cim:test", origin, subject, at, "not ours")
            else:
                outcome = await some[number % 2].handle(ask(deed, f"c{number}"))
                assert isinstance(outcome, Receipt) == modelled(model, deed)
        one, other = await replayed(log), await replayed(log, sizes)
        assert {
            id: state for id, state in (await states(one)).items() if state != (0, 0) or id in model
        } == model
        assert {entity.stopped async for entity in one.entities.each()} <= {None}
        assert (await one.fingerprint(), one.digest) == (await other.fingerprint(), other.digest)

    asyncio.run(check())

"""Entities go on from snapshots: never the truth, gone at any time, and no id is ever forgotten."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cim import Command, Context, Event, State
from cim.actors.actors import Actors
from cim.actors.past import AT_MOST, Keeping, Past
from cim.actors.request import Asked, Receipt, Rejection, content_digest
from cim.adapters.memory.log import MemoryLog
from cim.adapters.memory.snapshots import MemorySnapshots
from cim.adapters.sqlite.snapshots import SqliteSnapshots
from cim.contract import codec
from cim.contract.composition import Composition, compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.release import release
from cim.ports.snapshots import Place, Snapshot, Snapshots
from cim.testing.clock import HandClock
from cim.testing.jars import Pour, Put
from cim.testing.machine import COMPOSITION, ask

SUBJECT = "evt.jars.Jar.j1"


class ReadLog(MemoryLog):
    """Counts the commits that were read in bulk."""

    def __init__(self) -> None:
        super().__init__()
        self.read_commits = 0

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        async for commit in super().read(subject, after):
            self.read_commits += 1
            yield commit

    async def opened(self, actors: Actors) -> int:
        """How many commits are read to open the jar, whose answer must be right."""
        before = self.read_commits
        assert await actors.handle(FULL) == REJECTED
        return self.read_commits - before


FULL = ask(Put("j1", 10), "too much")
REJECTED = Rejection("jars.Jar j1", "only 9 fit")
"""What the jar of :func:`grown` answers: it holds one."""


def opened_with(
    log: MemoryLog, store: Snapshots, composition: Composition = COMPOSITION, every: int = 10
) -> Actors:
    keeping = Keeping(store, lambda text: None, every=every, parting=3)
    return Actors(composition, log, HandClock(jumps=True), "cim:test", 2, keeping=keeping)


async def grow(actors: Actors, count: int, first: int = 0) -> list[Receipt]:
    """So many commands on the jar, which holds one at their end; their receipts."""
    receipts = []
    for number in range(first, first + count):
        command = Put("j1", 1) if number == first + count - 1 else Pour("j1")
        receipt = await actors.handle(ask(command, f"c{number}"))
        assert isinstance(receipt, Receipt)
        receipts.append(receipt)
        await asyncio.sleep(0)
    await _rest()
    return receipts


async def _rest() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_entity_with_a_snapshot_reads_only_what_came_since() -> None:
    log, store = ReadLog(), MemorySnapshots()
    await grow(opened_with(log, store), 57)
    # 57 commits: the snapshot is behind the 50th, which is read to see that the log holds it.
    assert await log.opened(opened_with(log, store)) == 8
    assert await log.opened(opened_with(log, MemorySnapshots())) == 57


async def test_an_id_from_before_the_snapshot_gets_its_first_receipt() -> None:
    log, store = ReadLog(), MemorySnapshots()
    warm = opened_with(log, store)
    receipts = await grow(warm, 57)
    for actors in (warm, opened_with(log, store)):
        for number in (0, 49, 50, 55):
            assert await actors.handle(ask(Pour("j1"), f"c{number}")) == receipts[number]
        reason = "id c7 was used at sequence 8 for another command: give this one an id of its own"
        assert await actors.handle(ask(Put("j1", 2), "c7")) == Rejection("jars.Jar j1", reason)
    assert await log.last() == 57


def newer(composition: Composition) -> Composition:
    """The same modules after a change of the code that folds."""
    entities = {name: replace(kind, version="newer") for name, kind in composition.entities.items()}
    return replace(composition, entities=entities)


async def test_a_snapshot_of_other_code_is_not_used_and_made_anew() -> None:
    log, store = ReadLog(), MemorySnapshots()
    await grow(opened_with(log, store), 57)
    assert await log.opened(opened_with(log, store, newer(COMPOSITION))) == 57
    await _rest()
    found = store.load(SUBJECT)
    assert found is not None
    assert found.version == "newer"
    assert await log.opened(opened_with(log, store, newer(COMPOSITION))) < 20
    assert isinstance(await opened_with(log, store).handle(ask(Pour("j1"), "c3")), Receipt)
    assert await log.last() == 57


def forged(**changes: Any) -> Callable[[Snapshot], Snapshot]:
    return lambda snapshot: replace(snapshot, **changes)


@pytest.mark.parametrize(
    "forge",
    [
        forged(digest="0" * 64),
        forged(sequence=49),
        forged(sequence=500, number=500),
        forged(state=b'{"amount":"many"}'),
        forged(state=b"\xff\x00"),
        forged(version="older"),
    ],
)
async def test_a_snapshot_that_the_log_does_not_bear_out_is_left(
    forge: Callable[[Snapshot], Snapshot],
) -> None:
    log, store = ReadLog(), MemorySnapshots()
    receipts = await grow(opened_with(log, store), 57)
    snapshot, ids = store._kept[SUBJECT]
    store._kept[SUBJECT] = forge(snapshot), ids
    actors = opened_with(log, store)
    assert await log.opened(actors) >= 57
    assert await actors.handle(ask(Pour("j1"), "c3")) == receipts[3]


async def test_snapshots_of_another_history_are_left() -> None:
    store = MemorySnapshots()
    await grow(opened_with(MemoryLog(), store), 57)
    log = ReadLog()
    other = opened_with(log, MemorySnapshots())
    await grow(other, 30, first=100)
    actors = opened_with(log, store)
    assert await log.opened(actors) == 30
    # An id of that other history was never used in this one.
    assert isinstance(await actors.handle(ask(Pour("j1"), "c3")), Receipt)
    assert await log.last() == 31


async def test_what_another_process_appends_behind_the_snapshot_counts() -> None:
    log, store = ReadLog(), MemorySnapshots()
    here, there = opened_with(log, store), opened_with(log, MemorySnapshots())
    await grow(here, 20)
    receipts = await grow(there, 15, first=20)
    assert await log.opened(opened_with(log, store)) == 16
    assert await here.handle(FULL) == REJECTED
    for number in (22, 34):
        command = Put("j1", 1) if number == 34 else Pour("j1")
        assert await here.handle(ask(command, f"c{number}")) == receipts[number - 20]


class Forgetful(MemorySnapshots):
    """Says that it keeps, and does not."""

    async def keep(
        self, make: Callable[[], Snapshot], ids: Sequence[tuple[str, int]], behind: str | None
    ) -> bool:
        make()
        return True


class Misled(MemorySnapshots):
    """Names a place where the command is not."""

    def find(self, subject: str, id: str) -> Place:
        found = super().find(subject, id)
        return found if found.sequence is None else replace(found, sequence=found.sequence + 1)


@pytest.mark.parametrize("store", [Forgetful(), Misled()])
async def test_no_id_is_forgotten_by_a_store_that_loses_or_errs(store: MemorySnapshots) -> None:
    log = ReadLog()
    actors = opened_with(log, store)
    receipts = await grow(actors, 57)
    for number in (3, 30, 55):
        assert await actors.handle(ask(Pour("j1"), f"c{number}")) == receipts[number]
    assert await log.last() == 57


async def test_no_id_is_forgotten_when_the_snapshots_are_thrown_away_under_way() -> None:
    log, store = ReadLog(), MemorySnapshots()
    actors = opened_with(log, store)
    receipts = await grow(actors, 57)
    store._kept.clear()
    assert await actors.handle(ask(Pour("j1"), "c3")) == receipts[3]
    await grow(actors, 13, first=57)
    assert await log.opened(opened_with(log, store)) < 20
    assert await opened_with(log, store).handle(ask(Pour("j1"), "c3")) == receipts[3]


async def test_an_entity_that_is_let_go_leaves_a_snapshot() -> None:
    log, store = ReadLog(), MemorySnapshots()
    actors = opened_with(log, store)
    await grow(actors, 5)
    assert store.load(SUBJECT) is None
    for jar in ("j2", "j3"):
        await actors.handle(ask(Put(jar, 1), jar))
    await _rest()
    assert await log.opened(actors) == 1
    assert store.load("evt.jars.Jar.j2") is None, "one commit is not worth a snapshot"


async def test_memory_is_bounded_while_a_long_history_is_read_and_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, store = ReadLog(), MemorySnapshots()
    await grow(opened_with(log, MemorySnapshots(), every=10_000), 3000)
    most, taken = 0, Past.take

    def take(self: Past, commit: Commit) -> None:
        nonlocal most
        taken(self, commit)
        most = max(most, len(self.recent) + len(self._leaving))

    monkeypatch.setattr(Past, "take", take)
    actors = opened_with(log, store)
    assert await log.opened(actors) == 3000
    assert most <= 2 * AT_MOST * 10
    await grow(actors, 500, first=3000)
    assert most <= 2 * AT_MOST * 10
    assert isinstance(await actors.handle(ask(Pour("j1"), "c7")), Receipt)
    assert await log.last() == 3500


async def test_what_was_released_stays_passed_over() -> None:
    log, store = ReadLog(), MemorySnapshots()
    await grow(opened_with(log, store), 15)
    at = await log.intrude(SUBJECT, {}, b"junk")
    origin = Origin.root("r1", "person:tester")
    await release(log, HandClock(jumps=True), "cim:test", origin, SUBJECT, at, "not ours")
    actors = opened_with(log, store)
    receipts = await grow(actors, 20, first=15)
    again = opened_with(log, store)
    assert await log.opened(again) < 20
    assert await again.handle(ask(Pour("j1"), "c16")) == receipts[1]


class Note(Command):
    pad: str
    value: str


class Noted(Event):
    pad: str
    value: str


pads = Context("pads")


@pads.entity(key="pad")
class Pad(State):
    """Its value does not come back as it is."""

    value: Any = None

    def decide(self, command: Note) -> Iterable[Noted]:
        return [Noted(command.pad, command.value)]

    def evolve(self, event: Noted) -> "Pad":
        return Pad((event.value,))


def noted(number: int) -> Asked:
    command = Note("p1", "x")
    digest = content_digest(Ref("pads", "Pad", "p1"), "Note", codec.write([command]))
    return Asked(Ref("pads", "Pad", "p1"), command, Origin.root(f"n{number}", "tester"), digest)


async def test_a_state_that_would_not_come_back_is_not_kept_and_that_is_told() -> None:
    log, store, told = ReadLog(), MemorySnapshots(), list[str]()
    keeping = Keeping(store, told.append, every=10)
    actors = Actors(compose([pads]), log, HandClock(jumps=True), "cim:test", 2, keeping=keeping)
    receipts = []
    for number in range(45):
        receipts.append(await actors.handle(noted(number)))
        await asyncio.sleep(0)
    await _rest()
    assert store.load("evt.pads.Pad.p1") is None
    reason = "pads.Pad p1: no snapshot is kept of its state: Pad.value is ('x',), which would be read back"
    assert all(text.startswith(reason) for text in told)
    assert len(told) == 3, "after 10, 20 and 40 commands"
    assert await actors.handle(noted(3)) == receipts[3]


async def test_the_same_on_a_file(tmp_path: Path) -> None:
    log, told = ReadLog(), list[str]()
    file = tmp_path / "snapshots.sqlite"
    with closing(SqliteSnapshots(file, told.append)) as store:
        actors = opened_with(log, store)
        receipts = await grow(actors, 57)
        assert await actors.handle(ask(Pour("j1"), "c3")) == receipts[3]
        past = actors._warm["jars", "Jar", "j1"].past
        for _ in range(6):
            await past.written()
    with closing(SqliteSnapshots(file, told.append)) as store:
        actors = opened_with(log, store)
        assert await log.opened(actors) <= 11
        for number in (0, 30, 55):
            assert await actors.handle(ask(Pour("j1"), f"c{number}")) == receipts[number]
        file.write_bytes(b"ruined" * 10_000)
    with closing(SqliteSnapshots(file, told.append)) as store:
        assert await log.opened(opened_with(log, store)) == 57
    assert told == []


def version(factor: int, limit: int) -> str:
    def decide(self: State, command: Note) -> Iterable[Noted]:
        return [Noted(command.pad, command.value)] * limit

    def evolve(self: State, event: Noted) -> State:
        return self.but(total=factor)

    kind = type("Tally", (State,), {"__module__": __name__, "decide": decide, "evolve": evolve})
    made = Context("tallies")
    made.entity(key="pad")(kind)
    (found,) = compose([made]).entities.values()
    return found.version


def test_the_version_follows_what_folds_and_not_what_decides() -> None:
    assert version(1, 1) == version(1, 2)
    assert version(1, 1) != version(2, 1)

"""What processes wait for, kept in the world's index: who goes on from there knows what the fold does."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cim.contract.envelope import Commit, Origin
from cim.log.chain import Head
from cim.ports.index import UNKEPT, IndexRuined, Part
from cim.processes.pending import Errand, Key, Pending, Stop, Trigger, Waiting
from cim.processes.rows import REST, PendingRows
from cim.processes.step import Asks
from cim.testing.machine import COMPOSITION, Machine
from cim.testing.oracle import stored
from cim.testing.simulation import chaos

SHAPES = COMPOSITION.processes


async def lived(seed: int) -> list[Commit]:
    """The log of a simulated life, with processes that stop, ask, are refused and woken."""
    machine = Machine(random.Random(seed))
    try:
        await chaos(machine)
        return await stored(machine)
    finally:
        await machine.stop()


def known(pending: Pending) -> object:
    """All that a fold knows; that nothing follows from a trigger is said by no commit."""
    return (
        pending.sequence,
        {name: (kind.takes, kind.head, kind.instances) for name, kind in pending.kinds.items()},
        pending._asked,
    )


def fold(history: list[Commit]) -> Pending:
    pending = Pending(SHAPES)
    for commit in history:
        pending.apply(commit)
    return pending


@pytest.mark.parametrize("seed", range(5))
def test_it_goes_on_from_any_place_as_if_it_had_read_all(seed: int) -> None:
    """Each start writes what changed a few commits at a time, and the next one goes on from there."""
    history, chance = asyncio.run(lived(seed)), random.Random(seed)
    kept: dict[Part, bytes] = {}
    place, parts = 0, 0
    while place < len(history):
        pending = Pending(SHAPES)
        rows = PendingRows(pending)
        rows.go_on(place, kept.items())
        assert known(pending) == known(fold(history[:place]))
        for _ in range(chance.randint(1, 3)):
            length = chance.randint(1, 12)
            for commit in history[place : place + length]:
                pending.apply(commit)
            place = min(place + length, len(history))
            put(kept, rows.changed())
            parts = max(parts, len(kept))
        assert rows.changed() == {}
    assert parts > 3


def test_the_timers_of_one_that_goes_on_are_watched() -> None:
    history = asyncio.run(lived(2))
    with_timers = 0
    for place in range(0, len(history), 10):
        before, again = fold(history[:place]), Pending(SHAPES)
        rows = PendingRows(before)
        for key, _ in before.instances():
            before.touched(key)
        PendingRows(again).go_on(place, [(part, body) for part, body in rows.changed().items() if body])
        due = {key for key, waiting in before.instances() if waiting.alarms}
        assert {*again.watched.pop(datetime.max.replace(tzinfo=UTC))} == due
        with_timers += len(due)
    assert with_timers > 5


def put(kept: dict[Part, bytes], changed: Mapping[Part, bytes | None]) -> None:
    for part, body in changed.items():
        assert part in kept or body is not None or part[2] == REST, f"{part} was never there"
        kept.pop(part, None)
        kept |= {} if body is None else {part: body}
    assert all(kept.values())


@pytest.fixture
def key() -> Key:
    return (next(iter(Pending(SHAPES).kinds)), "one")


def waiting_in(pending: Pending, key: Key) -> Waiting:
    return pending.kinds[key[0]].instances.setdefault(key[1], Waiting())


def commit(sequence: int) -> Commit:
    given = Commit("evt.jars.Jar.a", 0, Origin.root(f"c{sequence}", "tester"), "cim:t", "t", "", "", b"[]")
    return Head().link(given).at(sequence)


def test_of_one_that_stands_still_each_event_that_comes_is_written_once(key: Key) -> None:
    pending = Pending(SHAPES)
    rows = PendingRows(pending)
    waiting = waiting_in(pending, key)
    waiting.stop = Stop(commit(1), "w", "it raised")
    for sequence in range(2, 50):
        waiting.triggers.append(Trigger(f"t{sequence}", commit(sequence), (0,)))
        pending.touched(key)
        pending.sequence = sequence
        assert rows.changed().keys() == {(*key, REST), (*key, sequence)}
    waiting.drop("t47")
    pending.touched(key)
    gone = {part for part, body in rows.changed().items() if body is None}
    assert gone == {(*key, sequence) for sequence in range(2, 48)}


def test_what_json_cannot_hold_is_told_as_not_kept(key: Key) -> None:
    pending = Pending(SHAPES)
    rows = PendingRows(pending)
    order = Asks("a1", "jars.Put", "evt.jars.Jar.a", object())
    waiting_in(pending, key).errands["a1"] = Errand("e1", order, Origin.root("c1", "tester"))
    pending.touched(key)
    assert rows.changed() == {(*key, REST): UNKEPT}


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}", b"[[],[],null,null]"])
def test_what_was_kept_and_cannot_be_read_ruins_the_index(key: Key, body: bytes) -> None:
    with pytest.raises(IndexRuined, match="one: what was kept of what it waits for cannot be read"):
        PendingRows(Pending(SHAPES)).go_on(1, [((*key, REST), body)])
    with pytest.raises(IndexRuined, match=r"gone\.Process one: what was kept"):
        PendingRows(Pending(SHAPES)).go_on(1, [(("gone.Process", "one", 7), body)])


def test_other_code_that_says_who_takes_what_has_another_version() -> None:
    other = replace(SHAPES[0], key="other")
    found = {PendingRows(Pending(kinds)).version for kinds in (SHAPES, [other], ())}
    assert len(found) == 3

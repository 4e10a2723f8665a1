"""The world: folded from the log, the same every time, and never brought down by one entity."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from cim import Changed, Command, Component, Context, Event, State
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.chain import Head
from cim.world.entity import Entity
from cim.world.world import World, value_of

Start = Callable[..., Any]


class Write(Command):
    note: str
    text: str


class Touch(Command):
    note: str


class Written(Event):
    note: str
    text: str


notes, late = Context("notes"), Context("late")


@notes.entity(key="note")
class Note(State):
    text: str = ""

    def decide(self, command: Write | Touch) -> Iterable[Written]:
        return [Written(command.note, command.text)] if isinstance(command, Write) else []

    def evolve(self, event: Written) -> "Note":
        if event.text == "poison":
            raise ZeroDivisionError("evolve must not refuse")
        return self.but(text=event.text)


@notes.component(of=Note)
class Upper(Component):
    text: str


@late.component(of=Note)
class Length(Component):
    size: int


@notes.system
def upper(note: Changed[Note]) -> Upper:
    return Upper(note.text.upper())


@late.system
def length(upper: Changed[Upper]) -> Length:
    return Length(len(upper.text))


N1 = Ref("notes", "Note", "n1")


def written(head: Head, text: str, *, id: str = "c1", type: str = "Written") -> Commit:
    body = codec.encode([codec.Item(type, 1, {"note": "n1", "text": text})])
    return head.link(
        Commit(
            N1.events, 0, Origin.root(id, "tester"), "cim:test", "notes.Note.Committed", "t", "cim:0", body
        )
    )


def world(*contexts: Context) -> World:
    return World(compose(contexts or (notes, late)))


async def replayed(log: MemoryLog, *contexts: Context) -> World:
    found = world(*contexts)
    await found.take([commit async for commit in log.read(">")])
    return found


@pytest.fixture
async def lived(start: Start) -> MemoryLog:
    """A log with two notes that were written and read."""
    process = start(MemoryLog(), notes, late)
    for id, text in [("n1", "abc"), ("n2", "de"), ("n1", "abcd")]:
        await process.send(Write(id, text), f"c{text}")
        await process.idle()
    log: MemoryLog = process.log
    return log


async def test_an_entity_is_shown_in_its_stable_shape(lived: MemoryLog) -> None:
    entity = await (await replayed(lived)).entities.get(N1)
    assert entity.state == Note("abcd")
    shown = entity.shown()
    assert shown["components"].keys() == {"Upper", "late.Length"}
    length = shown["components"].pop("late.Length")
    assert (length["value"], length["by"]) == ({"size": 4}, "late.length")
    assert length.keys() == {"value", "sequence", "by", "time"}
    shown["components"].clear()
    assert shown == {"id": "n1", "sequence": 9, "state": {"text": "abcd"}, "components": {}}
    assert (entity.first, entity.sequence) == (1, 9)
    assert value_of(entity, "Upper") == {"text": "ABCD"}
    assert value_of(entity, "Nothing") is None


async def test_the_same_history_makes_the_same_world(lived: MemoryLog) -> None:
    one, two = await replayed(lived), await replayed(lived)
    assert (one.digest, await one.fingerprint()) == (two.digest, await two.fingerprint())
    shorter = world()
    async for commit in lived.read(">"):
        if commit.sequence < 9:
            shorter.apply(commit)
    assert shorter.digest != one.digest
    assert await shorter.fingerprint() != await one.fingerprint()


async def test_a_rewritten_commit_changes_the_digest_though_the_values_are_the_same(lived: MemoryLog) -> None:
    one, two = world(), world()
    async for commit in lived.read(">"):
        one.apply(commit)
        two.apply(replace(commit, source="cim:forged") if commit.sequence == 6 else commit)
    assert await one.fingerprint() == await two.fingerprint()
    assert one.digest != two.digest


async def test_without_its_module_an_entity_keeps_its_components_and_has_no_state(lived: MemoryLog) -> None:
    entity = await (await replayed(lived, late)).entities.get(N1)
    assert entity.state is None
    assert entity.exists
    assert entity.shown()["state"] is None
    assert value_of(entity, "Upper") == {"text": "ABCD"}
    assert entity.stopped is None


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (lambda head: written(head, "b", type="Erased"), r"sequence 2: notes\.Note declares no event Erased"),
        (
            lambda head: written(head, "poison"),
            "sequence 2: evolve raised ZeroDivisionError: evolve must not",
        ),
        (lambda head: written(Head(1, 5, head.digest), "b"), "commit 2 is missing, found number 6"),
        (lambda head: written(Head(1, 1, "ab" * 32), "b"), "names abababababab… as the one before"),
        (
            lambda head: replace(written(head, "b"), body=b'[{"type":"Written","version":1,"data":{}}]'),
            "Written: Obj",
        ),
        (lambda head: replace(written(head, "b"), body=b"{"), "body is not a JSON array"),
    ],
    ids=["unknown event", "evolve", "gap", "forged", "shape", "body"],
)
async def test_what_cannot_be_folded_stops_its_entity_and_no_other(
    second: Callable[[Head], Commit], said: str
) -> None:
    found, told = world(), list[Entity]()
    found.listen(told.append)
    first = written(Head(), "a").at(1)
    bad = second(Head().advance(first)).at(2)
    other = Ref("notes", "Note", "n2")
    good = replace(written(Head(), "c"), subject=other.events).at(3)
    await found.take([first, bad, good])
    stopped = await found.entities.get(N1)
    assert stopped.stopped is not None
    assert said.replace("\\", "") in stopped.stopped
    assert stopped.state == Note("a")
    assert stopped.shown()["stopped"] == stopped.stopped
    assert (stopped.sequence, found.sequence) == (2, 3)
    assert (await found.entities.get(other)).state == Note("c")
    assert (await found.entities.get(other)).stopped is None
    assert [entity.ref.id for entity in told] == ["n1", "n1", "n2"]


async def test_a_stopped_entity_follows_no_longer_and_keeps_its_cause() -> None:
    found = world()
    first = written(Head(), "a").at(1)
    head = Head().advance(first)
    bad = written(head, "b", type="Erased").at(2)
    third = written(head.advance(bad), "c").at(3)
    body = codec.encode([codec.item(Upper("C"))])
    component = replace(written(Head(), "x"), subject=N1.components("notes"), body=body).at(4)
    await found.take([first, bad, third, component])
    entity = await found.entities.get(N1)
    assert entity.stopped == "sequence 2: notes.Note declares no event Erased"
    assert (entity.state, value_of(entity, "Upper")) == (Note("a"), None)
    assert found.sequence == 4


async def test_an_empty_commit_changes_no_value_and_is_no_input(start: Start) -> None:
    process = start(MemoryLog(), notes)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    await process.send(Touch("n1"), "c2")
    await process.idle()
    entity = await process.world.entities.get(N1)
    assert entity.cells["state"].number == 1
    assert (entity.sequence, entity.heads[N1.events].number) == (3, 2)
    found = process.world.entities.command("c2")
    assert found is not None
    assert found[0] == N1


async def test_waiting_ends_when_the_world_is_there() -> None:
    found = world()
    reached = asyncio.create_task(found.reached(2))
    caught_up = asyncio.create_task(found.until_caught_up())
    first = written(Head(), "a").at(1)
    await found.take([first])
    await asyncio.sleep(0)
    assert not reached.done()
    assert not caught_up.done()
    await found.take([written(Head().advance(first), "b", id="c2").at(2)])
    await reached
    assert not caught_up.done()
    await found.take([])
    await caught_up


async def test_a_listener_that_left_is_told_no_more() -> None:
    found, told = world(), list[Entity]()
    stop = found.listen(told.append)
    first = written(Head(), "a").at(1)
    found.apply(first)
    stop()
    found.apply(written(Head().advance(first), "b").at(2))
    assert len(told) == 1

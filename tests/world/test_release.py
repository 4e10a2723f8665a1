"""What stops an entity stops it alone, and a release in the log frees it: live, for actors, in a replay."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cim import Changed, Command, Component, Context, Event, State
from cim.actors.request import Receipt
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.append import Appended, append
from cim.log.chain import BrokenChain, Head
from cim.log.release import release
from cim.testing.clock import HandClock
from cim.world.trail import trail
from cim.world.world import World, ref_of, value_of

Start = Callable[..., Any]


class Write(Command):
    note: str
    text: str


class Written(Event):
    note: str
    text: str


notes = Context("notes")


@notes.entity(key="note")
class Note(State):
    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note, self.text + command.text)]

    def evolve(self, event: Written) -> "Note":
        if "poison" in event.text:
            raise ZeroDivisionError(event.text)
        return self.but(text=event.text)


@notes.component(of=Note)
class Upper(Component):
    text: str


@notes.system
def upper(note: Changed[Note]) -> Upper:
    return Upper(note.text.upper())


N1, N2 = Ref("notes", "Note", "n1"), Ref("notes", "Note", "n2")
CLOCK = HandClock(jumps=True)


def foreign(commit: Commit) -> dict[str, str]:
    """A commit's headers as another program makes them: its number is off."""
    return {**commit.headers(), "ce-number": "9"}


async def last_on(log: MemoryLog, subject: str) -> Commit:
    found = [one async for one in log.read(subject)]
    return found[-1]


async def free(log: MemoryLog, commit: Commit, id: str = "r1") -> Commit:
    origin = Origin.root(id, "person:anna")
    return await release(log, CLOCK, "cim:test", origin, commit.subject, commit.sequence, "not ours")


async def replayed(log: MemoryLog) -> World:
    found = World(compose([notes]))
    await found.take([commit async for commit in log.read(">")])
    return found


async def begun(start: Start) -> tuple[MemoryLog, Any]:
    """A running process with one note of the text ``a``, and its log."""
    log = MemoryLog()
    process = start(log, notes)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    return log, process


async def assert_frees(log: MemoryLog, process: Any, message: Commit) -> None:
    """A release of the message lets the entity go on: here, in a process that starts now, in a replay."""
    await free(log, message)
    assert isinstance(await process.send(Write("n1", "b"), "c2"), Receipt)
    await process.idle()
    entity = await process.world.entities.get(N1)
    assert (entity.stopped, entity.state, entity.held) == (None, Note("ab"), [])
    assert value_of(entity, "Upper") == {"text": "AB"}
    again = await replayed(log)
    assert await again.fingerprint() == await process.world.fingerprint()
    assert again.digest == process.world.digest


@pytest.mark.parametrize("body", [b"junk", b"[]", b'[{"type":"Written","version":1,"data":{}}]', b"\xff"])
@pytest.mark.parametrize("headers", ["none", "a commit's, its number off", "a commit's, its id left out"])
async def test_a_foreign_message_stops_its_entity_until_it_is_released(
    start: Start, headers: str, body: bytes
) -> None:
    log, process = await begun(start)
    given = {} if headers == "none" else foreign(await last_on(log, N1.events))
    if "id" in headers:
        del given["ce-id"]
    sequence = await log.intrude(N1.events, given, body)
    with pytest.raises(BrokenChain, match=f"n1 at sequence {sequence}: "):
        await process.send(Write("n1", "b"), "c2")
    assert isinstance(await process.send(Write("n2", "x"), "c3"), Receipt)
    await process.idle()
    entity = await process.world.entities.get(N1)
    assert f"sequence {sequence}: " in entity.stopped
    assert (entity.state, [one.sequence for one in entity.held]) == (Note("a"), [sequence])
    assert value_of((await process.world.entities.get(N2)), "Upper") == {"text": "X"}
    await assert_frees(log, process, await last_on(log, N1.events))


async def test_an_event_that_cannot_be_folded_is_passed_over_where_it_cannot_be(start: Start) -> None:
    log, process = await begun(start)
    body = codec.encode([codec.item(Written("n1", "poison"))])
    before = await last_on(log, N1.events)
    head = Head(before.sequence, before.number, before.digest)
    made = Commit(N1.events, 0, Origin.root("p1", "x"), "cim:other", "notes.Note.Committed", "t", "s", body)
    outcome = await append(log, CLOCK, made, head)
    assert isinstance(outcome, Appended)
    with pytest.raises(ZeroDivisionError):
        await process.send(Write("n1", "b"), "c2")
    await assert_frees(log, process, outcome.commit)


async def test_a_foreign_message_among_components_stops_the_systems_of_its_entity(start: Start) -> None:
    log, process = await begun(start)
    subject = N1.components("notes")
    await log.intrude(subject, {}, b"junk")
    assert isinstance(await process.send(Write("n1", "b"), "c2"), Receipt)
    await process.idle()
    entity = await process.world.entities.get(N1)
    # What the entity's own history went on with is held, and comes in with the release.
    assert (entity.state, [one.subject for one in entity.held]) == (Note("a"), [subject, N1.events])
    await free(log, entity.held[0])
    await process.idle()
    assert (entity.state, value_of(entity, "Upper")) == (Note("ab"), {"text": "AB"})
    assert await (await replayed(log)).fingerprint() == await process.world.fingerprint()


async def test_each_foreign_message_asks_for_a_release_of_its_own_and_the_same_one_for_one(
    start: Start,
) -> None:
    log, process = await begun(start)
    for body in (b"1", b"1", b"2"):
        await log.intrude(N1.events, {}, body)
    await process.idle()
    entity = await process.world.entities.get(N1)
    first = entity.held[0]
    assert first.body == b"", "what a stranger brought is not kept in memory"
    await free(log, first)
    await process.idle()
    assert entity.held[0].sequence == first.sequence + 2
    await assert_frees(log, process, await last_two(log))
    await log.intrude(N1.events, {}, b"1")
    await process.idle()
    assert entity.stopped is not None


async def last_two(log: MemoryLog) -> Commit:
    """The newest message on the note that is no release."""
    found = [one async for one in log.read(N1.events)]
    return found[-2]


@pytest.mark.parametrize("subject", ["evt.alone", "cmp.a.b.c", "evt.a.b.c.d.e.f"])
async def test_a_subject_outside_the_grammar_is_stopped_by_its_own_name(start: Start, subject: str) -> None:
    log, process = await begun(start)
    await log.intrude(subject, {}, b"junk")
    await process.idle()
    entity = await process.world.entities.get(ref_of(subject))
    assert f"{subject} at sequence 3: no machine wrote this" in entity.stopped
    assert entity.shown()["id"] == subject
    await assert_frees(log, process, await last_on(log, subject))
    assert entity.stopped is None


async def test_a_commit_on_a_subject_outside_the_grammar_is_no_history_of_an_entity(start: Start) -> None:
    log, process = await begun(start)
    made = Commit("evt.alone", 0, Origin.root("p1", "x"), "cim:other", "a.B.Committed", "t", "s", b"[]")
    assert isinstance(await append(log, CLOCK, made, Head()), Appended)
    await process.idle()
    entity = await process.world.entities.get(ref_of("evt.alone"))
    assert "is not evt.<context>.<Entity>.<id>" in entity.stopped
    await assert_frees(log, process, await last_on(log, "evt.alone"))
    assert entity.stopped is None


async def test_a_process_that_starts_behind_a_foreign_message_goes_on_with_all_others(start: Start) -> None:
    log, first = await begun(start)
    await first.stop()
    await log.intrude(N1.events, {}, b"junk")
    process = start(log, notes)
    assert isinstance(await process.send(Write("n2", "x"), "c3"), Receipt)
    await process.idle()
    assert (await process.world.entities.get(N1)).stopped is not None
    assert value_of((await process.world.entities.get(N2)), "Upper") == {"text": "X"}
    await assert_frees(log, process, await last_on(log, N1.events))


async def test_the_trail_of_an_entity_shows_the_message_and_who_passed_over_it(start: Start) -> None:
    log, _process = await begun(start)
    for body in (b"junk", b"[]"):
        await log.intrude(N1.events, {}, body)
    await free(log, await last_on(log, N1.events))
    found = (await trail(log, N1))[-3:]
    assert [(one.kind, one.name, one.by) for one in found] == [
        ("failed", "a message nobody can read", "another program"),
        ("failed", "a message nobody can read", "another program"),
        ("command", "Release", "person:anna"),
    ]
    assert "header ce-subject is missing" in found[1].note
    assert found[2].note == f"sequence {found[1].sequence} is passed over: not ours"

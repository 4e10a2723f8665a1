"""A failed run that somebody lets be made again: once, by an entry in the log, and never another run."""

from collections.abc import Callable, Iterable
from typing import Any

from cim import Changed, Command, Component, Context, Event, Failure, State
from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.entry import entry
from cim.log.retry import RETRY, Retried
from cim.world.trail import trail

Start = Callable[..., Any]
REF = Ref("notes", "Note", "n1")
SUBJECT = REF.components("notes")


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
        return [Written(command.note, command.text)]

    def evolve(self, event: Written) -> "Note":
        return self.but(text=event.text)


@notes.component(of=Note)
class Upper(Component):
    text: str


BROKEN: set[str] = set()


@notes.system
def upper(note: Changed[Note]) -> Upper:
    if note.text in BROKEN:
        raise Failure("the disk of the reader is full")
    return Upper(note.text.upper())


async def retry(process: Any, id: str, system: str = "notes.upper") -> int:
    """Append a retry as the command line does; its sequence."""
    entity = await process.world.entities.get(REF)
    origin = Origin.root(id, "person:ada")
    said = entry(SUBJECT, RETRY, Retried(system, "there is room"), origin, "cim:test", process.clock)
    outcome = await append(process.log, process.clock, said, entity.heads.get(SUBJECT, Head()))
    assert isinstance(outcome, Appended)
    await process.until(process.world.reached(outcome.commit.sequence))
    return outcome.commit.sequence


async def test_it_is_made_again_and_names_the_entry_that_let_it(start: Start) -> None:
    BROKEN.add("a")
    process = start(MemoryLog(), notes)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    assert "Failed" in (await process.values())["n1"]
    BROKEN.clear()
    await process.idle()
    assert "Failed" in (await process.values())["n1"], "by itself it is not made again"
    await retry(process, "r1")
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "A"}}}
    _, failed, asked, again = await process.commits()
    assert (failed.derivation.inputs, again.derivation.inputs) == ({"state": 1}, {"state": 1, "retry": 2})
    assert (again.origin.causation, again.origin.owner) == (asked.id, "person:ada")
    assert again.id != failed.id
    steps = await trail(process.log, REF)
    (step,) = [step for step in steps if step.name == "Retry"]
    assert (step.by, step.note) == ("person:ada", "notes.upper is made again: there is room")
    late = start(process.log, notes)
    await late.idle()
    assert len(await late.commits()) == 4, "whoever reads it later makes nothing again"


async def test_one_that_fails_again_waits_for_the_next_entry(start: Start) -> None:
    BROKEN.add("b")
    process = start(MemoryLog(), notes)
    await process.send(Write("n1", "b"), "c1")
    await process.idle()
    for id in ("r1", "r2"):
        await retry(process, id)
        await process.idle()
    outcomes = [one.derivation.outcome for one in await process.commits() if one.derivation is not None]
    assert outcomes == ["failed"] * 3
    assert len({one.id for one in await process.commits()}) == 6


async def test_two_entries_for_one_failure_are_one_run_and_two_processes_make_it_once(start: Start) -> None:
    BROKEN.add("c")
    log = MemoryLog()
    before = start(log, notes)
    await before.send(Write("n1", "c"), "c1")
    await before.idle()
    await before.stop()
    BROKEN.clear()
    idle = start(log, _without_systems())
    await idle.idle()
    await retry(idle, "r1")
    await retry(idle, "r2")
    here, there = start(log, notes), start(log, notes)
    for process in (here, there, here):
        await process.idle()
    runs = [one for one in await here.commits() if one.derivation is not None]
    assert [one.derivation.outcome for one in runs] == ["failed", "done"]


async def test_a_run_that_ended_well_or_never_was_is_not_made_again(start: Start) -> None:
    process = start(MemoryLog(), notes)
    await process.send(Write("n1", "d"), "c1")
    await process.idle()
    await retry(process, "r1")
    await retry(process, "r2", "notes.nobody")
    await process.idle()
    assert len(await process.commits()) == 4
    assert (await process.world.entities.get(REF)).stopped is None


def _without_systems() -> Context:
    context = Context("notes")
    context.entities, context.components = notes.entities, notes.components
    return context

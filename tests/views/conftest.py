"""Live queries over a world that follows a log in memory; frames go by when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec
import pytest

from cim import Changed, Command, Component, Context, Each, Event, Maybe, One, State
from cim.actors.actors import Actors
from cim.actors.request import Asked, Receipt, content_digest
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Derivation, Origin
from cim.contract.subjects import Ref
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.consumer import consume
from cim.ports.log import LinkLost
from cim.testing.clock import HandClock
from cim.views.elements import Element, each, excerpt, h, plain, when
from cim.views.live import FRAME, LiveQueries
from cim.views.symbols import Row
from cim.views.template import compile_view
from cim.world.entity import Entity
from cim.world.trail import TrailStep, trail
from cim.world.world import World


class Write(Command):
    note: str
    title: str


class Written(Event):
    note: str
    title: str


notes, late = Context("notes"), Context("late")


@notes.entity(key="note")
class Note(State):
    title: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note, command.title)]

    def evolve(self, event: Written) -> "Note":
        return self.but(title=event.title)


@notes.component(of=Note)
class Text(Component):
    body: str
    pages: int


@late.component(of=Note)
class Language(Component):
    name: str


@notes.system
def read(note: Changed[Note]) -> Text:
    raise AssertionError("nothing is run here")


def board(row: Row, note: Each[Note], text: Maybe[Text]) -> Element:
    return h.div(
        note.title,
        when(text, lambda it: (excerpt(it.body, 8), it.pages)),
        when(row.working, lambda systems: each(systems, lambda system: plain(system))),
        each(row.failed, lambda it: it.cause),
        each(row.others, lambda it: it.text),
    )


def detail(row: Row, note: One[Note], text: Maybe[Text]) -> Element:
    return h.div(note.title, when(text, lambda it: it.body), each(row.trail, lambda step: plain(step.name)))


def probe(note: Each[Note]) -> Element:
    return h.div(note.title)


def elsewhere(note: Each[Note], language: Maybe[Language]) -> Element:
    return h.div(note.title, when(language, lambda it: it.name))


class Stage:
    """A world that follows a log, and live queries on it whose frames are moved by hand."""

    def __init__(self) -> None:
        self.log, self.clock, self.world = MemoryLog(), HandClock(), World(compose([notes, late]))
        self.actors = Actors(compose([notes]), self.log, self.clock, "cim:test")
        self.working: dict[str, tuple[str, ...]] = {}
        self.links = 0
        self.held: asyncio.Event | None = None
        self.held_back = asyncio.Event()
        self.link_lost = False
        self.messages = 0
        self._told: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._numbers = iter(range(1000))
        views: dict[str, Callable[..., Element]] = {
            "notes.board": board,
            "notes.detail": detail,
            "late.elsewhere": elsewhere,
            "notes.probe": probe,
        }
        self.live = LiveQueries(
            self.world,
            {name: compile_view(view) for name, view in views.items()},
            working=lambda entity: self.working.get(entity.ref.id, ()),
            history=self._history,
            publish=self._publish,
            link=lambda: self.links,
            clock=self.clock,
        )

    def follow(self) -> asyncio.Task[None]:
        return asyncio.create_task(consume(self.log, self.clock, 0, self.world.take))

    def tell(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.live.run())

    async def _publish(self, subject: str, body: bytes) -> None:
        self.messages += subject == "live.board.s1"
        await self._told.put((subject, msgspec.json.decode(body)["changes"]))

    async def _history(self, ref: Ref) -> list[TrailStep]:
        if self.link_lost:
            raise LinkLost("the log was not reached")
        if self.held is not None:
            self.held_back.set()
            await self.held.wait()
        return await trail(self.log, ref)

    async def write(self, id: str, title: str) -> None:
        ref, command = Ref("notes", "Note", id), Write(id, title)
        digest = content_digest(ref, "Write", codec.encode([codec.item(command)]))
        origin = Origin.root(f"c{next(self._numbers)}", "tester")
        receipt = await self.actors.handle(Asked(ref, command, origin, digest))
        assert isinstance(receipt, Receipt)
        await self.world.reached(receipt.sequence)

    async def attach(self, id: str, by: str, component: str, failed: bool = False, **data: Any) -> None:
        """Write a component as a system of the module ``by`` would."""
        ref = Ref("notes", "Note", id)
        subject = ref.components(by)
        inputs = {"state": self.entity(id).cells["state"].number}
        commit = Commit(
            subject=subject,
            number=0,
            origin=self.entity(id).cells["state"].origin.child(f"r{next(self._numbers)}"),
            source="cim:test",
            type="notes.Note.Composed",
            time="2026-01-02T03:04:05.000000Z",
            schema="cim:0",
            body=codec.encode([codec.Item(component, 1, data)]),
            derivation=Derivation(f"{by}.run", "0", inputs, 1.0, "failed" if failed else "done"),
        )
        head = self.entity(id).heads.get(subject, Head())
        outcome = await append(self.log, self.clock, commit, head)
        assert isinstance(outcome, Appended)
        await self.world.reached(outcome.commit.sequence)

    def entity(self, id: str) -> Entity:
        found = self.world.entities.at_hand(Ref("notes", "Note", id))
        assert found is not None
        return found

    async def ask(self, view: str, session: str, **question: Any) -> dict[str, Any]:
        name = view if "." in view else f"notes.{view}"
        return await self.live.answer(name, session, msgspec.json.encode(question))

    async def frame(self) -> dict[str, list[Any]]:
        """Let a frame go by; what was told in it by ``view.session``, but for the probe's own."""
        await self.ask("probe", "probe")
        await self.write("probe", f"frame {next(self._numbers)}")
        await self.clock.until_asleep()
        self.clock.move(FRAME)
        return await self.told()

    async def told(self) -> dict[str, list[Any]]:
        """What is told until the probe, whose view is flushed last, was told of its note."""
        found: dict[str, list[Any]] = {}
        while True:
            subject, changes = await asyncio.wait_for(self._told.get(), 10)
            if subject == "live.probe.probe":
                if any(change["id"] == "probe" for change in changes):
                    return found
                continue
            changes = [change for change in changes if change["id"] != "probe"]
            if changes:
                found.setdefault(subject.removeprefix("live."), []).extend(changes)


@pytest.fixture
def quiet_stage() -> Stage:
    """A stage on which nothing runs yet."""
    return Stage()


@pytest.fixture
async def stage(quiet_stage: Stage) -> AsyncIterator[Stage]:
    """A stage that follows its log and tells pages of changes."""
    tasks = [quiet_stage.follow(), quiet_stage.tell()]
    yield quiet_stage
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended

"""A machine of one module behind its doors, on a real server."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cim import Blob, Command, Context, Event, Reject, State
from cim.actors.actors import Actors
from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.composition import Composition, compose
from cim.doors.commands import CommandDoor
from cim.log.consumer import consume
from cim.testing.bare_leaf import BareLeaf, bare_leaf
from cim.world.world import World

notes = Context("notes")


class Write(Command):
    """Put a text on a note."""

    note: str
    text: str


class Attach(Command):
    """Put a file on a note."""

    note: str
    title: str
    scan: Blob


class Break(Command):
    """Ask for what the module's code cannot do."""

    note: str


class Written(Event):
    """A text was put on it."""

    text: str


class Attached(Event):
    """A file was put on it."""

    title: str
    scan: Blob


@notes.entity(key="note")
class Note(State):
    """A note with texts."""

    texts: tuple[str, ...] = ()
    scan: Blob | None = None

    def decide(self, command: Write | Attach | Break) -> Iterable[Written | Attached]:
        match command:
            case Write(_, text):
                if text == "no":
                    raise Reject("no is no text")
                return [Written(text)] if text else []
            case Attach(_, title, scan):
                if self.scan is not None:
                    raise Reject("there is a file already")
                return [Attached(title, scan)]
            case Break():
                raise ZeroDivisionError("by zero")

    def evolve(self, event: Written | Attached) -> "Note":
        match event:
            case Written(text):
                return self.but(texts=(*self.texts, text))
            case Attached(_, scan):
                return self.but(scan=scan)


@dataclass
class Doors:
    """The parts behind the doors of one machine, and what trouble was told."""

    leaf: BareLeaf
    composition: Composition
    log: NatsLog
    blobs: NatsBlobs
    world: World
    commands: CommandDoor
    trouble: list[str] = field(default_factory=list)

    async def subjects(self) -> list[str]:
        """The subject of each commit in the log."""
        return [one.subject async for one in self.log.read(">")]


@asynccontextmanager
async def running(task: "asyncio.Task[None]") -> AsyncIterator[None]:
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    async with bare_leaf(tmp_path / ".cim") as leaf:
        composition, clock = compose([notes]), SystemClock()
        log, blobs = await NatsLog.open(leaf.client), await NatsBlobs.open(leaf.client)
        world = World(composition)
        commands = CommandDoor(composition, Actors(composition, log, clock, "cim:notes"), world)
        async with running(asyncio.create_task(consume(log, clock, 0, world.take))):
            yield Doors(leaf, composition, log, blobs, world, commands)


@pytest.fixture
async def serving(doors: Doors) -> AsyncIterator[Doors]:
    """The same with its door for commands open on NATS."""
    async with doors.commands.serve(doors.leaf.client, doors.trouble.append):
        yield doors

"""Notes that are sent to somebody far away, who takes his time."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from cim import Capability, Changed, Command, Component, Context, Event, Failure, State

waiting_room = Context("waiting_room")
HERE = Path(__file__).parent


class Write(Command):
    """Write a note."""

    note: str
    text: str


class Written(Event):
    """A note was written."""

    note: str
    text: str


@waiting_room.entity(key="note")
class Note(State):
    """A note."""

    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note, command.text)]

    def evolve(self, event: Written) -> "Note":
        return self.but(text=event.text)


class Far(Capability, Protocol):
    """Somebody far away."""

    async def ask(self, text: str) -> str:
        """What he says."""
        ...

    def near(self, text: str) -> str:
        """What is said at once."""
        ...


class Slow:
    """Takes his time until the door opens."""

    async def ask(self, text: str) -> str:
        match text:
            case "hang":
                await asyncio.Event().wait()
            case "block":
                time.sleep(3600)  # noqa: ASYNC251
            case "refuse":
                raise Failure("he says no")
            case "lie":
                return 5  # type: ignore[return-value]
            case _:
                pass
        (HERE / f"{text}.asked").touch()
        while not (HERE / "open").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return text.upper()

    def near(self, text: str) -> str:
        return text[::-1]


@waiting_room.component(of=Note)
class Said(Component):
    """What he said, and what was near."""

    text: str
    near: str


@waiting_room.component(of=Note)
class Size(Component):
    """How long a note is."""

    letters: int


@waiting_room.system
async def ask(note: Changed[Note], far: Far) -> Said:
    """Ask somebody far away."""
    first, near = await asyncio.gather(far.ask(note.text), asyncio.to_thread(len, note.text))
    return Said(first, f"{far.near(note.text)}{near}")


@waiting_room.system
def measure(note: Changed[Note]) -> Size:
    """Count the letters."""
    return Size(len(note.text))

"""A clerk reads letters: it asks how many there are, stamps one, and says how it sounds."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo

from cim import (
    Budget,
    Changed,
    Command,
    Component,
    Context,
    Event,
    Key,
    Outside,
    Reject,
    Row,
    Rows,
    State,
    Table,
    Think,
)

killed_desk = Context("killed_desk", {"stamp": "The mark on what was read."})
FATE, REQUESTS = Path(__file__).with_name("fate"), Path(__file__).with_name("requests")
LEAF = Path(__file__).with_name("leaf")


def meet(moment: str) -> None:
    """Have the leaf or this process killed here, as kill -9 does, or wait, if that was foreseen."""
    while FATE.exists() and FATE.read_text() == f"wait at {moment}":
        FATE.with_name("waits").touch()
        time.sleep(0.01)
    if FATE.exists() and FATE.read_text() in (f"leaf at {moment}", f"worker at {moment}"):
        whom = int(LEAF.read_text()) if FATE.read_text().startswith("leaf") else os.getpid()
        FATE.unlink()
        os.kill(whom, signal.SIGKILL)
        signal.pause()


class Write(Command):
    """Write a letter."""

    letter: str
    text: str


class Stamp(Command):
    """Put the stamp on a letter."""

    letter: str


class Written(Event):
    """A letter was written."""

    letter: str
    text: str


class Stamped(Event):
    """It was read."""

    letter: str


@killed_desk.entity(key="letter")
class Letter(State):
    """A letter that came in."""

    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.letter, command.text)]

    def evolve(self, event: Written) -> "Letter":
        return self.but(text=event.text)


@killed_desk.entity(key="letter")
class Mark(State):
    """The mark on a letter."""

    stamps: int = 0

    def decide(self, command: Stamp) -> Iterable[Stamped]:
        meet("deciding")
        if self.stamps:
            raise Reject("it has a stamp")
        return [Stamped(command.letter)]

    def evolve(self, event: Stamped) -> "Mark":
        return self.but(stamps=self.stamps + 1)


@killed_desk.component(of=Letter)
class Words(Component):
    """The words of a letter."""

    text: str


@killed_desk.component(of=Letter)
class Tone(Component):
    """How a letter sounds."""

    tone: str


class Count(Row):
    """How many letters there are."""

    name: Key[str]
    letters: int = 0


@killed_desk.projection
def counts(event: Written, rows: Table[Count]) -> None:
    """Count letters."""
    found = rows.get("all") or Count("all")
    rows.put(found.but(letters=found.letters + 1))


@killed_desk.query
def how_many(rows: Rows[Count]) -> int:
    """How many letters there are."""
    found = rows.get("all")
    return 0 if found is None else found.letters


@killed_desk.system
def read(letter: Changed[Letter]) -> Words:
    """Read what was written; a stamp changes none of it."""
    return Words(letter.text)


@killed_desk.agent(tools=[Stamp, how_many], budget=Budget(requests=5))
async def clerk(words: Changed[Words], think: Think[Tone]) -> Tone:
    """You are a clerk who reads letters."""
    return await think("How does this letter sound?", words)


class Drop(Command):
    """Hand in a paper that came by mail."""

    paper: str
    text: str


class Dropped(Event):
    """A paper came by mail."""

    paper: str
    text: Outside[str]


@killed_desk.entity(key="paper")
class Paper(State):
    """A paper that a stranger wrote."""

    text: Outside[str] = ""

    def decide(self, command: Drop) -> Iterable[Dropped]:
        return [Dropped(command.paper, command.text)]

    def evolve(self, event: Dropped) -> "Paper":
        return self.but(text=event.text)


@killed_desk.component(of=Paper)
class Sort(Component):
    """What sort of paper it is."""

    tone: str


@killed_desk.agent(tools=[Stamp, how_many], budget=Budget(requests=5))
async def careful(paper: Changed[Paper], think: Think[Sort]) -> Sort:
    """You sort papers that strangers wrote."""
    return await think("Which sort is this?", paper)


class Deterministic:
    """A model that needs no network: what it says follows from the conversation alone."""

    def __init__(self, greeting: str = "warm") -> None:
        self._greeting = greeting

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """The next thing."""
        place = sum(isinstance(one, ModelResponse) for one in messages)
        with REQUESTS.open("a") as told:
            told.write(f"{place}\n")
        meet(f"request {place}")
        text = str(messages[0])
        if "nonsense" in text:
            return ModelResponse(parts=[ToolCallPart("no_such_tool", {})])
        if "hangs" in text:
            signal.pause()
        letter = text.partition("Dear ")[2].split()[0].strip("\"'}")
        steps = [
            ToolCallPart("killed_desk_how_many", {}, f"a{place}"),
            ToolCallPart("killed_desk_Stamp", {"letter": letter}, f"b{place}"),
            ToolCallPart(info.output_tools[0].name, {"tone": self._greeting}, f"c{place}"),
        ]
        return ModelResponse(parts=[steps[place]])

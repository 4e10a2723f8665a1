"""Letters, and agents that judge, sort and keep them."""

from collections.abc import Iterable

from cim import (
    Budget,
    Changed,
    Command,
    Component,
    Context,
    Event,
    Key,
    Row,
    Rows,
    State,
    Table,
    Think,
)
from cim.contract.composition import compose

letters = Context("letters", {"sender": "Who wrote a letter."})


class Send(Command):
    """Send a letter."""

    letter: str
    text: str = ""
    copies: int = 1


class Burn(Command):
    """Burn a letter, for good."""

    letter: str


class Sent(Event):
    letter: str
    text: str


class Burnt(Event):
    letter: str


@letters.entity(key="letter")
class Letter(State):
    """A letter that somebody wrote."""

    text: str = ""

    def decide(self, command: Send | Burn) -> Iterable[Sent | Burnt]:
        return [Burnt(command.letter)] if isinstance(command, Burn) else [Sent(command.letter, command.text)]

    def evolve(self, event: Sent | Burnt) -> "Letter":
        return self.but(text=event.text) if isinstance(event, Sent) else self


@letters.component(of=Letter)
class Tone(Component):
    """How a letter sounds."""

    tone: str
    score: float


@letters.component(of=Letter)
class Topic(Component):
    """What a letter is about."""

    topic: str


class Count(Row):
    name: Key[str]
    letters: int = 0


@letters.projection
def counts(event: Sent, rows: Table[Count]) -> None:
    """Count letters."""


@letters.query
def how_many(name: str, rows: Rows[Count], most: int = 3) -> int:
    """How many there are."""
    return most


@letters.agent(tools=[Burn], budget=Budget(requests=4))
async def judge(letter: Changed[Letter], think: Think[Tone]) -> Tone:
    """You judge how letters sound."""
    return await think("How does it sound?", letter)


@letters.agent()
async def sort(letter: Changed[Letter], ask: Think[str], think: Think[tuple[Topic | None]]) -> Topic | None:
    """You sort letters."""
    first = await ask("Of what does it tell?", letter)
    (topic,) = await think(f"You said: {first}")
    return topic


@letters.component(of=Letter)
class Kept(Component):
    where: str


@letters.agent(tools=[Send, how_many])
async def keep(letter: Changed[Letter], think: Think[Kept]) -> Kept:
    """You keep letters."""
    return await think(letter)


@letters.component(of=Letter)
class Filed(Component):
    where: str


@letters.agent(proposed=True)
async def file(letter: Changed[Letter], think: Think[Filed]) -> Filed:
    """You file letters."""
    return await think(letter)


SYSTEMS = {system.name: system for system in compose([letters]).systems}

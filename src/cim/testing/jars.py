"""A small module for simulated machines: every order of its events ends in another state."""

from collections.abc import Iterable

from cim.domain.component import Component
from cim.domain.context import Context
from cim.domain.errors import Failure, Reject
from cim.domain.message import Command, Event
from cim.domain.query import Changed, Maybe
from cim.domain.state import State

HOLDS = 10
"""What fits into a jar."""

SPILLING = 9
"""The amount of which no price can be told."""


class Put(Command):
    """Add to a jar."""

    jar: str
    amount: int


class Pour(Command):
    """Pour out half of a jar."""

    jar: str


class Move(Command):
    """Move some from one jar into another."""

    source: str
    target: str
    amount: int


class Added(Event):
    """One spoonful was added; a command adds one or two."""

    jar: str
    amount: int


class Halved(Event):
    """Half of it, rounded down, was left."""

    jar: str


class Taken(Event):
    """Some of it went into another jar."""

    jar: str
    amount: int


jars, labels = Context("jars"), Context("labels")


@jars.entity(key="jar")
class Jar(State):
    """Holds ten; ``deeds`` counts its events."""

    amount: int = 0
    deeds: int = 0

    def decide(self, command: Put | Pour) -> Iterable[Added | Halved]:
        """Refuses what does not fit."""
        if isinstance(command, Pour):
            return [Halved(command.jar)]
        if self.amount + command.amount > HOLDS:
            raise Reject(f"only {HOLDS - self.amount} fit")
        first = command.amount // 2
        parts = (first, command.amount - first) if first else (command.amount,)
        return [Added(command.jar, part) for part in parts]

    def evolve(self, event: Added | Halved | Taken) -> "Jar":
        """Adding and halving do not commute."""
        if isinstance(event, Taken):
            return self.but(amount=self.amount - event.amount, deeds=self.deeds + 1)
        if isinstance(event, Halved):
            return self.but(amount=self.amount // 2, deeds=self.deeds + 1)
        return self.but(amount=self.amount + event.amount, deeds=self.deeds + 1)


@jars.rule
def move(command: Move, source: Jar, target: Jar) -> tuple[Iterable[Taken], Iterable[Added]]:
    """Refuses what is not there, and what does not fit."""
    if source.amount < command.amount:
        raise Reject(f"only {source.amount} there")
    if target.amount + command.amount > HOLDS:
        raise Reject(f"only {HOLDS - target.amount} fit")
    return [Taken(command.source, command.amount)], [Added(command.target, command.amount)]


@jars.component(of=Jar)
class Weight(Component):
    """What the jar weighs with its content."""

    grams: int


@jars.component(of=Jar)
class Price(Component):
    """What it costs; an empty jar has none."""

    cents: int


@labels.component(of=Jar)
class Label(Component):
    """What another module writes on it."""

    text: str


@jars.system
def weigh(jar: Changed[Jar]) -> Weight:
    """Every change is weighed."""
    return Weight(100 + jar.amount)


@jars.system
def price(jar: Jar, weight: Changed[Weight]) -> Price | None:
    """None of an empty jar, and a failure at one amount."""
    if jar.amount == SPILLING:
        raise Failure(f"a jar of {jar.amount} spills")
    return Price(weight.grams * 2) if jar.amount else None


@labels.system
def label(weight: Changed[Weight], price: Maybe[Price]) -> Label:
    """Reads a value that may be missing and that wakes nobody."""
    return Label(f"{weight.grams} g")

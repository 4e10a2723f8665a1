"""A module beside the jars: a process that asks, waits and makes good, for simulated machines."""

from collections.abc import Iterable
from datetime import timedelta

from cim.domain.context import Context
from cim.domain.errors import Reject
from cim.domain.message import Command, Event
from cim.domain.process import Cancel, Later, Process, Rejected, Timer
from cim.domain.state import State
from cim.testing.jars import Added, Halved

FULL = 2
"""How many notes fit on a page."""

DUSTY_AFTER = timedelta(seconds=60)


class Note(Command):
    """Write an amount on a jar's page."""

    page: str
    amount: int


class Wipe(Command):
    """Begin the page anew."""

    page: str


class Noted(Event):
    """An amount stands on the page."""

    page: str
    amount: int


class Wiped(Event):
    """The page is empty."""

    page: str


class Counted(Event):
    """An odd amount was seen."""

    amount: int


class GaveUp(Event):
    """An amount did not fit on the page."""

    amount: int


class Dusty(Timer):
    """Nobody has touched the jar for a while."""

    jar: str


keepers = Context("keepers")


@keepers.entity(key="page")
class Page(State):
    """Holds two notes."""

    notes: int = 0

    def decide(self, command: Note | Wipe) -> Iterable[Noted | Wiped]:
        """Refuses what does not fit."""
        if isinstance(command, Wipe):
            return [Wiped(command.page)]
        if self.notes == FULL:
            raise Reject("the page is full")
        return [Noted(command.page, command.amount)]

    def evolve(self, event: Noted | Wiped) -> "Page":
        """A note more, or none."""
        return self.but(notes=self.notes + 1 if isinstance(event, Noted) else 0)


@keepers.process(key="jar")
class Keeping(Process):
    """Notes odd amounts and how many they were, and looks after jars that nobody touches.

    Nothing follows from an even amount, nor from a halving before the first odd one; what follows from an odd
    one depends on the order.
    """

    odd: int = 0

    def react(
        self, trigger: Added | Halved | Dusty | Rejected[Note]
    ) -> Iterable[Counted | GaveUp | Note | Wipe | Later[Dusty] | Cancel[Dusty]]:
        """See above; a page that is full is wiped."""
        match trigger:
            case Added(jar, amount) if amount % 2:
                return [Counted(amount), Note(jar, self.odd), Later(Dusty(jar), after=DUSTY_AFTER)]
            case Added():
                return []
            case Halved(jar):
                return [Cancel(Dusty(jar))] if self.odd else []
            case Dusty(jar):
                return [Note(jar, -self.odd)]
            case Rejected(Note(page, amount)):
                return [GaveUp(amount), Wipe(page)]

    def evolve(self, fact: Counted | GaveUp) -> "Keeping":
        """Counts the odd ones."""
        return self.but(odd=self.odd + 1) if isinstance(fact, Counted) else self

"""What reacts to events: a process, which remembers, and its timers."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Generic, Self, TypeVar

from cim.domain.message import Command
from cim.domain.record import Record


class Timer(Record):
    """What comes back to its process at a time that the process chose.

    A timer is known by its value: set again, it is moved; there is one of each value in a process at once.
    """


C = TypeVar("C", bound=Command)
T = TypeVar("T", bound=Timer)


class Later(Record, Generic[T]):
    """Sets a timer: ``after`` so long, counted from what the process reacts to (an event's time, a timer's
    own due time), or ``at`` a moment that knows its zone."""

    timer: T
    after: timedelta | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        if (self.after is None) == (self.at is None):
            raise TypeError(f"Later({self.timer!r}): say when, either after=… or at=…")
        if self.at is not None and self.at.tzinfo is None:
            raise TypeError(f"Later({self.timer!r}): at={self.at} has no time zone: give it one, such as UTC")


class Cancel(Record, Generic[T]):
    """Cancels a timer, known by its value; nothing happens where it is not set."""

    timer: T


class Rejected(Record, Generic[C]):
    """A command that the process asked for was not granted; ``reason`` is the entity's."""

    command: C
    reason: str


class Process(Record):
    """Long-running work, as a pure function from what happens to what is to be done.

    Every field has a default: the state before the first fact is ``cls()``. A subclass narrows both methods;
    those annotations are the registry of what the process takes, and of what it may ask and set.
    """

    def react(self, trigger: Any) -> Iterable[Any]:
        """What follows from an event, from a :class:`Timer` whose time has come, or from a command that was
        :class:`Rejected`: commands to ask for, timers to set (:class:`Later`) and to :class:`Cancel`, and
        facts, events of the process's own. Nothing is an answer, too."""
        raise TypeError(f"{type(self).__name__} declares no react: give it one that takes its triggers")

    def evolve(self, fact: Any) -> Self:
        """The state after a fact of its own. It must not refuse: what is in the log has happened."""
        raise TypeError(f"{type(self).__name__} declares no evolve: give it one that takes its facts")

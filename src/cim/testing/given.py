"""Given some history, when a command comes, then these events follow: a decider's test in one line.

``given(Document, Received(...)).when(Receive(...)).rejects("already received")``

The form is that of Greg Young's specifications of aggregates. Nothing runs but the state's own pure
methods, so that the state need not be declared by a context.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from cim.domain.errors import Reject
from cim.domain.message import Command, Event
from cim.domain.state import State

S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True)
class Given(Generic[S]):
    """An entity with a history: ``state`` is what its events add up to."""

    state: S
    history: tuple[Event, ...]

    def when(self, command: Command) -> "When[S]":
        """What the entity decides on a command. An error that is no :class:`Reject` is raised as it is."""
        try:
            return When(self, command, tuple(self.state.decide(command)), None)
        except Reject as reject:
            return When(self, command, (), str(reject))


@dataclass(frozen=True, slots=True)
class When(Generic[S]):
    """A decision that was made: the events, or the reason of a rejection."""

    given: Given[S]
    command: Command
    events: tuple[Event, ...]
    reason: str | None

    def then(self, *expected: Event) -> Given[S]:
        """Hold that exactly these events follow (none: that nothing does).

        Returns the entity after them, so that its story can go on and its ``state`` be looked at.
        """
        if self.reason is not None or self.events != expected:
            self._refuse(_lines(expected), _differences(expected, self.events))
        return Given(_folded(self.given.state, self.events), self.given.history + self.events)

    def rejects(self, reason: str) -> None:
        """Hold that the command is rejected for exactly this reason."""
        if self.reason != reason:
            self._refuse([f"rejected: {reason}"], [])

    def _refuse(self, expected: Sequence[str], differences: Sequence[str]) -> NoReturn:
        actual = _lines(self.events) if self.reason is None else [f"rejected: {self.reason}"]
        raise AssertionError(
            "\n".join(
                [
                    f"{type(self.given.state).__name__} decided otherwise",
                    *_block("given", _lines(self.given.history)),
                    *_block("when", [repr(self.command)]),
                    *_block("expected", expected),
                    *_block("actual", actual),
                    *differences,
                ]
            )
        )


def given(state: type[S], *history: Event) -> Given[S]:
    """An entity of a kind after some events; without any it is new."""
    return Given(_folded(state(), history), history)


def _folded(state: S, events: Sequence[Event]) -> S:
    for event in events:
        state = state.evolve(event)
    return state


def _lines(events: Sequence[Any]) -> list[str]:
    return [repr(event) for event in events] or ["nothing"]


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title if place == 0 else '':>10}  {line}" for place, line in enumerate(lines)]


def _differences(expected: Sequence[Any], actual: Sequence[Any]) -> list[str]:
    """The fields in which events of the same type differ, pair by pair."""
    found = [
        f"{type(wanted).__name__}.{field.name} is {getattr(came, field.name)!r}, "
        f"not {getattr(wanted, field.name)!r}"
        for wanted, came in zip(expected, actual, strict=False)
        if type(wanted) is type(came)
        for field in dataclasses.fields(wanted)
        if getattr(wanted, field.name) != getattr(came, field.name)
    ]
    return _block("differs", found)

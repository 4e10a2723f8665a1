"""An entity's state: what its events add up to."""

from collections.abc import Iterable
from typing import Any, Self

from cim.domain.record import Record


class State(Record):
    """A thing with an identity and a history, as a pure decider.

    Every field has a default: the state before the first event is ``cls()``. A subclass narrows
    both methods to the unions of its own commands and events; those annotations are the registry
    of what the entity understands. The form is the decider of Jérémie Chassaing (2021).
    """

    def decide(self, command: Any) -> Iterable[Any]:
        """The events that the command leads to from this state; none is a decision, too.

        Raises :class:`cim.domain.errors.Reject` with the reason when it cannot be granted.
        """
        raise TypeError(f"{type(self).__name__} declares no decide: give it one that takes its commands")

    def evolve(self, event: Any) -> Self:
        """The state after the event. It must not refuse: what is in the log has happened."""
        raise TypeError(f"{type(self).__name__} declares no evolve: give it one that takes its events")

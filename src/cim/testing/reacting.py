"""After some events, when another comes, these commands follow: the test of a policy or process in one line.

``reacting(Fulfilment, Placed("o1")).when(Rejected(Send("o1"), "too heavy")).asks(PayBack("o1"))``

Nothing runs but the process's own pure methods, or the policy itself; it need not be declared by a context.
"""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from cim.domain.message import Command, Event
from cim.domain.process import Cancel, Later, Process, Rejected, Timer


class Reacting:
    """A process, or a policy, after some triggers. ``state`` is what its facts add up to, ``timers`` are
    those that are set."""

    def __init__(self, kind: type[Process] | Callable[[Any], Any]) -> None:
        self.state = kind() if isinstance(kind, type) else None
        self.timers: list[Timer] = []
        self._name = kind.__name__
        self._kind = kind
        self._asked: list[Command] = []
        self._history: list[Any] = []
        self._given: list[Any] = []

    def when(self, trigger: Event | Timer | Rejected[Any]) -> "Reacting":
        """Let it react. A timer must be set, and a command that is rejected must have been asked for; an
        error of its own code is raised as it is."""
        self._happens(trigger)
        self._history.append(trigger)
        given = self._kind(trigger) if self.state is None else self.state.react(trigger)  # type: ignore[call-arg]
        self._given = _listed(given)
        for one in self._given:
            self._take(one)
        return self

    def asks(self, *commands: Command) -> "Reacting":
        """Hold that exactly these commands are asked for, in this order (none: that nothing is)."""
        return self._hold("asks for", [one for one in self._given if isinstance(one, Command)], commands)

    def sets(self, *timers: Later[Any]) -> "Reacting":
        """Hold that exactly these timers are set."""
        return self._hold("sets", [one for one in self._given if isinstance(one, Later)], timers)

    def cancels(self, *timers: Timer) -> "Reacting":
        """Hold that exactly these timers are cancelled."""
        return self._hold("cancels", [one.timer for one in self._given if isinstance(one, Cancel)], timers)

    def notes(self, *facts: Event) -> "Reacting":
        """Hold that exactly these facts are kept."""
        return self._hold("notes", [one for one in self._given if isinstance(one, Event)], facts)

    def _happens(self, trigger: Any) -> None:
        if isinstance(trigger, Timer):
            if trigger not in self.timers:
                self._refuse(f"{trigger!r} is not set", self.timers)
            self.timers.remove(trigger)
        if isinstance(trigger, Rejected) and trigger.command not in self._asked:
            self._refuse(f"{trigger.command!r} was never asked for", self._asked)

    def _take(self, one: Any) -> None:
        if isinstance(one, Later | Cancel):
            self.timers = [timer for timer in self.timers if timer != one.timer]
        if isinstance(one, Later):
            self.timers.append(one.timer)
        if isinstance(one, Command):
            self._asked.append(one)
        if isinstance(one, Event) and self.state is not None:
            self.state = self.state.evolve(one)

    def _hold(self, what: str, actual: list[Any], expected: tuple[Any, ...]) -> "Reacting":
        if actual != list(expected):
            lines = "\n".join(f"    {one!r}" for one in expected) or "    nothing"
            self._refuse(f"expected that it {what}\n{lines}", actual)
        return self

    def _refuse(self, trouble: str, actual: Iterable[Any]) -> NoReturn:
        happened = "\n".join(f"    {one!r}" for one in self._history) or "    nothing"
        came = "\n".join(f"    {one!r}" for one in actual) or "    nothing"
        raise AssertionError(f"{self._name} after\n{happened}\n{trouble}\n  but there is\n{came}")


def reacting(kind: type[Process] | Callable[[Any], Any], *history: Event | Timer | Rejected[Any]) -> Reacting:
    """A process of a kind, or a policy, after it reacted to some triggers; without any it is new."""
    found = Reacting(kind)
    for trigger in history:
        found.when(trigger)
    return found


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, Iterable) else [given]

"""What follows from a trigger: the module's own code, and what it gave as a step to write."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cim.contract import codec
from cim.contract.entity import key_of
from cim.contract.process import ProcessType
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.domain.message import Command, Event
from cim.domain.process import Cancel, Later, Process, Timer
from cim.log.sealing import Sealing
from cim.processes.step import Asks, Cancels, Sets, made_id, written


class Misgiven(CimError):
    """A process gave what its signature does not say, or what cannot be."""


@dataclass(slots=True)
class Reaction:
    """One reaction of an instance under way: ``id`` is that of the commit that it will be, ``state`` as its
    facts leave it.

    ``said`` is what stands in that commit: orders and facts, in the order in which they were given. What is
    personal in a command is sealed already; of who was erased meanwhile it reads as erased.
    """

    kind: ProcessType
    ref: Ref
    id: str
    state: Process
    sealing: Sealing
    said: list[Any] = field(default_factory=list)

    def to(self, trigger: Any, time: datetime) -> None:
        """React to one trigger that happened at ``time``; raises whatever the module's code raises."""
        given = self.kind.react(self.state, trigger)
        for one in _outputs(given, self.kind):
            self._take(one, time)

    def _take(self, one: Any, time: datetime) -> None:
        match one:
            case Later(timer, after, at):
                self._check_timer(timer)
                due = at if at is not None else time + (after or timedelta())
                self.said.append(Sets(type(timer).__name__, codec.plain(timer), written(due)))
            case Cancel(timer):
                self._check_timer(timer)
                self.said.append(Cancels(type(timer).__name__, codec.plain(timer)))
            case Command():
                self.said.append(self._asked(one))
            case Event() if self.kind.facts.get(type(one).__name__) is type(one):
                codec.check(one)
                self.state = self.state.evolve(one)
                self.said.append(one)
            case _:
                raise Misgiven(f"{self.kind} gave {one!r}, which its signature does not say")

    def _asked(self, command: Command) -> Asks:
        for name, (entity, known) in self.kind.asks.items():
            if known is type(command):
                codec.check(command)
                place = sum(isinstance(one, Asks) for one in self.said)
                to = Ref(entity.context, entity.name, key_of(entity, command))
                data = self.sealing.sealed(self.ref.events, command, to, late=True)
                return Asks(made_id("command", self.id, place), name, to.events, data)
        raise Misgiven(f"{self.kind} asked for {command!r}, which its signature does not say")

    def _check_timer(self, timer: Any) -> None:
        if not isinstance(timer, Timer) or self.kind.timers.get(type(timer).__name__) is not type(timer):
            raise Misgiven(f"{self.kind} gave the timer {timer!r}, which its signature does not say")
        codec.check(timer)


def _outputs(given: Any, kind: ProcessType) -> Iterable[Any]:
    """What was given, one by one: a policy may give one command alone."""
    if given is None:
        return ()
    if isinstance(given, Command | Event | Later | Cancel):
        return (given,)
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        return tuple(given)
    raise Misgiven(f"{kind} gave {given!r}: it must give commands, facts and timers, or nothing")

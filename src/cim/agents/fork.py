"""A run of an agent as it would have gone: what it was told up to a step, and from there on anew.

What it does from there on is not done. A tool that it used before with the same arguments answers as it did
then, another query is asked now, and a command that it never sent ends the fork: what would follow from that
is known to nobody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cim.agents.acting import REFUSED, granted
from cim.agents.journal import Replay
from cim.agents.past import PastRun
from cim.agents.steps import Step
from cim.contract import codec
from cim.contract.system import SystemType
from cim.domain.errors import CimError

_RETURN = "tool_return"
"""What a step is of which a tool came to something."""


class WouldSend(CimError):
    """The fork came to a command that the run never sent."""

    def __init__(self, command: str, arguments: Mapping[str, Any]) -> None:
        super().__init__(f"it would send {command} {codec.json_bytes(arguments).decode()} here")
        self.command, self.arguments = command, arguments


class Kept(Replay):
    """The steps before the fork, given back whatever is asked in them now: they are what is held fixed."""

    def find(self, think: int, number: int, what: str, digest: str) -> Step | None:
        found = self._steps.get((think, number))
        return super().find(think, number, what, digest if found is None else found.digest)


@dataclass(slots=True)
class Fork:
    """A run that is forked before the step ``at``, and is told to be ``prompt`` (empty: what its code says).
    ``ask`` answers a query now. ``kept`` are the steps before the fork, ``steps`` those behind it.

    Fulfils :class:`cim.agents.durable.Steps`. Raises :class:`CimError` where the run has no such step.
    """

    run: PastRun
    system: SystemType
    at: tuple[int, int]
    prompt: str
    ask: Callable[[str, Mapping[str, Any]], Any]
    kept: list[Step] = field(init=False)
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        places = [(step.think, step.number) for step in self.run.steps]
        if self.at not in places:
            there = ", ".join(f"{think}.{number}" for think, number in places) or "none"
            raise CimError(f"run {self.run.ref.id} has no step {self.at[0]}.{self.at[1]}; it has: {there}")
        self.kept = self.run.steps[: places.index(self.at)]

    def recall(self) -> tuple[str, list[Step]]:
        return self.prompt, self.kept

    def going(self, what: str) -> None:
        """Whatever it does is made here."""

    def note(self, step: Step) -> None:
        self.steps.append(step)

    def act(self, think: int, number: int, tool: str, arguments: dict[str, Any]) -> Any:
        """Raises :class:`WouldSend`, :class:`cim.domain.errors.Failure` for a tool that was not granted."""
        used = granted(self.system, tool)
        why = used.wrong_with(arguments)
        if why is not None:
            return {REFUSED: why}
        for step in self.run.steps:
            if step.what == tool and codec.json_value(step.asked.encode()) == arguments:
                said = codec.json_value(step.said.encode())
                if said.get("kind") == _RETURN:
                    return said["result"]
        if used.command is not None:
            raise WouldSend(used.grant, arguments)
        return self.ask(used.grant, arguments)


def place_of(text: str) -> tuple[int, int]:
    """The step that is written ``0.2``; raises :class:`CimError`."""
    think, dot, number = text.partition(".")
    if not (dot and think.isdecimal() and number.isdecimal()):
        raise CimError(f"--at {text!r}: name a step as `cim agent show` does, such as 0.2")
    return int(think), int(number)

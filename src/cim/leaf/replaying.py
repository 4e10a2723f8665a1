"""A run of an agent made again: from the log alone, with no model asked, or from one of its steps on anew."""

import asyncio
from collections.abc import Callable
from typing import Any

from cim.agents.fork import Fork, Kept, WouldSend
from cim.agents.journal import Replay
from cim.agents.past import PastRun
from cim.agents.steps import MODEL, UNREAD, Step
from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.system import PLAIN, SystemType
from cim.domain.errors import CimError, Misdeclared
from cim.domain.personal import ERASED
from cim.leaf.machine import Machine
from cim.leaf.models import Models


class Unfinished(CimError):
    """The log ends before the run does."""


class _Told:
    """The steps that the log tells; fulfils :class:`cim.agents.durable.Steps`."""

    def __init__(self, run: PastRun, prompt: str) -> None:
        self._run, self._prompt = run, prompt

    def recall(self) -> tuple[str, list[Step]]:
        return self._prompt, self._run.steps

    def going(self, what: str) -> None:
        doing = "ask its model" if what == MODEL else f"use {what}"
        raise Unfinished(f"the log ends after {len(self._run.steps)} steps, and it would {doing} now")

    def note(self, step: Step) -> None:
        raise AssertionError("a replay takes no step")

    def act(self, think: int, number: int, tool: str, arguments: dict[str, Any]) -> Any:
        raise AssertionError("a replay does nothing")


def replayed(machine: Machine, composition: Composition, run: PastRun, prompt: str) -> dict[str, Any]:
    """What a run, which was told to be ``prompt`` (empty: what its code says), comes to by the code that is
    here now: ``outputs`` by type and plain data (None where there is none), or the ``cause`` of its failure.

    Raises :class:`CimError` where it cannot be told: what it was given was erased, its agent is not here, or
    it needs a provider.
    """
    system = agent_of(composition, run)
    return asyncio.run(_made(machine, composition, system, run, _Told(run, prompt), Replay))


def forked(machine: Machine, composition: Composition, fork: Fork) -> dict[str, Any]:
    """What a run comes to that is made anew from one of its steps on, told as :func:`replayed` tells it; with
    ``would`` where it ended before a command that it would send: its name and arguments, else None.

    The model is asked; nothing is done, and nothing is written down. Raises as :func:`replayed` does.
    """
    try:
        outcome = asyncio.run(_made(machine, composition, fork.system, fork.run, fork, Kept))
    except WouldSend as would:
        said = {"command": would.command, "arguments": dict(would.arguments)}
        return {"outputs": [], "cause": "", "would": said}
    return {**outcome, "would": None}


def agent_of(composition: Composition, run: PastRun) -> SystemType:
    """The agent that made a run; raises :class:`CimError` where what it came to cannot be told here."""
    system = next((one for one in composition.systems if str(one) == run.began.system), None)
    if system is None or system.agent is None:
        raise CimError(f"no module here declares the agent {run.began.system}")
    if system.needs:
        raise CimError(f"{system} needs {', '.join(system.needs)}: no providers are made here")
    texts = [run.began.given, *(step.said for step in run.steps)]
    if ERASED in texts or UNREAD in texts:
        raise CimError(f"run {run.ref.id} was given, or was told, what was erased, or its key is elsewhere")
    return system


async def _made(
    machine: Machine,
    composition: Composition,
    system: SystemType,
    run: PastRun,
    steps: "_Told | Fork",
    known: Callable[[list[Step]], Replay],
) -> dict[str, Any]:
    from cim.agents.thinking import run as made  # it loads a library that takes seconds

    values = codec.json_value(run.began.given.encode())
    given = {
        read.parameter: _value(read.kind, read.type, values.get(read.parameter)) for read in system.reads
    }
    thinks = Models(machine).thinks(system, composition)
    try:
        output = await made(steps, lambda: system.function(**given, **thinks), known)
    except (Unfinished, Misdeclared, WouldSend):
        raise
    except Exception as error:
        return {"outputs": [], "cause": str(error)}
    outputs = output if isinstance(output, tuple) else (output,)
    return {
        "outputs": [
            None if one is None else {"type": type(one).__name__, "data": codec.plain(one)} for one in outputs
        ],
        "cause": "",
    }


def _value(kind: str, of: type[Any], plain: Any) -> Any:
    if kind in PLAIN:
        return of
    return None if plain is None else codec.typed(plain, of)

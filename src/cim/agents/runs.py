"""The runs of agents as their leaf sees them: what each has of the log, and what it may do."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cim.agents.acting import REFUSED, Doors, act, granted
from cim.agents.journal import Journal, Run
from cim.agents.stages import Stages
from cim.agents.steps import Began, Step
from cim.contract import codec
from cim.contract.subjects import Ref
from cim.contract.system import SystemType
from cim.domain.errors import Failure
from cim.log.asking import Answered, Proposed
from cim.log.sealing import Sealing
from cim.ports.clock import Clock
from cim.ports.log import Log
from cim.world.due import Call
from cim.world.runner import Asks, Halted
from cim.world.writer import persons_of

MOST_ROUNDS = 16
"""Runs of one agent on one entity that may follow from one command. What an agent does may make it run again;
where that does not end, it ends here."""

REMEMBERED = 4096
"""Entities of which it is remembered how many there were."""


class Runs:
    """Opens the runs of agents; ``model`` says by name what each of them thinks with, ``stages`` what they
    are told to be, ``closed`` why one may not work now."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        source: str,
        sealing: Sealing,
        doors: Doors,
        model: Callable[[SystemType], str],
        stages: Stages,
        closed: Callable[[str], str | None],
    ) -> None:
        self._log, self._clock, self._source, self._sealing = log, clock, source, sealing
        self._doors, self._model, self._stages, self._closed = doors, model, stages, closed
        self._rounds: OrderedDict[tuple[str, Ref, str], set[str]] = OrderedDict()

    def open(self, call: Call, values: Mapping[str, Any]) -> "UnderWay":
        """One run, to be made now of plain ``values`` by parameter.

        Raises :class:`Failure` where :data:`MOST_ROUNDS` runs have followed from one command already.
        """
        self._count(call)
        given = codec.json_bytes(values).decode()
        on, system = call.entity.ref.events, call.system
        prompt, _ = self._stages.prompt(str(system))
        began = Began(str(system), system.version, on, self._model(system), given, prompt)
        run = Run(run_ref(system, call.id), call.cause, began, persons_of(call))
        journal = Journal(run, self._log, self._clock, self._source, self._sealing)
        return UnderWay(call, journal, self._doors, self._stages, self._closed)

    def _count(self, call: Call) -> None:
        key = (str(call.system), call.entity.ref, call.cause.correlation)
        runs = self._rounds.setdefault(key, set())
        self._rounds.move_to_end(key)
        runs.add(call.id)
        if len(self._rounds) > REMEMBERED:
            self._rounds.popitem(last=False)
        if len(runs) > MOST_ROUNDS:
            raise Failure(
                f"{call.system} has run {MOST_ROUNDS} times on {call.entity.ref} because of one command "
                f"({call.cause.correlation}): what it does makes it run again, and that does not end"
            )


class UnderWay:
    """One run: its journal, and the doors that it acts through. Once its agent may work no more it takes no
    further step: each of these raises :class:`cim.world.runner.Halted` then."""

    def __init__(
        self,
        call: Call,
        journal: Journal,
        doors: Doors,
        stages: Stages,
        closed: Callable[[str], str | None],
    ) -> None:
        self._call, self._journal, self._doors = call, journal, doors
        self._stages, self._closed = stages, closed

    async def recall(self) -> tuple[str, list[Step]]:
        """What the run is told to be, empty where its code says that, and the steps that were finished."""
        self._go_on()
        began, steps = await self._journal.recall()
        return self._stages.prompt_of(str(self._call.system), began.prompt), steps

    async def note(self, step: Step) -> None:
        """See :meth:`cim.agents.journal.Journal.note`."""
        await self._journal.note(step)
        self._go_on()

    def _go_on(self) -> None:
        cause = self._closed(str(self._call.system))
        if cause is not None:
            raise Halted(cause)

    async def act(self, step: tuple[int, int], tool: str, arguments: Mapping[str, Any]) -> Any:
        """See :func:`cim.agents.acting.act`. Raises :class:`cim.world.runner.Asks` for what a person is asked
        about first and has not answered; who grants it answers for it."""
        self._go_on()
        call, cause = self._call, self._call.cause
        used = granted(call.system, tool)
        if used.asks and used.wrong_with(arguments) is None:
            answer, by = self._answer(step)
            if answer is None:
                text = codec.json_bytes(arguments).decode()
                raise Asks(Proposed(str(call.system), call.id, *step, used.grant, text, used.asks))
            if not answer.granted:
                return {REFUSED: f"{by} said no: {answer.reason}"}
            cause = replace(cause, owner=by)
        return await act(call.system, self._doors, cause, call.id, step, tool, arguments)

    def _answer(self, step: tuple[int, int]) -> tuple[Answered | None, str]:
        """What was answered to what the run wants to do in a step, and by whom."""
        wait = self._call.entity.waits.get(str(self._call.system))
        if wait is None:
            return None, ""
        asked = wait.proposed
        same = (asked.run, asked.think, asked.number) == (self._call.id, *step)
        return (wait.answer, wait.by) if same else (None, "")


def run_ref(system: SystemType, run: str) -> Ref:
    """Where the steps of a run stand in the log."""
    return Ref(system.owner, system.name, run)

"""The runs of agents as their leaf sees them: what each has of the log, and what it may do."""

from collections.abc import Callable, Mapping
from typing import Any

from cim.agents.acting import Doors, act
from cim.agents.journal import Journal, Run
from cim.agents.steps import Began, Step
from cim.contract.subjects import Ref
from cim.contract.system import SystemType
from cim.log.sealing import Sealing
from cim.ports.clock import Clock
from cim.ports.log import Log
from cim.world.due import Call
from cim.world.writer import person_of


class Runs:
    """Opens the runs of agents; ``model`` says by name what each of them thinks with."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        source: str,
        sealing: Sealing,
        doors: Doors,
        model: Callable[[SystemType], str],
    ) -> None:
        self._log, self._clock, self._source, self._sealing = log, clock, source, sealing
        self._doors, self._model = doors, model

    def open(self, call: Call) -> "UnderWay":
        """One run, to be made now."""
        began = Began(str(call.system), call.system.version, str(call.entity.ref), self._model(call.system))
        run = Run(run_ref(call.system, call.id), call.cause, began, person_of(call))
        return UnderWay(call, Journal(run, self._log, self._clock, self._source, self._sealing), self._doors)


class UnderWay:
    """One run: its journal, and the doors that it acts through."""

    def __init__(self, call: Call, journal: Journal, doors: Doors) -> None:
        self._call, self._journal, self._doors = call, journal, doors

    async def recall(self) -> list[Step]:
        """See :meth:`cim.agents.journal.Journal.recall`."""
        return await self._journal.recall()

    async def note(self, step: Step) -> None:
        """See :meth:`cim.agents.journal.Journal.note`."""
        await self._journal.note(step)

    async def act(self, step: tuple[int, int], tool: str, arguments: Mapping[str, Any]) -> Any:
        """See :func:`cim.agents.acting.act`."""
        return await act(
            self._call.system, self._doors, self._call.cause, self._call.id, step, tool, arguments
        )


def run_ref(system: SystemType, run: str) -> Ref:
    """Where the steps of a run stand in the log."""
    return Ref(system.owner, system.name, run)

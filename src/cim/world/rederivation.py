"""What a system wrote by other code, made anew by the code of now and laid beside the old.

Nothing is written before somebody has seen what differs: what is replaced is what was shown.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cim.contract.personal import personal_fields
from cim.contract.subjects import Ref
from cim.contract.system import PLAIN, SystemType
from cim.domain.component import Component
from cim.domain.errors import CimError, Unavailable
from cim.log.backoff import delays
from cim.log.sealing import Sealing, person_name
from cim.ports.clock import Clock
from cim.ports.log import LinkLost
from cim.world.allowance import Allowance, Limit
from cim.world.difference import Difference, differences
from cim.world.due import Call, Find, anew, arguments, carrier, is_due, matches
from cim.world.entity import Entity
from cim.world.runner import Runner, cause_of, checked
from cim.world.writer import Writer

AHEAD = 4
"""Entities that are begun for each run at once, while an earlier one is under way: all are told in order."""


@dataclass(frozen=True, slots=True)
class Rederived:
    """What came of making a run anew. ``version`` is that of the run that stands.

    The run that stands is left alone where the new one ``failed``, where what it reads or writes is of a
    person who was ``erased``, and where none is to be made in its place (``left``); ``cause`` says why.
    """

    entity: Entity
    version: str
    outcome: Literal["differs", "same", "failed", "erased", "left"]
    cause: str = ""
    differences: Mapping[str, Difference] = field(default_factory=dict)
    call: Call | None = None
    outputs: tuple[Component | None, ...] = ()
    took: float = 0.0


def is_by_other_code(system: SystemType, entity: Entity) -> bool:
    """Whether the system's last run on the entity was by another version of it."""
    run = entity.runs.get(str(system))
    return run is not None and run.version != system.version


class _Alone:
    """The place of a run for which none steps aside."""

    def is_wanted(self) -> bool:
        return False

    def leave(self) -> None:
        """Nobody has it taken."""


class Rederivation:
    """Makes a system's runs anew, ``workers`` at once, within the system's ``limit``; ``owner`` answers for
    what is replaced."""

    def __init__(
        self,
        system: SystemType,
        find: Find,
        runner: Runner,
        writer: Writer,
        sealing: Sealing,
        clock: Clock,
        owner: str,
        workers: int,
        limit: Limit | None = None,
    ) -> None:
        self.system = system
        self._find, self._runner, self._writer, self._sealing = find, runner, writer, sealing
        self._clock, self._owner = clock, owner
        self._at_once = min(workers, (limit or Limit()).at_once or workers)
        self._allowance = Allowance(limit or Limit())
        self._turn = asyncio.Semaphore(self._at_once)

    async def each(self, entities: AsyncIterable[Entity]) -> AsyncIterator[Rederived]:
        """Make the run anew on each of those on which it was made by other code, in their order.

        Raises :class:`CimError` where what the system needs is away for several entities in a row.
        """
        under_way = deque[asyncio.Task[Rederived]]()
        try:
            async for entity in entities:
                if is_by_other_code(self.system, entity):
                    under_way.append(asyncio.create_task(self._one(entity)))
                if len(under_way) > AHEAD * self._at_once:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def replace(self, found: Rederived) -> int | None:
        """Write what was found, in the place of the run that stands: its sequence. None where that is not the
        last run any more, or what it was made from was replaced: that has a run of its own."""
        assert found.call is not None, f"{found.outcome}: there is nothing to write"
        return await self._writer.done(found.call, found.outputs, found.took)

    async def _one(self, entity: Entity) -> Rederived:
        async with self._turn:
            await self._until_allowed()
            version = entity.runs[str(self.system)].version
            hindrance = self._hindrance(entity)
            if hindrance is not None:
                return Rederived(entity, version, "left", hindrance)
            call = anew(self.system, entity, self._find, self._owner)
            try:
                return await self._tried(call, version)
            except (Unavailable, ConnectionError, TimeoutError) as error:
                self._allowance.missed(entity.ref, self._clock.monotonic())
                return Rederived(entity, version, "failed", f"it cannot be made now: {cause_of(error)}")
            except Exception as error:  # whatever a module's code raises is told
                self._allowance.found()
                return Rederived(entity, version, "failed", cause_of(error))

    async def _until_allowed(self) -> None:
        """Wait until the limit lets a run begin; raises :class:`CimError` where what it needs is away."""
        while True:
            if self._allowance.is_away:
                raise CimError(
                    f"what {self.system} needs is away: it could not be made on several in a row. What was "
                    f"told before stands: run this again when that is there"
                )
            now = self._clock.monotonic()
            if (opens := self._allowance.opens(now)) <= now:
                return
            await self._clock.sleep(opens - now)

    def _hindrance(self, entity: Entity) -> str | None:
        """Why no run is to be made in the place of the last one; looked at when it is its turn."""
        if not is_by_other_code(self.system, entity):
            return "it was made anew meanwhile"
        if entity.stopped is not None:
            return f"it is stopped: {entity.stopped}"
        if is_due(self.system, entity, self._find):
            return "a run of its own is due"
        return None if matches(self.system, entity, self._find) else "it no longer has what the system reads"

    async def _tried(self, call: Call, version: str) -> Rederived:
        """Make the run; raises what it raises."""
        entity, started = call.entity, self._clock.monotonic()
        given = arguments(call)
        reads = [read for read in call.system.reads if read.kind not in PLAIN]
        erased = self._erased((given[read.parameter], carrier(call, read)) for read in reads)
        if erased is not None:
            return Rederived(entity, version, "erased", f"what it is made from was erased: it is of {erased}")
        outputs = checked(self.system, await self._run(given, call))
        self._allowance.found()
        if (erased := self._erased((output, entity.ref) for output in outputs)) is not None:
            return Rederived(entity, version, "erased", f"what it writes was erased: it is of {erased}")
        took = (self._clock.monotonic() - started) * 1000
        found = differences(self.system, entity, outputs, self._clock.now())
        outcome: Literal["differs", "same"] = "differs" if found else "same"
        return Rederived(entity, version, outcome, "", found, call, outputs, took)

    async def _run(self, given: Mapping[str, Any], call: Call) -> Any:
        for delay in delays():
            self._allowance.begin(self._clock.monotonic())
            try:
                return await self._runner.run(self.system, given, _Alone(), call)
            except LinkLost:  # no input is to blame: it is made when the link is back
                await self._clock.sleep(delay)
            finally:
                self._allowance.end()
        raise AssertionError("delays never end")

    def _erased(self, records: Iterable[tuple[Any, Ref]]) -> str | None:
        """The first person who was erased and whose personal values some records hold, each with the entity
        that it is of."""
        for record, own in records:
            found = None if record is None else personal_fields(type(record))
            if found is not None:
                person = person_name(found.person_of(record, own))
                if self._sealing.is_erased(person):
                    return person
        return None

"""Running systems: what is due is run as soon as a worker is free, see :mod:`cim.world.waiting`."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from cim.contract import codec
from cim.contract.subjects import Ref
from cim.contract.system import STATE, SystemType
from cim.domain.component import Component
from cim.domain.errors import CimError
from cim.log.backoff import delays
from cim.ports.clock import Clock
from cim.ports.log import LinkLost
from cim.world.due import Call, arguments, call, is_due
from cim.world.entity import Entity
from cim.world.runner import Runner
from cim.world.waiting import Key, Waiting
from cim.world.world import World
from cim.world.writer import Writer

LONGEST_CAUSE = 500
"""Characters of a failure's cause that are kept."""


class _Place:
    """A run's place among those at once, given back when it steps aside, or at its end."""

    def __init__(self, wake: asyncio.Event, is_wanted: Callable[[], bool]) -> None:
        self._wake, self._is_wanted = wake, is_wanted
        self.is_left = False

    def is_wanted(self) -> bool:
        return not self.is_left and self._is_wanted()

    def leave(self) -> None:
        self.is_left = True
        self._wake.set()


class Schedule:
    """Keeps the systems of a composition at work on a world.

    ``runner`` makes the runs, ``workers`` of them at once. Where one entity has several of these places, a
    run of another may be made beside them: an entity whose runs hang must not hold up the others.
    """

    def __init__(
        self,
        world: World,
        writer: Writer,
        systems: Iterable[SystemType],
        runner: Runner,
        clock: Clock,
        workers: int,
    ) -> None:
        self._world, self._writer, self._clock = world, writer, clock
        self._systems = tuple(systems)
        self._runner = runner
        self._workers = workers
        self._waiting = Waiting()
        self._running: dict[Key, _Place] = {}
        self._at_work: defaultdict[Ref, dict[str, None]] = defaultdict(dict)
        self._changed = asyncio.Condition()
        self._wake = asyncio.Event()

    @property
    def systems(self) -> tuple[SystemType, ...]:
        """The systems that this schedule runs."""
        return self._systems

    def working(self, entity: Entity) -> tuple[str, ...]:
        """The systems that are due or running on an entity, here."""
        return tuple(self._at_work.get(entity.ref, ()))

    @property
    def left(self) -> int:
        """How many runs are waiting or under way."""
        return len(self._waiting) + len(self._running)

    async def idle(self) -> None:
        """Wait until the world is caught up and nothing is due or running here."""
        await self._world.until_caught_up()
        async with self._changed:
            await self._changed.wait_for(lambda: self.left == 0)

    async def run(self) -> None:
        """Run systems until cancelled. Nothing runs before the world is caught up: what stands in the
        log already is not done again."""
        await self._world.until_caught_up()
        stop = self._world.listen(self._look)
        try:
            async for entity in self._world.entities.each():
                self._look(entity)
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._next(tasks)
        finally:
            stop()

    async def _next(self, tasks: asyncio.TaskGroup) -> None:
        await self._wake.wait()
        self._wake.clear()
        while (chosen := self._choose()) is not None:
            key, system = chosen
            self._running[key] = _Place(self._wake, partial(self._is_wanted, key[1]))
            tasks.create_task(self._one(system, key[1], self._running[key]))
        await self._tell()

    def _choose(self) -> tuple[Key, SystemType] | None:
        """The run to make now: of an entity that has none under way, or else one more of those that have."""
        at_work = [ref for (_, ref), place in self._running.items() if not place.is_left]
        aside = self._aside()
        is_free = len(at_work) < self._workers
        if is_free or (len(at_work) == self._workers and len(set(at_work)) < self._workers):
            chosen = self._waiting.begin({*at_work, *aside})
            if chosen is not None:
                return chosen
        return self._waiting.go_on(aside) if is_free else None

    def _aside(self) -> set[Ref]:
        """The entities with a run that has stepped aside."""
        return {ref for (_, ref), place in self._running.items() if place.is_left}

    def _is_wanted(self, ref: Ref) -> bool:
        """Whether a run waits that would be made in the place of one of an entity."""
        return self._waiting.is_there_any_beside({ref, *self._aside()})

    def _look(self, entity: Entity) -> None:
        for system in self._systems:
            key = (str(system), entity.ref)
            if key not in self._running and key not in self._waiting and is_due(system, entity):
                self._waiting.add(key, system, entity.cells[STATE].sequence)
                self._at_work[entity.ref][str(system)] = None
                self._wake.set()

    async def _one(self, system: SystemType, ref: Ref, place: _Place) -> None:
        entity = await self._world.entities.get(ref)
        try:
            await self._make(system, entity, place)
        finally:
            del self._running[str(system), entity.ref]
            self._rest(system, entity)
            self._look(entity)
            self._wake.set()  # there is a place, and what waited for this entity may run now
            self._world.tell(entity)
            await self._tell()

    def _rest(self, system: SystemType, entity: Entity) -> None:
        at_work = self._at_work[entity.ref]
        at_work.pop(str(system), None)
        if not at_work:
            del self._at_work[entity.ref]

    async def _make(self, system: SystemType, entity: Entity, place: _Place) -> None:
        for delay in delays():
            due = call(system, entity)
            if due is None:
                return
            started = self._clock.monotonic()
            try:
                outputs = await self._outputs(due, place)
            except LinkLost:  # no input is to blame: the run is made again when the link is back
                await self._clock.sleep(delay)
                continue
            except Exception as error:  # whatever a module's code raises is recorded, never lost
                await self._writer.failed(due, _cause(error), self._took(started))
                return
            try:
                await self._writer.done(due, outputs, self._took(started))
            except CimError as refused:  # such as: too large for the log, or sealed with a key that is lost
                await self._writer.failed(due, _cause(refused), self._took(started))
            return

    async def _outputs(self, due: Call, place: _Place) -> tuple[Component | None, ...]:
        return _checked(due.system, await self._runner.run(due.system, arguments(due), place))

    def _took(self, started: float) -> float:
        return (self._clock.monotonic() - started) * 1000

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _checked(system: SystemType, output: Any) -> tuple[Component | None, ...]:
    """What a run returned, held against its signature, and readable once it is written."""
    outputs: tuple[Any, ...] = output if isinstance(output, tuple) else (output,)
    if len(outputs) != len(system.returns) or any(
        type(found) not in kinds for found, kinds in zip(outputs, system.returns, strict=True)
    ):
        said = ", ".join("|".join(kind.__name__ for kind in kinds) for kinds in system.returns)
        came = ", ".join(type(found).__name__ for found in outputs) or "nothing"
        raise CimError(f"{system} returned {came}, its signature says {said}")
    for found in outputs:
        if found is not None:
            codec.check(found)
    return outputs


def _cause(error: Exception) -> str:
    text = str(error) if isinstance(error, CimError) else f"{type(error).__name__}: {error}"
    # A file name that is no text comes with surrogates, which no body can hold.
    text = text.encode(errors="replace").decode()
    return text if len(text) <= LONGEST_CAUSE else text[: LONGEST_CAUSE - 1] + "…"

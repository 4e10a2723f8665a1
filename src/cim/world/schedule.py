"""Running systems: what is due is run as soon as a worker is free, see :mod:`cim.world.waiting`."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import MappingProxyType

from cim.contract.subjects import Ref
from cim.contract.system import STATE, SystemType
from cim.domain.component import Component
from cim.domain.errors import CimError, Unavailable
from cim.log.backoff import delays
from cim.log.waking import sleep_or
from cim.ports.clock import Clock
from cim.ports.log import LinkLost
from cim.world.allowance import Allowance, Limit
from cim.world.due import Call, arguments, call, is_due
from cim.world.entity import Entity
from cim.world.looking import Looking
from cim.world.runner import Asks, Halted, Runner, cause_of, checked, cut
from cim.world.share import Share
from cim.world.tries import TRIES, Tries
from cim.world.waiting import Key, Lane, Turn, Waiting
from cim.world.world import World
from cim.world.writer import Writer

PAGE = 512
"""Runs of old entities that wait before more are looked at."""


class _Place:
    """A run's place among those at once, given back when it steps aside, or at its end."""

    def __init__(
        self, turn: Turn, charged: float, wake: asyncio.Event, is_wanted: Callable[[], bool]
    ) -> None:
        self.turn, self.charged = turn, charged
        self._wake, self._is_wanted = wake, is_wanted
        self.is_left = False

    def is_wanted(self) -> bool:
        return not self.is_left and self._is_wanted()

    def leave(self) -> None:
        self.is_left = True
        self._wake.set()


@dataclass(frozen=True, slots=True)
class Trying:
    """A run that could not be made now: why, how many tries were made, and seconds until the next (0 where
    it waits for a worker or is under way)."""

    entity: Ref
    system: str
    cause: str
    tries: int
    next: float


class Schedule:
    """Keeps the systems of a composition at work on a world.

    ``runner`` makes the runs, ``workers`` of them at once, and ``waiting_workers`` beside them of systems
    that are async: what waits for others holds up nothing that computes. Where one entity has several of
    these places, a run of another may be made beside them: an entity whose runs hang must not hold up the
    others.
    ``is_mine`` says whether a system's runs on an entity are this process's, where several run the system.
    ``limits`` are those of systems by their names; ``tries`` are made of a run that finds away what it needs.
    ``closed`` says of a system why it may not work now, if it may not: what it has to do waits.
    """

    def __init__(
        self,
        world: World,
        writer: Writer,
        systems: Iterable[SystemType],
        runner: Runner,
        clock: Clock,
        workers: int,
        limits: Mapping[str, Limit] = MappingProxyType({}),
        tries: int = TRIES,
        is_mine: Callable[[str, Ref], bool] = lambda name, ref: True,
        closed: Callable[[str], str | None] = lambda name: None,
        waiting_workers: int | None = None,
    ) -> None:
        self._world, self._writer, self._clock = world, writer, clock
        self._systems = {str(system): system for system in systems}
        self._of: defaultdict[tuple[str, str], list[tuple[str, SystemType]]] = defaultdict(list)
        for name, system in self._systems.items():
            self._of[system.of].append((name, system))
        self._allowances = {name: Allowance(limits.get(name, Limit())) for name in self._systems}
        self._runner, self._is_mine, self._why_closed = runner, is_mine, closed
        self._find = world.entities.at_hand
        self._workers = workers
        self._waiting_workers = workers if waiting_workers is None else waiting_workers
        # By whether a system waits: all those that do otherwise.
        self._others = {
            waits: frozenset(name for name, one in self._systems.items() if one.waits != waits)
            for waits in (False, True)
        }
        self._waiting, self._tries = Waiting(), Tries(tries)
        self._shares = {False: Share(), True: Share()}
        self._running: dict[Key, _Place] = {}
        # By the ids of what the runs of old work under way write: what follows from that has their turn, too.
        self._old: dict[str, Turn] = {}
        self._at_work: defaultdict[Ref, dict[str, None]] = defaultdict(dict)
        self._changed = asyncio.Condition()
        self._wake = asyncio.Event()
        self._looking = Looking(world, self._look, self._is_full, self._looked_through)

    @property
    def systems(self) -> tuple[SystemType, ...]:
        """The systems that this schedule runs."""
        return tuple(self._systems.values())

    def working(self, entity: Entity) -> tuple[str, ...]:
        """The systems that are due or running on an entity, here."""
        return tuple(self._at_work.get(entity.ref, ()))

    @property
    def left(self) -> int:
        """How many runs are waiting or under way; of what is old, those that were looked for so far."""
        return len(self._waiting) + len(self._tries) + len(self._running) + self._looking.left

    @property
    def progress(self) -> tuple[int, int]:
        """Of how many old entities all is done that was to do, and how many there are. Those that refer to
        one that changed count as old where they are many."""
        at_work = sum(place.turn.lane is Lane.OLD for place in self._running.values())
        looked, to_look = self._looking.progress
        return max(0, looked - self._waiting.count(Lane.OLD) - at_work), to_look

    @property
    def most_tries(self) -> int:
        """How many tries are made of a run."""
        return self._tries.most

    def trying(self, most: int) -> list[Trying]:
        """The runs that were tried in vain and are tried again, so many of them at the most."""
        now = self._clock.monotonic()
        return [
            Trying(ref, system, trial.cause, trial.tries, max(0.0, trial.when - now))
            for (system, ref), trial in islice(self._tries.known(), most)
        ]

    async def idle(self) -> None:
        """Wait until the world is caught up and nothing is due or running here."""
        await self._world.until_caught_up()
        async with self._changed:
            await self._changed.wait_for(lambda: self.left == 0)

    async def run(self) -> None:
        """Run systems until cancelled. Nothing runs before the world is caught up: what stands in the
        log already is not done again."""
        await self._world.until_caught_up()
        stop = self._world.listen(self._heard)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._looking.run())
                while True:
                    await self._next(tasks)
        finally:
            stop()

    @property
    def closed(self) -> dict[str, str]:
        """The systems that may not work now, and why."""
        why = {name: self._why_closed(name) for name in self._systems}
        return {name: cause for name, cause in why.items() if cause is not None}

    def wake(self) -> None:
        """A system may work, or may work no more: see what is to be done now."""
        self._wake.set()

    def look_again(self) -> None:
        """Look at all entities once more: more of them may be this process's than before."""
        self._looking.again()

    def _heard(self, entity: Entity) -> None:
        self._look(entity)
        self._looking.changed(entity)

    def _is_full(self) -> bool:
        return self._waiting.count(Lane.OLD) >= PAGE

    async def _looked_through(self) -> None:
        self._wake.set()
        await self._tell()

    async def _next(self, tasks: asyncio.TaskGroup) -> None:
        await self._until_wanted()
        self._wake.clear()
        for key, turn in self._tries.awake(self._clock.monotonic()):
            self._wait(key, turn)
        while (chosen := self._choose()) is not None:
            key, turn = chosen
            if not self._is_mine(*key):  # another process has come, and has it
                self._tries.forget(key)
                self._rest(key)
                continue
            self._allowances[key[0]].begin(self._clock.monotonic())
            charged = self._share(key[0]).begin(turn.lane, key[0])
            self._running[key] = _Place(turn, charged, self._wake, partial(self._is_wanted, key))
            tasks.create_task(self._one(key))
        self._looking.make_room()
        await self._tell()

    async def _until_wanted(self) -> None:
        """Wait until something changed, or the moment of the next try or of a system that may run again."""
        now = self._clock.monotonic()
        opens = [self._allowances[name].opens(now) for name in self._waiting.systems()]
        moments = [when for when in (self._tries.next(), *opens) if when is not None and when > now]
        when = min(moments, default=math.inf)
        if self._wake.is_set() or when == math.inf:
            await self._wake.wait()
            return
        await sleep_or(self._clock, when - now, self._wake)

    def _choose(self) -> tuple[Key, Turn] | None:
        """The run to make now: of an entity that has none under way, or else one more of those that have."""
        for waits, places in ((False, self._workers), (True, self._waiting_workers)):
            chosen = self._choose_among(waits, places)
            if chosen is not None:
                return chosen
        return None

    def _share(self, name: str) -> Share:
        return self._shares[self._systems[name].waits]

    def _choose_among(self, waits: bool, places: int) -> tuple[Key, Turn] | None:
        """As :meth:`_choose`, of systems that wait or of those that compute: each have their own places."""
        others = self._others[waits]
        mine = [(key, place) for key, place in self._running.items() if key[0] not in others]
        at_work = [ref for (_, ref), place in mine if not place.is_left]
        is_free = len(at_work) < places
        if not is_free and (len(at_work) > places or len(set(at_work)) == places):
            return None
        aside, closed = self._aside(), self._closed() | others
        for lane in self._lanes(closed, places, [place for _, place in mine], self._shares[waits]):
            chosen = self._waiting.take(lane, {*at_work, *aside}, closed)
            if chosen is None and is_free:
                chosen = self._waiting.take(lane, aside, closed)
            if chosen is not None:
                return chosen
        return None

    def _lanes(
        self, closed: Collection[str], places: int, mine: Iterable[_Place], share: Share
    ) -> tuple[Lane, ...]:
        """The lanes in the order in which they are looked at now. Old work leaves a place to live work."""
        live, old = (self._waiting.is_open(lane, closed) for lane in (Lane.LIVE, Lane.OLD))
        if not (live and old):
            share.alone()
            return (Lane.LIVE,) if live else (Lane.OLD,)
        at_work = sum(place.turn.lane is Lane.OLD and not place.is_left for place in mine)
        is_last = places > 1 and at_work >= places - 1
        first = Lane.LIVE if is_last else share.next()
        return (first, Lane.OLD if first is Lane.LIVE else Lane.LIVE)

    def _closed(self) -> set[str]:
        """The systems that may not begin a run now."""
        now = self._clock.monotonic()
        return {
            name
            for name, allowance in self._allowances.items()
            if allowance.opens(now) > now or self._why_closed(name) is not None
        }

    def _aside(self) -> set[Ref]:
        """The entities with a run that has stepped aside."""
        return {ref for (_, ref), place in self._running.items() if place.is_left}

    def _is_wanted(self, key: Key) -> bool:
        """Whether a run waits that would be made in the place of another one."""
        closed = self._closed() | self._others[self._systems[key[0]].waits]
        return self._waiting.is_there_any_beside({key[1], *self._aside()}, closed)

    def _look(self, entity: Entity, turn: Turn | None = None) -> None:
        """Let wait what is due on an entity and does not wait or run yet: as live work, if no ``turn`` is
        given and it does not follow from old work."""
        for name, system in self._of.get((entity.ref.context, entity.ref.entity), ()):
            key = (name, entity.ref)
            if key in self._running or key in self._waiting or not self._is_mine(*key):
                continue
            if not (self._old or key in self._tries):  # as it is nearly always, and a call costs a digest
                if is_due(system, entity, self._find):
                    self._wait(key, turn or Turn(Lane.LIVE, entity.cells[STATE].sequence))
                continue
            due = call(system, entity, self._find)
            if key in self._tries:
                if due is not None and self._tries.is_of(key, due.id):
                    continue  # it waits for its next try
                self._tries.forget(key)
                self._rest(key)
            if due is not None:
                live = Turn(Lane.LIVE, entity.cells[STATE].sequence)
                self._wait(key, turn or self._old.get(due.cause.id, live))

    def _wait(self, key: Key, turn: Turn) -> None:
        self._waiting.add(key, turn)
        self._at_work[key[1]][key[0]] = None
        self._wake.set()

    async def _one(self, key: Key) -> None:
        place, started = self._running[key], self._clock.monotonic()
        entity = await self._world.entities.get(key[1])
        try:
            await self._make(key, entity, place)
        finally:
            self._allowances[key[0]].end()
            self._share(key[0]).end(place.turn.lane, key[0], place.charged, self._clock.monotonic() - started)
            del self._running[key]
            if key not in self._tries:
                self._rest(key)
            self._look(entity)
            self._wake.set()  # there is a place, and what waited for this entity may run now
            self._world.tell(entity)
            await self._tell()

    def _rest(self, key: Key) -> None:
        """Nothing of a system is to do on an entity any more."""
        at_work = self._at_work[key[1]]
        at_work.pop(key[0], None)
        if not at_work:
            del self._at_work[key[1]]

    async def _make(self, key: Key, entity: Entity, place: _Place) -> None:
        for delay in delays():
            due = call(self._systems[key[0]], entity, self._find)
            if due is None:
                self._tries.forget(key)
                return
            if place.turn.lane is Lane.OLD:
                self._old[due.id] = place.turn
            try:
                await self._record(key, due, place)
                return
            except LinkLost:  # no input is to blame: the run is made again when the link is back
                await self._clock.sleep(delay)
            finally:
                self._old.pop(due.id, None)

    async def _record(self, key: Key, due: Call, place: _Place) -> None:
        """Make a run and write what came of it; raises :class:`LinkLost`."""
        allowance, started = self._allowances[key[0]], self._clock.monotonic()
        try:
            outputs = await self._outputs(due, place)
        except LinkLost:
            raise
        except Asks as asks:
            self._tries.forget(key)
            allowance.found()
            await self._writer.asks(due, asks.proposed)
            return
        except Halted:
            self._tries.forget(key)
            return
        except (Unavailable, ConnectionError, TimeoutError) as error:  # no input is to blame for that, either
            allowance.missed(key[1], self._clock.monotonic())
            tries = self._tries.again(key, due.id, place.turn, cause_of(error), self._clock.monotonic())
            if tries is not None:
                cause = cut(f"tried {tries} times, at last: {cause_of(error)}")
                await self._writer.failed(due, cause, self._took(started))
            return
        except Exception as error:  # whatever a module's code raises is recorded, never lost
            self._tries.forget(key)
            allowance.found()
            await self._writer.failed(due, cause_of(error), self._took(started))
            return
        self._tries.forget(key)
        allowance.found()
        try:
            await self._writer.done(due, outputs, self._took(started))
        except CimError as refused:  # such as: too large for the log, or sealed with a key that is lost
            await self._writer.failed(due, cause_of(refused), self._took(started))

    async def _outputs(self, due: Call, place: _Place) -> tuple[Component | None, ...]:
        return checked(due.system, await self._runner.run(due.system, arguments(due), place, due))

    def _took(self, started: float) -> float:
        return (self._clock.monotonic() - started) * 1000

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

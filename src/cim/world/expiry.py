"""Taking away what has reached its end: an entry of the log, written once, and never over something newer.

What ends and when is folded from the log, as the timers of processes are, and kept in a heap. So what ended
while nothing ran is taken away at the next start, and what was replaced or taken away before ends no more.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import count

from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.expiry import end_of
from cim.contract.schema import dataschema
from cim.contract.subjects import Ref
from cim.contract.system import ComponentType
from cim.domain.errors import CimError
from cim.domain.former import version_of
from cim.log.append import append
from cim.log.chain import Head
from cim.ports.clock import Clock, stamp
from cim.ports.log import Log
from cim.world.entity import Cell, Entity
from cim.world.world import World

EXPIRED = ".Expired"
"""How the type of such an entry ends, behind the entity's."""

LOOK = 1.0
"""Seconds after which the clock is looked at again in any case: it may have been set forward."""

AT_ONCE = 64
"""How many entries are under way at once."""

PAGE = 512
"""Entities that are looked at in one go at the start."""

_Place = tuple[Ref, str]


@dataclass(frozen=True, slots=True)
class _End:
    kind: ComponentType
    field: str


class Expiry:
    """Ends the components of a world that say when they do. ``trouble`` is told what cannot be written; it is
    tried again."""

    def __init__(
        self,
        world: World,
        log: Log,
        clock: Clock,
        source: str,
        components: Iterable[ComponentType],
        trouble: Callable[[str], None],
    ) -> None:
        self._world, self._log, self._clock, self._source = world, log, clock, source
        self._trouble = trouble
        self._kinds: defaultdict[tuple[str, str], list[_End]] = defaultdict(list)
        for kind in components:
            if kind.expires is not None:
                self._kinds[kind.of].append(_End(kind, kind.expires))
        # When each ends that is known to; in the heap there may be others, which end no more.
        self._known: dict[_Place, datetime] = {}
        self._order: list[tuple[datetime, int, Ref, _End]] = []
        self._count = count()
        self._wake = asyncio.Event()

    @property
    def pending(self) -> int:
        """How many components are known that end some time."""
        return len(self._known)

    async def run(self) -> None:
        """End what has reached its end, until cancelled."""
        if not self._kinds:
            return
        await self._world.until_caught_up()
        stop = self._world.listen(self._look)
        try:
            await self._look_at_all()
            while True:
                due = list(self._due())
                for start in range(0, len(due), AT_ONCE):
                    await asyncio.gather(*(self._end(*one) for one in due[start : start + AT_ONCE]))
                await self._until_next()
        finally:
            stop()

    async def _look_at_all(self) -> None:
        seen = 0
        for of in tuple(self._kinds):
            async for entity in self._world.entities.each(of):
                self._look(entity)
                seen += 1
                if seen % PAGE == 0:
                    await asyncio.sleep(0)

    def _look(self, entity: Entity) -> None:
        for one in self._kinds.get((entity.ref.context, entity.ref.entity), ()):
            cell, place = entity.cells.get(one.kind.key), (entity.ref, one.kind.key)
            when = None if cell is None else end_of(cell.value, one.field)
            if when == self._known.get(place):
                continue
            if when is None:
                del self._known[place]
                continue
            self._known[place] = when
            heappush(self._order, (when, next(self._count), entity.ref, one))
            self._wake.set()

    def _due(self) -> Iterable[tuple[Ref, _End, datetime]]:
        now = self._clock.now()
        while self._order and self._order[0][0] <= now:
            when, _, ref, one = heappop(self._order)
            if self._known.get((ref, one.kind.key)) == when:
                yield ref, one, when

    async def _until_next(self) -> None:
        """Wait until something else ends, or the next end has come."""
        self._wake.clear()
        if not self._order:
            await self._wake.wait()
            return
        seconds = (self._order[0][0] - self._clock.now()).total_seconds()
        sleep = asyncio.ensure_future(self._clock.sleep(min(max(seconds, 0.0), LOOK)))
        wake = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((sleep, wake), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            wake.cancel()

    async def _end(self, ref: Ref, one: _End, when: datetime) -> None:
        entity = await self._world.entities.get(ref)
        subject = ref.components(one.kind.owner)
        while entity.stopped is None and (cell := _ended(entity, one, when)) is not None:
            head = entity.heads.get(subject, Head())
            try:
                outcome = await append(self._log, self._clock, self._commit(ref, one.kind, cell, when), head)
            except CimError as error:
                self._trouble(f"{one.kind.key} of {ref} has ended and cannot be taken away yet: {error}")
                await self._clock.sleep(LOOK)
                continue
            await self._world.reached(outcome.commit.sequence)

    def _commit(self, ref: Ref, kind: ComponentType, cell: Cell, when: datetime) -> Commit:
        # The same wherever it is written, so that it stands once.
        name = f"{ref} {kind.key} {cell.number} {when.isoformat()}"
        return Commit(
            subject=ref.components(kind.owner),
            number=0,
            origin=cell.origin.child(hashlib.sha256(f"expired {name}".encode()).hexdigest()[:32]),
            source=self._source,
            type=f"{ref.context}.{ref.entity}{EXPIRED}",
            time=stamp(self._clock),
            schema=dataschema([kind.component]),
            body=codec.encode([codec.Item(kind.name, version_of(kind.component), None)]),
        )


def _ended(entity: Entity, one: _End, when: datetime) -> Cell | None:
    """The value that has ended, where it still is the one."""
    cell = entity.cells.get(one.kind.key)
    return cell if cell is not None and end_of(cell.value, one.field) == when else None

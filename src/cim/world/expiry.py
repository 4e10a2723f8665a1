"""Taking away what has reached its end: an entry of the log, written once, and never over something newer.

What ends and when is folded from the log, as the timers of processes are. So what ended while nothing ran is
taken away at the next start, and what was replaced or taken away before ends no more.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime

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
from cim.log.waking import LONGEST_SLEEP, Watched, until_moment
from cim.ports.clock import Clock, stamp
from cim.ports.log import Log
from cim.world.entity import Cell, Entity
from cim.world.world import World

EXPIRED = ".Expired"
"""How the type of such an entry ends, behind the entity's."""

AT_ONCE = 64
"""How many entries are under way at once."""

PAGE = 512
"""Entities that are looked at in one go at the start."""

Place = tuple[Ref, str]
"""An entity, and the key of a component on it."""


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
        self._kinds: defaultdict[tuple[str, str], dict[str, ComponentType]] = defaultdict(dict)
        for kind in components:
            if kind.expires is not None:
                self._kinds[kind.of][kind.key] = kind
        self._watched = Watched[Place]()
        self._sooner = asyncio.Event()

    @property
    def pending(self) -> int:
        """How many components are to be looked at some time: what was taken away before is among them."""
        return len(self._watched)

    async def run(self) -> None:
        """End what has reached its end, until cancelled."""
        if not self._kinds:
            return
        await self._world.until_caught_up()
        stop = self._world.listen(self._look)
        try:
            await self._look_at_all()
            while True:
                self._sooner.clear()
                due = list(self._watched.pop(self._clock.now()))
                for start in range(0, len(due), AT_ONCE):
                    await asyncio.gather(*(self._end(*one) for one in due[start : start + AT_ONCE]))
                await until_moment(self._clock, self._watched.first, self._sooner)
        finally:
            stop()

    async def _look_at_all(self) -> None:
        seen = 0
        for of, key in [(of, key) for of, kinds in self._kinds.items() for key in kinds]:
            async for entity in self._world.entities.each(of, [key]):
                self._look(entity)
                seen += 1
                if seen % PAGE == 0:
                    await asyncio.sleep(0)

    def _look(self, entity: Entity) -> None:
        for kind in self._kinds.get((entity.ref.context, entity.ref.entity), {}).values():
            _, end = _carried(entity, kind)
            if end is None:
                continue
            before = self._watched.first
            self._watched.watch((entity.ref, kind.key), end)
            if before is None or end < before:
                self._sooner.set()

    async def _end(self, ref: Ref, key: str) -> None:
        """Take a component away where it has ended; what ends later now is looked at then."""
        entity, kind = await self._world.entities.get(ref), self._kinds[ref.context, ref.entity][key]
        subject = ref.components(kind.owner)
        while entity.stopped is None:  # what is released is looked at again
            cell, end = _carried(entity, kind)
            if cell is None or end is None:
                return
            if end > self._clock.now():
                self._watched.watch((ref, key), end)
                return
            commit, head = self._commit(ref, kind, cell, end), entity.heads.get(subject, Head())
            try:
                outcome = await append(self._log, self._clock, commit, head)
            except CimError as error:
                self._trouble(f"{key} of {ref} has ended and cannot be taken away yet: {error}")
                await self._clock.sleep(LONGEST_SLEEP)
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


def _carried(entity: Entity, kind: ComponentType) -> tuple[Cell | None, datetime | None]:
    """A component that an entity carries, and when that ends."""
    cell = entity.cells.get(kind.key)
    return cell, None if cell is None or kind.expires is None else end_of(cell.value, kind.expires)

"""Entities that are kept in an index: what is hot is in memory, what is cold is read by its name.

What changed is written in batches, in a transaction each with how far the log is in it. So an index holds the
world as it was behind one commit, whenever the process ends: whoever starts anew reads the log from there on.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import replace
from itertools import chain
from weakref import WeakValueDictionary

from cim.contract.composition import Composition
from cim.contract.subjects import Ref
from cim.contract.system import SystemType
from cim.domain.errors import CimError
from cim.ports.index import Index, IndexRuined, Kind, Part, Row, Said, Standing
from cim.world.beside import Beside
from cim.world.due import is_due
from cim.world.entities import PAGE, Entities, carries
from cim.world.entity import Entity
from cim.world.relations import Relations
from cim.world.rows import Rows

HOT = 4_096
"""Entities that are held though nobody else holds them: those that were asked for last. With ten components
each they take some 35 MB."""

WRITTEN = 32
"""Entities that changed, when they are written: few, so that nobody waits long until they are made rows."""

BEHIND = 2_000
"""Commits that may be read once more at the next start, where always the same few entities change."""

MOST = 512
"""Entities that may have changed while others are still being written; then the fold waits for the disk."""

APART = 1_000
"""Entities that are folded from their own history at the start, each with requests of its own; where there
are more, the whole log is read instead."""

AT_ONCE = 8
"""Entities that are read in a row before others have their turn."""

LOOKED_AT = 32
"""Rows that are read at once while those are gone through on which something may be to do."""


class IndexedEntities(Entities):
    """All entities of a world, over an index that nobody else has.

    An entity is one object as long as anybody holds it, as it is in memory. ``tell`` is told what cannot be
    written: it is held until it can. What is folded ``beside`` the world is written with it.
    """

    def __init__(
        self,
        index: Index,
        composition: Composition,
        tell: Callable[[str], None],
        hot: int = HOT,
        written: int = WRITTEN,
        beside: Beside | None = None,
    ) -> None:
        super().__init__(Relations(composition.systems, index.referring))
        self._index, self._rows, self._tell = index, Rows(composition), tell
        self._systems: dict[Kind, list[SystemType]] = {}
        for system in composition.systems:
            self._systems.setdefault(system.of, []).append(system)
        self._limit, self._written_at, self._beside = hot, written, beside
        # Whoever else holds an entity holds this very object; what follows is what keeps some of them.
        self._near: WeakValueDictionary[Ref, Entity] = WeakValueDictionary()
        self._hot: OrderedDict[Ref, Entity] = OrderedDict()
        self._changed: dict[Ref, Entity] = {}
        self._leaving: dict[Ref, Entity] = {}
        self._bodiless: dict[Ref, Entity] = {}
        self._new: dict[Ref, Entity] = {}
        # Those of each kind: the index alone may hold some of the new ones by now, or not.
        self._counts = Counter[Kind]()
        self._parts: dict[Part, bytes | None] = {}
        self._said: dict[str, Said] = {}
        self._said_leaving: dict[str, Said] = {}
        self._writing: asyncio.Future[None] | None = None
        self._stands, self._writes, self._told = 0, 0, ""

    @property
    def version(self) -> str:
        """The name of the code that folds these entities."""
        return self._rows.version

    @property
    def beside(self) -> str:
        """The name of the code that folds what is beside them; empty where nothing is."""
        return "" if self._beside is None else self._beside.version

    def begin(self, standing: Standing) -> list[Ref]:
        """Go on from where the index stands; those are named that are to be folded from their own history."""
        self._stands = standing.sequence
        self._counts.update({kind: self._index.count(kind) for kind in self._index.kinds()})
        if self._beside is not None:
            self._beside.go_on(standing.sequence, self._index.parts())
        return self._index.bodiless(APART)

    def at_hand(self, ref: Ref) -> Entity | None:
        found = self._near.get(ref)
        if found is None:
            row = self._index.find(ref)
            if row is None:
                return None
            found = self._of(row)
        self._hot[ref] = found
        self._hot.move_to_end(ref)
        if len(self._hot) > self._limit:
            self._hot.popitem(last=False)
        return found

    def add(self, entity: Entity) -> None:
        self._near[entity.ref] = self._new[entity.ref] = self._changed[entity.ref] = entity
        self._counts[entity.ref.context, entity.ref.entity] += 1

    def touch(self, entity: Entity) -> None:
        self._changed[entity.ref] = entity

    async def keep(self, sequence: int, standing: Callable[[], Standing]) -> None:
        if self._writing is not None and self._writing.done():
            await self._wrote()
        if len(self._changed) < self._written_at and sequence - self._stands < BEHIND:
            return
        if self._writing is None or len(self._changed) >= MOST:
            await self._wrote()
            self._write(standing())

    async def finish(self, standing: Callable[[], Standing]) -> None:
        await self._wrote()
        if self._changed or self._said:
            self._write(standing())
            await self._wrote()

    def _write(self, standing: Standing) -> None:
        """Begin to write all that changed, where all of it is at the same place in the log: whoever was cut
        off between the one and the other writes nothing."""
        if self._beside is not None:
            if self._beside.sequence != standing.sequence:
                return
            self._parts.update(self._beside.changed())
        standing = replace(standing, version=self.version, beside=self.beside)
        self._leaving, self._changed = self._changed, {}
        self._said_leaving, self._said = self._said, {}
        rows = []
        for ref, entity in self._leaving.items():
            row = self._rows.row(entity, self._may_be_due(entity), self.relations.targets(ref))
            if row.body is None:
                self._bodiless[ref] = entity
            else:
                self._bodiless.pop(ref, None)
            rows.append(row)
        self._writing = self._index.write(rows, self._said_leaving, standing, {**self._parts})
        self._stands = standing.sequence

    async def _wrote(self) -> None:
        """Wait for what is being written; what cannot be is written with the next."""
        if self._writing is None:
            return
        try:
            await asyncio.shield(self._writing)  # whoever is cut off here leaves it to be written
        except IndexRuined:
            raise
        except CimError as error:
            self._changed = {**self._leaving, **self._changed}
            self._said = {**self._said_leaving, **self._said}
            if self._told != (text := f"{error}: it is tried again"):
                self._told = text
                self._tell(text)
        else:
            self._parts.clear()
            for ref in self._leaving:
                self._new.pop(ref, None)
                if ref not in self._changed:
                    self.relations.let_go(ref)
        self._writing, self._leaving, self._said_leaving = None, {}, {}
        self._writes += 1

    async def find(self, ref: Ref) -> Entity | None:
        return self.at_hand(ref)

    async def count(self, of: Kind | None = None) -> int:
        return self._counts.total() if of is None else self._counts[of]

    async def page(
        self,
        of: Kind,
        after: str | None = None,
        most: int = PAGE,
        carrying: Collection[str] = (),
        lacking: Collection[str] = (),
    ) -> list[Entity]:
        held = self._held(of)
        rows = self._index.page(of, after, most + len(held), carrying, lacking)
        found: list[Row | Entity] = [row for row in rows if row.ref not in held]
        found += [
            one
            for one in held.values()
            if (after is None or one.ref.id > after) and carries(one, carrying, lacking)
        ]
        found.sort(key=lambda one: one.ref.id)
        return [one async for one in self._each(found[:most])]

    async def changed_since(self, of: Kind, sequence: int, most: int = PAGE) -> list[Entity]:
        held = self._held(of)
        rows = self._index.changed_since(of, sequence, most + len(held))
        found: list[Row | Entity] = [row for row in rows if row.ref not in held]
        found += [one for one in held.values() if one.sequence > sequence]
        found.sort(key=lambda one: one.sequence)
        return [one async for one in self._each(found[:most])]

    async def each(self, of: Kind | None = None, carrying: Collection[str] = ()) -> AsyncIterator[Entity]:
        kinds = {(ref.context, ref.entity) for ref in self._new}.union(self._index.kinds())
        for kind in sorted(kinds) if of is None else [of]:
            page = await self.page(kind, None, PAGE, carrying)
            while page:
                for entity in page:
                    yield entity
                page = await self.page(kind, page[-1].ref.id, PAGE, carrying)

    async def to_look_at(self) -> AsyncIterator[Entity]:
        last, held = 0, self._held()
        end = max((one.first for one in held.values()), default=self._stands)
        while rows := [row for row in self._index.due(last, LOOKED_AT) if row.first <= end]:
            async for entity in self._each([row for row in rows if row.ref not in held]):
                yield entity
            last = rows[-1].first
        for entity in sorted(held.values(), key=lambda one: one.first):
            yield entity

    async def count_to_look_at(self) -> int:
        return self._index.count_due() + len(self._held())

    async def troubled(self) -> AsyncIterator[Entity]:
        for ref in sorted({*self._index.troubled(), *self._held()}):
            entity = self.at_hand(ref)
            if entity is not None and (entity.stopped is not None or entity.failures):
                yield entity

    def command(self, id: str) -> Said | None:
        return self._said.get(id) or self._said_leaving.get(id) or self._index.command(id)

    def add_command(self, id: str, ref: Ref, request: str | None) -> None:
        self._said[id] = ref, request

    def _may_be_due(self, entity: Entity) -> bool:
        """Whether a system may have something to do on an entity. What one that it refers to has come to be
        is looked at when it is asked, so where systems read across a relation it always may."""
        return any(
            system.relations or is_due(system, entity, self.at_hand)
            for system in self._systems.get((entity.ref.context, entity.ref.entity), ())
        )

    def _of(self, row: Row) -> Entity:
        """The entity of a row, and the one object of it."""
        found = self._near.get(row.ref)
        if found is None:
            found = self._near[row.ref] = self._rows.entity(row)
            if row.body is None:
                self._bodiless[row.ref] = found
        return found

    async def _each(self, rows: Iterable[Row | Entity]) -> AsyncIterator[Entity]:
        """The entities of rows that were read just now; what was written meanwhile is read again."""
        read_at = self._writes
        for number, row in enumerate(rows, 1):
            if isinstance(row, Row) and self._writes != read_at:
                row = self._index.find(row.ref) or row
            yield row if isinstance(row, Entity) else self._of(row)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _held(self, of: Kind | None = None) -> dict[Ref, Entity]:
        """Those that are, or may be, other ones by now than the index says."""
        both = chain(self._leaving.items(), self._changed.items())
        return {ref: one for ref, one in both if of is None or (ref.context, ref.entity) == of}

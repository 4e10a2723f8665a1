"""Following a live query on a world: a snapshot in pages, then what entered, changed and left.

Nothing is kept of what was told. What an entity was is looked at right before it changes, so that a query
costs memory for what changed since it was last told and for nothing else, however many entities it has. Of
one that changes often only what it was then and what it is now matters: who reads slowly is told less often.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cim.contract import codec
from cim.contract.live import Change, LiveQuery, Place
from cim.contract.subjects import Ref
from cim.contract.system import STATE
from cim.world.entities import PAGE
from cim.world.entity import Entity
from cim.world.world import World

MOST = 2000
"""Entities that may have changed since anything was told; for more a new snapshot is the shorter way."""

GLANCES = 10
"""Pages of entities that are looked at in a row for a page of those that are asked for."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a query shows of an entity, in its order, and why the entity is stopped, if it is."""

    values: tuple[Any, ...]
    stopped: str | None


def row_of(query: LiveQuery, entity: Entity) -> Row | None:
    """What a query shows of an entity; None where that is not among those that it asks for."""
    if not entity.exists:
        return None
    for need in query.needs:
        if need.source not in entity.cells:
            return None
        value = _value(entity, need.source)
        if not all(condition.holds(value) for condition in need.conditions):
            return None
    if any(key in entity.cells for key in query.without):
        return None
    return Row(tuple(_value(entity, source) for source in query.shown), entity.stopped)


def _value(entity: Entity, source: str) -> Any:
    if source == STATE:
        return entity.state
    found = entity.cells.get(source)
    return None if found is None else found.value


def change(query: LiveQuery, id: str, before: Row | None, now: Row | None, sequence: int) -> Change | None:
    """What became of an entity between two moments, ``sequence`` being that of the later; None where that is
    nothing."""
    if before == now:
        return None
    if now is None:
        return Change("left", id, sequence)
    values = zip(query.shown, now.values, strict=True)
    shown = {name: codec.plain(value) if name == STATE else value for name, value in values}
    return Change("entered" if before is None else "changed", id, sequence, shown, now.stopped)


@dataclass(frozen=True, slots=True)
class Part:
    """What comes next: changes, and the place where whoever has taken in all of them is; None in the middle
    of a snapshot."""

    changes: tuple[Change, ...]
    reached: Place | None


@dataclass(slots=True)
class _Touched:
    """An entity that changed: what was last told of it, and the sequence by which it is what it is."""

    entity: Entity
    before: Row | None
    sequence: int


class Following:
    """A live query on a world: first :meth:`begin`, then :meth:`more` whenever there is room for it.

    ``news`` is called when there is something to tell. ``behind`` turns true, and nothing is kept any more,
    when more than :data:`MOST` entities changed since anything was told.
    """

    def __init__(self, world: World, query: LiveQuery, news: Callable[[], None]) -> None:
        self._world, self._query, self._news = world, query, news
        self.behind = False
        self._pending: dict[Ref, _Touched] = {}
        self._looked: dict[Ref, Row | None] = {}
        self._meanwhile: dict[Ref, Entity] | None = None
        self._after: str | None = None
        self._whole = False
        self._stop: Callable[[], None] | None = world.listen(self._changed, self._look)

    def close(self) -> None:
        """Follow no more."""
        if self._stop is not None:
            self._stop()
        self._stop = None
        self._pending.clear()

    @property
    def has_news(self) -> bool:
        """Whether something changed since it was last told."""
        return bool(self._pending)

    async def begin(self, since: Place | None) -> str | None:
        """Begin, from a place where the query was before or else anew; why it is anew, None where it goes on.

        It goes on where what changed since then can be told without a loss.
        """
        await self._world.until_caught_up()
        why = "it was not asked to go on from anywhere" if since is None else await self._resume(since)
        if why is not None:
            self._pending.clear()
            self._whole, self._after = False, None
        return why

    async def _resume(self, since: Place) -> str | None:
        """Have told what became of each entity since then; why that cannot be, if it cannot."""
        if since.basis != self._basis:
            return "the log, the code that folds it or the question is another one"
        if since.sequence > self._world.sequence:
            return f"the log ends at {self._world.sequence}, before {since.sequence}"
        self._whole = True  # what changes from now on is kept
        of = self._query.of
        changed = await self._world.entities.changed_since(of, since.sequence, MOST + 1)
        if len(changed) > MOST:
            return f"more than {MOST:,} entities changed since then"
        for entity in changed:
            then = await self._world.as_of(entity.ref, since.sequence)
            before = row_of(self._query, then)
            self._pending[entity.ref] = _Touched(entity, before, entity.sequence)
        if self._world.erased_at > since.sequence:
            return "a person was erased since then"
        return None

    async def more(self) -> Part:
        """What comes next; where nothing changed, how far it is."""
        if not self._whole:
            # What was told already comes first, so that it is not kept until the end.
            return Part(self._told(), None) if self._pending else await self._page()
        while not self._world.is_whole:
            await self._world.until_whole()
        return Part(self._told(), Place(self._world.sequence, self._basis))

    @property
    def _basis(self) -> str:
        return hashlib.sha256(f"{self._world.root} {self._query.version}".encode()).hexdigest()[:16]

    def _told(self) -> tuple[Change, ...]:
        pending, self._pending = self._pending, {}
        found = []
        for ref, one in sorted(pending.items(), key=lambda one: one[1].sequence):
            now = row_of(self._query, one.entity)
            found.append(change(self._query, ref.id, one.before, now, one.sequence))
        return tuple(one for one in found if one is not None)

    async def _page(self) -> Part:
        """The next entities of the snapshot, in the order of their ids; few or none where a filter lets few
        through."""
        rows: list[Change] = []
        for _ in range(GLANCES):
            for entity in await self._next():
                now = row_of(self._query, entity)
                found = change(self._query, entity.ref.id, None, now, entity.sequence)
                rows += [found] if found is not None else []
            if self._whole or len(rows) >= self._query.page:
                break
            await asyncio.sleep(0)  # others have their turn
        return Part(tuple(rows), None)

    async def _next(self) -> list[Entity]:
        """The next entities that carry what is asked for, which count as told from here on, as do those
        between them. One that came in among them while they were fetched is told as one that changed."""
        self._meanwhile = {}
        query = self._query
        needed = [need.source for need in query.needs]
        found = await self._world.entities.page(query.of, self._after, PAGE, needed, query.without)
        meanwhile, self._meanwhile = self._meanwhile, None
        self._whole = len(found) < PAGE
        self._after = found[-1].ref.id if found else self._after
        known = {entity.ref for entity in found}
        for ref, entity in meanwhile.items():
            if ref not in known and self._is_told(ref):
                self._pending[ref] = _Touched(entity, None, entity.sequence)
        return found

    def _is_told(self, ref: Ref) -> bool:
        return self._whole or (self._after is not None and ref.id <= self._after)

    def _look(self, entity: Entity) -> None:
        """Called right before an entity changes."""
        ref = entity.ref
        if (ref.context, ref.entity) == self._query.of and self._is_told(ref):
            self._looked[ref] = row_of(self._query, entity)

    def _changed(self, entity: Entity) -> None:
        """Called right after it did, or when something is done on it."""
        ref = entity.ref
        if (ref.context, ref.entity) != self._query.of:
            return
        if ref not in self._looked:
            if self._meanwhile is not None and not self._is_told(ref):
                self._meanwhile[ref] = entity
            return
        before = self._looked.pop(ref)
        if before == row_of(self._query, entity):
            return
        touched = self._pending.setdefault(ref, _Touched(entity, before, 0))
        touched.sequence = self._world.sequence
        if len(self._pending) > MOST:
            self.close()
            self.behind = True
        self._news()

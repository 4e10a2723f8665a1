"""The live query: a snapshot, then changes with their sequence, for every page that looks.

A row is the cells that its view binds and no more, so that a change of one cell sends one cell. A
page holds a lease on its query by asking again; a page that went away costs nothing after that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cim.contract import codec
from cim.contract.subjects import Ref, live
from cim.contract.system import STATE, read_component
from cim.domain.context import declared_entity
from cim.domain.errors import CimError, Misdeclared
from cim.ports.clock import Clock
from cim.ports.log import LinkLost
from cim.views.template import Cell, View
from cim.world.entity import Entity
from cim.world.trail import TrailStep, summary
from cim.world.world import FAILED, World

FRAME = 0.016
"""Seconds that changes are gathered before they are sent: one frame of a screen."""

LEASE = 30.0
"""Seconds after its last question that a page is still told of changes."""

PAGE = 200
"""Rows in one answer."""

TRAIL = "row.trail"

Cells = dict[str, Any]


Watch = tuple[str, str | None]
"""A session, and the entity that it looks at in a view of one: two tabs of one session may look at two."""


@dataclass(slots=True)
class Query:
    """A view as it is watched: ``watches`` says until when, ``rows`` what was last told of each entity."""

    name: str
    view: View
    keys: Mapping[str, str]
    of: tuple[str, str]
    watches: dict[Watch, float] = field(default_factory=dict)
    rows: dict[Ref, Cells] = field(default_factory=dict)

    def watchers(self, ref: Ref) -> set[str]:
        """The sessions that see an entity."""
        return {session for session, id in self.watches if id in (None, ref.id)}


class LiveQueries:
    """Answers the pages' questions and tells them of changes.

    ``working`` names the systems that are due or running on an entity; ``history`` gives its trail;
    ``publish`` sends bytes to a subject; ``link`` counts how often the link to the leaf came back: what
    was sent while it was lost may not have arrived, so all leases end and the pages begin anew.
    """

    def __init__(
        self,
        world: World,
        views: Mapping[str, View],
        *,
        working: Callable[[Entity], tuple[str, ...]],
        history: Callable[[Ref], Awaitable[list[TrailStep]]],
        publish: Callable[[str, bytes], Awaitable[None]],
        link: Callable[[], int] = lambda: 0,
        clock: Clock,
    ) -> None:
        self._world, self._working, self._history = world, working, history
        self._publish, self._clock = publish, clock
        self._link, self._seen = link, link()
        self._queries = {name: _query(name, view) for name, view in views.items()}
        self._dirty: dict[Ref, Entity] = {}
        self._telling: dict[Ref, Entity] = {}
        self._wake = asyncio.Event()
        self._stop = world.listen(self._changed)

    @property
    def names(self) -> Iterable[str]:
        """The names of the live queries there are."""
        return self._queries

    async def answer(self, name: str, session: str, body: bytes) -> dict[str, Any]:
        """The answer to a page's question: a page of rows, or whether its lease is known."""
        query = self._queries.get(name)
        if query is None:
            raise CimError(f"there is no live query {name}; there are: {', '.join(self._queries)}")
        asked = codec.question(body)
        id, after = asked.get("id") if query.view.scope == "one" else None, asked.get("after")
        if not isinstance(id, str | None) or not isinstance(after, str | None):
            raise CimError(f"{name}: id and after are ids of entities, as text")
        watch = (session, id)
        self._end_lost_leases()
        if asked.get("lease"):
            known = watch in query.watches
            if known:
                query.watches[watch] = self._clock.monotonic() + LEASE
            return {"known": known}
        await self._world.until_caught_up()
        if query.view.scope == "one" and id is None:
            raise CimError(f"{name} is of one entity: give its id")
        query.watches[watch] = self._clock.monotonic() + LEASE
        return await self._snapshot(query, id, after)

    async def run(self) -> None:
        """Tell pages of changes until cancelled, gathered over a frame."""
        try:
            while True:
                await self._wake.wait()
                await self._clock.sleep(FRAME)
                self._wake.clear()
                self._telling, self._dirty = self._dirty, {}
                for query in self._queries.values():
                    self._expire(query)
                    if query.watches:
                        await self._tell(query, self._telling)
                self._telling = {}
        finally:
            self._stop()

    def _end_lost_leases(self) -> None:
        if self._link() != self._seen:
            self._seen = self._link()
            for query in self._queries.values():
                query.watches.clear()
                query.rows.clear()

    def _changed(self, entity: Entity) -> None:
        of = (entity.ref.context, entity.ref.entity)
        if not any(query.watches for query in self._queries.values() if query.of == of):
            return  # nobody was told anything of it
        self._dirty[entity.ref] = entity
        self._wake.set()

    def _expire(self, query: Query) -> None:
        now = self._clock.monotonic()
        query.watches = {watch: until for watch, until in query.watches.items() if until > now}
        if not query.watches:
            query.rows.clear()

    async def _snapshot(self, query: Query, id: str | None, after: str | None) -> dict[str, Any]:
        found = await self._found(query, id, after)
        rows = []
        for entity in found[:PAGE]:
            sequence, cells = entity.sequence, await self._cells(query, entity)
            # What others were last told stays, be it nothing: the next change is told against that.
            if entity.ref not in self._dirty and entity.ref not in self._telling:
                query.rows.setdefault(entity.ref, cells)
            rows.append(_row(entity, sequence, cells))
        more = found[PAGE - 1].ref.id if len(found) > PAGE else None
        return {"sequence": self._world.sequence, "rows": rows, "after": more}

    async def _found(self, query: Query, id: str | None, after: str | None) -> list[Entity]:
        """The entities of a page of the answer, and one more where there are more."""
        if query.view.scope == "each":
            return await self._world.entities.page(query.of, after, PAGE + 1)
        one = None if id is None else await self._world.entities.find(Ref(*query.of, id))
        return [] if one is None or (after is not None and one.ref.id <= after) else [one]

    async def _tell(self, query: Query, dirty: Mapping[Ref, Entity]) -> None:
        changes: dict[str, list[dict[str, Any]]] = {}
        for ref, entity in dirty.items():
            watchers = query.watchers(ref) if (ref.context, ref.entity) == query.of else []
            if not watchers:
                query.rows.pop(ref, None)
                continue
            sequence, cells = entity.sequence, await self._cells(query, entity)
            before = query.rows.get(ref, {})
            query.rows[ref] = cells
            changed = {
                key: value for key, value in cells.items() if key not in before or before[key] != value
            }
            if changed:
                change = _row(entity, sequence, changed)
                for session in watchers:
                    changes.setdefault(session, []).append(change)
        for session, told in changes.items():
            for start in range(0, len(told), PAGE):
                body = codec.json_bytes({"changes": told[start : start + PAGE]})
                await self._publish(live(query.view.name, session), body)

    async def _cells(self, query: Query, entity: Entity) -> Cells:
        # The one wait comes first: all else is of one moment, no older than the sequence that is told.
        steps = await self._trail(entity) if any(cell.path == TRAIL for cell in query.view.cells) else []
        return {cell.key: self._value(query, cell, entity, steps) for cell in query.view.cells}

    async def _trail(self, entity: Entity) -> list[Any]:
        try:
            return [codec.plain(step) for step in await self._history(entity.ref)]
        except LinkLost:  # the next change of the entity, or of the link, tells it
            return []

    def _value(self, query: Query, cell: Cell, entity: Entity, steps: list[Any]) -> Any:
        if cell.path == TRAIL:
            return steps
        first, *rest = cell.path.split(".")
        if first == "row":
            return self._built_in(query, rest[0], entity)
        if first == STATE:
            value = codec.plain(entity.state)
        else:
            found = entity.cells.get(query.keys[first])
            value = None if found is None else found.value
            if not rest:
                return None if found is None else True
        for name in rest:
            value = value.get(name) if isinstance(value, dict) else None
        return cell.cut(value) if isinstance(value, str) else value

    def _built_in(self, query: Query, name: str, entity: Entity) -> Any:
        match name:
            case "id":
                return entity.ref.id
            case "sequence":
                return entity.sequence
            case "working":
                return list(self._working(entity))
            case "failed":
                return failures(entity)
            case "corrected":
                return corrected(entity)
            case "others":
                return others(entity, query.keys.values())
            case _:
                raise CimError(f"view {query.view.name} binds row.{name}, which is not there")


def _query(name: str, view: View) -> Query:
    found = {word: read_component(kind, name) for word, kind in view.components.items()}
    declared = declared_entity(view.entity)
    if declared is None:
        raise Misdeclared(f"{name}: {view.entity.__name__} is no entity: give it @context.entity(key=…)")
    of = (declared.context, view.entity.__name__)
    return Query(name, view, {word: component.key for word, component in found.items()}, of)


def _row(entity: Entity, sequence: int, cells: Cells) -> dict[str, Any]:
    """Some cells of an entity as a page gets them; ``first`` gives the order of the board."""
    return {"id": entity.ref.id, "sequence": sequence, "first": entity.first, "cells": cells}


def failures(entity: Entity) -> list[dict[str, str]]:
    """What failed on an entity, for a person."""
    stopped = [{"system": str(entity.ref), "cause": entity.stopped}] if entity.stopped else []
    return stopped + [{"system": run.system, "cause": run.cause} for run in entity.failures]


def corrected(entity: Entity) -> list[dict[str, str]]:
    """The fields that people put right, with what was derived there."""
    return [
        {
            "component": key,
            "field": name,
            "was": _said(was.get(name)),
            "by": commit.origin.owner,
            "time": commit.time,
        }
        for key, cell in sorted(entity.cells.items())
        if cell.correction is not None
        for commit, was in [(cell.correction.commit, cell.derived.value if cell.derived is not None else {})]
        for name, value in cell.value.items()
        if _said(value) != _said(was.get(name))
    ]


def _said(value: Any) -> str:
    """A value that fits into a line, as text; what is made of parts is no word of a person."""
    return str(value) if isinstance(value, str | int | float) else ""


def others(entity: Entity, known: Any) -> list[dict[str, str]]:
    """The components that a view does not name, as text."""
    return [
        {"name": key, "text": summary(cell.value)}
        for key, cell in sorted(entity.cells.items())
        if key != STATE and key not in known and key.rpartition(".")[2] != FAILED
    ]

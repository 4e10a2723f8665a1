"""Looking at many entities, a few at a time, for what is to do on them: at all that is old, and at those that
refer to one that changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from cim.contract.subjects import Ref
from cim.world.entity import Entity
from cim.world.waiting import Lane, Turn
from cim.world.world import World

GLANCE = 16
"""Entities that are looked at in one go: a change takes several turns of the loop until it is run, and in
each it waits for one of these."""


@dataclass(slots=True)
class Walk:
    """Going through entities: how many were looked at, of how many."""

    looked: int = 0
    to_look: int = 1


class Looking:
    """Goes through the entities on which something may be to do, and has each looked at: ``look`` is given
    one with the turn of what is to do on it, None for live work. While ``is_full`` says so, no more is looked
    at of what is old or many; ``ended`` is told of each walk that ends.
    """

    def __init__(
        self,
        world: World,
        look: Callable[[Entity, Turn | None], None],
        is_full: Callable[[], bool],
        ended: Callable[[], Awaitable[None]],
    ) -> None:
        self._world, self._look, self._is_full, self._ended = world, look, is_full, ended
        self._all = Walk()
        self._across = Walk(0, 0)
        self._changed: dict[Ref, None] = {}
        self._met: dict[Ref, int] = {}
        self._since = 0
        self._room, self._again, self._called = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def left(self) -> int:
        """How many walks are under way or to come."""
        under_way = sum(walk.looked < walk.to_look for walk in (self._all, self._across))
        return under_way + len(self._changed)

    @property
    def progress(self) -> tuple[int, int]:
        """How many entities were looked at, of how many that are to be looked at now."""
        return self._all.looked + self._across.looked, self._all.to_look + self._across.to_look

    def again(self) -> None:
        """Look at all of them once more."""
        self._again.set()

    def make_room(self) -> None:
        """Say that it may be full no more."""
        self._room.set()

    def changed(self, entity: Entity) -> None:
        """Have those looked at that refer to an entity which changed: a few at once, as live work; of many
        those that there is room for, one after the other."""
        referring = self._world.relations.referring(entity.ref)
        if not referring or entity.sequence <= self._met.get(entity.ref, self._since):
            return
        self._met[entity.ref] = entity.sequence
        if len(referring) > GLANCE:
            self._changed[entity.ref] = None
            self._called.set()
            return
        for ref in tuple(referring):
            if (other := self._world.entities.at_hand(ref)) is not None:
                self._look(other, None)

    async def run(self) -> None:
        """Go through all, and again when that is asked for; and through what refers to what changed."""
        self._since = self._world.sequence
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_at_all())
            tasks.create_task(self._look_across())

    async def _look_at_all(self) -> None:
        while True:
            self._all = Walk(0, await self._world.entities.count_to_look_at())
            await self._go(self._all, self._world.entities.to_look_at())
            self._all.looked = self._all.to_look
            await self._ended()
            await self._again.wait()
            self._again.clear()

    async def _look_across(self) -> None:
        while True:
            while self._changed:
                refs = tuple(self._world.relations.referring(next(iter(self._changed))))
                self._across = Walk(0, len(refs))
                del self._changed[next(iter(self._changed))]  # it may change anew while these are looked at
                await self._go(self._across, self._those(refs))
                self._across = Walk(0, 0)
                await self._ended()
            self._called.clear()
            await self._called.wait()

    async def _those(self, refs: Iterable[Ref]) -> AsyncIterator[Entity]:
        for ref in refs:
            yield await self._world.entities.get(ref)

    async def _go(self, walk: Walk, entities: AsyncIterator[Entity]) -> None:
        async for entity in entities:
            while self._is_full():
                self._room.clear()
                await self._room.wait()
            walk.looked += 1
            self._look(entity, Turn(Lane.OLD, walk.looked))
            if walk.looked % GLANCE == 0:
                await asyncio.sleep(0)

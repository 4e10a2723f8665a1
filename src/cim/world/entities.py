"""The entities that a world knows, asked for by what is wanted of them and never all at once.

These are all in memory; those of a world that has a disk are in :mod:`cim.world.indexed`.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from itertools import islice

from cim.contract.subjects import Ref
from cim.ports.index import Kind, Said, Standing
from cim.world.entity import Entity
from cim.world.relations import Relations

FEW = 16
"""Ids that are put into an order one by one; of more the whole is sorted again."""

PAGE = 200
"""How many entities are held at once while all of them are gone through."""


def carries(entity: Entity, carrying: Collection[str], lacking: Collection[str] = ()) -> bool:
    """Whether an entity carries all of what is named, and nothing of what it must lack."""
    return all(key in entity.cells for key in carrying) and not any(key in entity.cells for key in lacking)


class Entities:
    """All entities, the commands that were decided on them, and their ``relations``.

    An entity is one object as long as anybody holds it: what the log brings is seen through it.
    """

    def __init__(self, relations: Relations | None = None) -> None:
        self.relations = relations or Relations()
        self._all: dict[Ref, Entity] = {}
        self._kinds: defaultdict[Kind, dict[str, Entity]] = defaultdict(dict)
        self._orders: dict[Kind, list[str]] = {}
        self._commands: dict[str, Said] = {}

    def at_hand(self, ref: Ref) -> Entity | None:
        """The entity, if it can be had without waiting."""
        return self._all.get(ref)

    def add(self, entity: Entity) -> None:
        """Take in an entity of which nothing was known."""
        self._all[entity.ref] = self._kinds[entity.ref.context, entity.ref.entity][entity.ref.id] = entity

    def touch(self, entity: Entity) -> None:
        """An entity changed."""

    async def keep(self, sequence: int, standing: Callable[[], Standing]) -> None:
        """Everything up to ``sequence`` is taken in: ``standing`` says how the world stands there."""

    async def finish(self, standing: Callable[[], Standing]) -> None:
        """As :meth:`keep`, and nothing more is taken in."""

    async def find(self, ref: Ref) -> Entity | None:
        """The entity, or None where the log tells of none."""
        return self._all.get(ref)

    async def get(self, ref: Ref) -> Entity:
        """The entity, which is known to be there; raises KeyError where it is not."""
        found = await self.find(ref)
        if found is None:
            raise KeyError(str(ref))
        return found

    async def count(self, of: Kind | None = None) -> int:
        """How many there are, of a kind or of all."""
        return len(self._all if of is None else self._kinds.get(of, {}))

    async def page(
        self,
        of: Kind,
        after: str | None = None,
        most: int = PAGE,
        carrying: Collection[str] = (),
        lacking: Collection[str] = (),
    ) -> list[Entity]:
        """Up to ``most`` of a kind that carry all that is named, and nothing of what they must lack, in the
        order of their ids, from the first one past ``after`` on."""
        kind, order = self._kinds.get(of, {}), self._order(of)
        past = islice(order, 0 if after is None else bisect_right(order, after), None)
        return list(islice((kind[id] for id in past if carries(kind[id], carrying, lacking)), most))

    def _order(self, of: Kind) -> list[str]:
        """The ids of a kind in their order, which is kept for the next page: those that came in since, the
        last of the kind, are put in, and what is sorted already costs a sort little."""
        kind, order = self._kinds.get(of, {}), self._orders.setdefault(of, [])
        came = list(islice(reversed(kind), len(kind) - len(order)))
        if len(came) > FEW:
            order += came
            order.sort()
        else:
            for id in came:
                insort(order, id)
        return order

    async def changed_since(self, of: Kind, sequence: int, most: int = PAGE) -> list[Entity]:
        """Up to ``most`` of a kind whose last commit is past ``sequence``, the earliest of these first."""
        changed = (one for one in self._kinds.get(of, {}).values() if one.sequence > sequence)
        return sorted(changed, key=lambda one: one.sequence)[:most]

    async def each(self, of: Kind | None = None, carrying: Collection[str] = ()) -> AsyncIterator[Entity]:
        """Every one, of a kind or of all, that carries what is named, in the order of their names. What
        changes meanwhile is seen as it is by then, and one that comes in meanwhile may be left out."""
        for ref in sorted(self._all if of is None else [one.ref for one in self._kinds[of].values()]):
            if carries(self._all[ref], carrying):
                yield self._all[ref]

    async def to_look_at(self) -> AsyncIterator[Entity]:
        """Every one on which there may be something to do, in about the order in which the log first told of
        them: nobody waits until they are sorted. What changes meanwhile is seen as it is by then, and one
        that comes in then is left out."""
        for entity in list(self._all.values()):
            yield entity

    async def count_to_look_at(self) -> int:
        """How many these are, at the most."""
        return await self.count()

    async def troubled(self) -> AsyncIterator[Entity]:
        """Every one that is stopped or on which a system failed, in the order of their names."""
        async for entity in self.each():
            if entity.stopped is not None or entity.failures:
                yield entity

    def command(self, id: str) -> Said | None:
        """The entity whose command had this id, and what its commit says of its content; None for none."""
        return self._commands.get(id)

    def add_command(self, id: str, ref: Ref, request: str | None) -> None:
        """Take in the id of a command."""
        self._commands[id] = ref, request

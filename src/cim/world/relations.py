"""Which entities refer to one, so that what is read across a relation is looked at when it changes."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from cim.contract.relation import Kind, Relation
from cim.contract.subjects import Ref
from cim.contract.system import SystemType
from cim.world.due import target
from cim.world.entity import Entity

Kept = Callable[[Ref], Iterable[Ref]]
"""Gives the entities that an index knows to refer to one, those that began first in front."""


class Relations:
    """The relations across which systems read, backwards. Others are not kept: nobody asks for them.

    Where an index has what was let go of (``kept``), this holds what is not written there yet.
    """

    def __init__(self, systems: Iterable[SystemType] = (), kept: Kept | None = None) -> None:
        self._of: defaultdict[Kind, dict[Relation, None]] = defaultdict(dict)
        for system in systems:
            self._of[system.of] |= dict.fromkeys(sorted(system.relations, key=str))
        self._kept = kept if any(self._of.values()) else None
        self._targets: dict[Ref, frozenset[Ref]] = {}
        self._referring: dict[Ref, dict[Ref, None]] = {}

    def follow(self, entity: Entity) -> None:
        """Take in whom an entity refers to now."""
        relations = self._of.get((entity.ref.context, entity.ref.entity))
        if not relations:
            return
        found = (target(relation, entity) for relation in relations)
        self._put(entity.ref, frozenset(ref for ref in found if ref is not None))

    def targets(self, ref: Ref) -> frozenset[Ref]:
        """Whom an entity refers to that was not let go of."""
        return self._targets.get(ref, frozenset())

    def let_go(self, ref: Ref) -> None:
        """The index knows by now whom an entity refers to."""
        self._put(ref, frozenset())
        self._targets.pop(ref, None)

    def referring(self, ref: Ref) -> Collection[Ref]:
        """The entities that refer to one: those that the index knows in the order in which they began, behind
        them those that are known here, in that in which they came to refer to it."""
        here = self._referring.get(ref, {}).keys()
        if self._kept is None:
            return here
        return [*(one for one in self._kept(ref) if one not in self._targets), *here]

    def _put(self, source: Ref, now: frozenset[Ref]) -> None:
        before = self._targets.get(source, frozenset())
        for ref in before - now:
            referring = self._referring[ref]
            del referring[source]
            if not referring:
                del self._referring[ref]
        for ref in now - before:
            self._referring.setdefault(ref, {})[source] = None
        if now or self._kept is not None:  # that it refers to none any more is known here, too
            self._targets[source] = now
        else:
            self._targets.pop(source, None)

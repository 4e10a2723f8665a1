"""Which entities refer to one, so that what is read across a relation is looked at when it changes."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from cim.contract.relation import Kind, Relation
from cim.contract.subjects import Ref
from cim.contract.system import SystemType
from cim.world.due import target
from cim.world.entity import Entity


class Relations:
    """The relations across which systems read, backwards. Others are not kept: nobody asks for them."""

    def __init__(self, systems: Iterable[SystemType]) -> None:
        self._of: defaultdict[Kind, dict[Relation, None]] = defaultdict(dict)
        for system in systems:
            self._of[system.of] |= dict.fromkeys(sorted(system.relations, key=str))
        self._targets: dict[Ref, frozenset[Ref]] = {}
        self._referring: dict[Ref, dict[Ref, None]] = {}

    def follow(self, entity: Entity) -> None:
        """Take in whom an entity refers to now."""
        relations = self._of.get((entity.ref.context, entity.ref.entity))
        if not relations:
            return
        before = self._targets.get(entity.ref, frozenset())
        found = (target(relation, entity) for relation in relations)
        now = frozenset(ref for ref in found if ref is not None)
        for ref in before - now:
            referring = self._referring[ref]
            del referring[entity.ref]
            if not referring:
                del self._referring[ref]
        for ref in now - before:
            self._referring.setdefault(ref, {})[entity.ref] = None
        if now:
            self._targets[entity.ref] = now
        else:
            self._targets.pop(entity.ref, None)

    def referring(self, ref: Ref) -> Collection[Ref]:
        """The entities that refer to one, those that began first in front."""
        return self._referring.get(ref, {}).keys()

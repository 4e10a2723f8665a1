"""The events that a declaration takes, and the entities that have them."""

from collections.abc import Iterable, Mapping
from typing import Any

from cim.contract.entity import EntityType
from cim.domain.errors import Misdeclared
from cim.domain.message import Event

Sources = Mapping[tuple[str, str], Mapping[str, type[Event]]]
"""The events that something takes by their names, by the entity ``(context, name)`` that has them."""


def sources_of(kinds: Iterable[Any], entities: Iterable[EntityType], where: str) -> Sources:
    """Where the events come from; raises :class:`Misdeclared` for what is no event of an entity here."""
    entities = tuple(entities)
    found: dict[tuple[str, str], dict[str, type[Event]]] = {}
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            raise Misdeclared(f"{where} takes {kind!r}, which is no Event")
        having = [entity for entity in entities if entity.events.get(kind.__name__) is kind]
        if not having:
            known = ", ".join(f"{e.context}.{name}" for e in entities for name in e.events) or "none"
            raise Misdeclared(
                f"{where} takes {kind.__name__}, an event of no entity here; there are: {known}"
            )
        for entity in having:
            found.setdefault((entity.context, entity.name), {})[kind.__name__] = kind
    if not found:
        raise Misdeclared(f"{where}: say which events it may be")
    return found

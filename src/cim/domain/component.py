"""Typed records that systems attach to entities."""

from typing import Any, Self

from cim.domain.record import Record


class Component(Record):
    """What one module knows of an entity: owned by the module that declares it, written by systems only.

    What a person says outranks what was derived: a component that declares :meth:`correct` is put right
    by events of its entity, whenever and however often it is derived anew.
    """

    def correct(self, event: Any) -> Self:
        """This component as a person put it right; unchanged where the event says nothing of it.

        A subclass narrows ``event`` to events of its entity: that annotation is the registry. It must not
        refuse: what is in the log has happened.
        """
        raise TypeError(f"{type(self).__name__} declares no correct: give it one that takes an event")


class Failed(Component):
    """A system could not do its work on this entity; every module may write its own.

    ``system`` is the system's full name (``documents.read``), ``cause`` is text for a person.
    It goes away when the same system succeeds on a newer input.
    """

    system: str
    cause: str

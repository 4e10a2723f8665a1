"""Typed records that systems attach to entities."""

from cim.domain.record import Record


class Component(Record):
    """What one module knows of an entity: owned by the module that declares it, written by systems only."""


class Failed(Component):
    """A system could not do its work on this entity; every module may write its own.

    ``system`` is the system's full name (``documents.read``), ``cause`` is text for a person.
    It goes away when the same system succeeds on a newer input.
    """

    system: str
    cause: str

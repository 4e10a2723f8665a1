"""The kinds of message that an entity understands."""

from cim.domain.record import Record


class Command(Record):
    """Asks one entity for a change. The docstring of a subclass is part of the context's language."""


class Event(Record):
    """Says that something has happened to one entity; named in the past tense."""

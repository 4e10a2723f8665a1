"""Personal values: what can be erased for one person, wherever it was copied to."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from cim.domain.state import State

T = TypeVar("T")

ERASED = "[erased]"
"""What a personal text reads as once it was erased. Every other personal value reads as None."""


@dataclass(frozen=True, slots=True)
class PersonalMark:
    """Says that a field is personal."""


Personal = Annotated[T, PersonalMark()]
"""A field that can be erased: ``name: Personal[str]``, ``born: Personal[date | None]``.

It stands in the log under a key of its person's own. Whose it is: the entity's that the message is for, or
that of the field marked :class:`Person`. Once erased, a text is :data:`ERASED` and all else None.
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Marks the field that says whose the personal values beside it are, where it is not the entity itself:
    ``customer: Annotated[str, Person(Customer)]`` holds the id of an entity of type ``of``."""

    of: type[State]

"""The marks by which a signature says what it reads.

For a type checker ``Changed[Text]`` is ``Text`` and ``Maybe[Text]`` is ``Text | None``; the machine
reads the mark out of the annotation. A filter stands behind a mark, as data:
``hot: Annotated[Changed[Reading], Where("celsius", ">", 30.0)]``.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mark:
    """What an annotated parameter asks of the world."""

    kind: Literal["changed", "added", "removed", "maybe", "with", "without", "each", "one"]


Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in"]


@dataclass(frozen=True, slots=True)
class Where:
    """Only values of which this holds: ``field`` compared with ``operand``; what it does not let through is,
    for the parameter that carries it, as if it were not there. Several hold together.

    A field that is None is neither less nor more than anything. With ``in`` the operand is a tuple.
    """

    field: str
    operator: Operator
    operand: Any

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {self.operand!r}"


Changed = Annotated[T, Mark("changed")]
"""The system runs when this is new or was changed; given the newest value.

``Changed[T | None]`` also makes it run when what it was run for is gone, or is let through no more: it is
given None then.
"""

Added = Annotated[T, Mark("added")]
"""The system runs once each time that this came to be, whatever it becomes later; given the newest value."""

Removed = Annotated[T, Mark("removed")]
"""The system runs once each time that this is gone, while it stays away; given the last value that it had."""

Maybe = Annotated[T | None, Mark("maybe")]
"""Given the value, or None where the entity does not carry it; does not make the system run."""

With = Annotated[type[T], Mark("with")]
"""Only entities that carry this component."""

Without = Annotated[type[T], Mark("without")]
"""Only entities that do not carry this component."""

Each = Annotated[T, Mark("each")]
"""A view's row for every entity of this type."""

One = Annotated[T, Mark("one")]
"""A view of one entity of this type, chosen by whoever looks."""

"""The marks by which a signature says what it reads.

For a type checker ``Changed[Text]`` is ``Text`` and ``Maybe[Text]`` is ``Text | None``; the machine
reads the mark out of the annotation.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mark:
    """What an annotated parameter asks of the world."""

    kind: Literal["changed", "maybe", "with", "without", "each", "one"]


Changed = Annotated[T, Mark("changed")]
"""The system runs when this is new or was changed; given the newest value."""

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

"""What a type annotation means to a view: a value, perhaps None; a record with fields; a sequence."""

import dataclasses
import datetime
import decimal
import enum
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

NUMBERS = (int, float)
TEXTS = (str, decimal.Decimal, datetime.date, datetime.datetime, enum.Enum)
"""Types that travel as text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """A type as a view sees it: ``of`` is the class, ``item`` the annotation of a sequence's items."""

    of: Any
    optional: bool = False
    item: Any = None

    @property
    def name(self) -> str:
        """The type in words."""
        kind = "sequence" if self.item is not None else getattr(self.of, "__name__", str(self.of))
        return f"{kind} or None" if self.optional else kind

    @property
    def number(self) -> bool:
        """Whether it is a number; a truth value is none."""
        return isinstance(self.of, type) and issubclass(self.of, NUMBERS) and not issubclass(self.of, bool)

    @property
    def text(self) -> bool:
        """Whether it travels as text."""
        return isinstance(self.of, type) and issubclass(self.of, TEXTS) and self.item is None

    def comparable(self, other: "Shape") -> bool:
        """Whether an order between both has a meaning."""
        return (self.number and other.number) or (self.text and other.text)

    def fields(self) -> Mapping[str, Any]:
        """The annotations of a record's fields; empty for anything else."""
        if self.item is not None or not dataclasses.is_dataclass(self.of):
            return {}
        hints = get_type_hints(self.of, include_extras=True)
        return {field.name: hints[field.name] for field in dataclasses.fields(self.of)}


def shape_of(annotation: Any) -> Shape:
    """The shape of an annotation: ``str | None``, ``tuple[Step, ...]``, ``Literal["a"]``, a record."""
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return shape_of(arguments[0])
    if origin is Union or origin is types.UnionType:
        return union(annotation)
    if origin is Literal:
        return Shape(type(arguments[0]))
    if isinstance(origin, type) and issubclass(origin, Sequence | frozenset | set):
        return Shape(origin, item=arguments[0])
    if hasattr(annotation, "__supertype__"):
        return shape_of(annotation.__supertype__)
    return Shape(origin or annotation)


def union(annotation: Any) -> Shape:
    """The shape of a union: with None it is optional; several real members have no common shape."""
    members = get_args(annotation)
    real = [member for member in members if member is not types.NoneType]
    optional = len(real) < len(members)
    if len(real) != 1:
        return Shape(annotation, optional)
    return dataclasses.replace(shape_of(real[0]), optional=optional)

"""Values that only the browser will know, and what may be done with them.

A view is run once, with symbols in place of values. A symbol knows its place (a path) and its
type; reading a field gives the symbol of that field, so a misspelled field is an error when the
machine starts. The idea of running a component once over symbolic values and shipping the
result as data is that of staged compilation; nothing is evaluated as code in the browser.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, NoReturn

from cim.domain.component import Failed
from cim.domain.errors import Misdeclared
from cim.domain.record import Record
from cim.views.shapes import Shape, shape_of

Data = list[Any]
"""An expression as JSON: ``["cell", key]``, ``["item", depth, field...]``, ``["value", constant]``
or ``["call", operation, expression...]``."""


class NoSuchField(Misdeclared, AttributeError):
    """A view names a field that the type does not have."""


class WrongUse(Misdeclared, TypeError):
    """A view uses a value as something that it is not."""


class Step(Record):
    """One thing that happened to an entity, or was written about it.

    ``kind`` is command, event, component or failed; ``by`` names who did it; ``time`` is ISO 8601 in
    UTC; ``took`` is in milliseconds, or None where nothing was measured; ``note`` is for a person.
    """

    kind: str
    name: str
    by: str
    time: str
    took: float | None
    note: str
    sequence: int


class Other(Record):
    """A component that the view does not name, as text: written by a module that came later."""

    name: str
    text: str


class Correction(Record):
    """What a person put right: the field of the component, what was derived there, as text, who and when."""

    component: str
    field: str
    was: str
    by: str
    time: str


class Row(Record):
    """What every view knows of an entity without naming a component.

    ``working`` holds the systems that are due or running for it; ``failed`` those that could not do
    their work; ``others`` the components that no binding names; ``corrected`` what people put right;
    ``trail`` its history, oldest first.
    """

    id: str
    sequence: int
    working: tuple[str, ...]
    others: tuple[Other, ...]
    failed: tuple[Failed, ...]
    corrected: tuple[Correction, ...]
    trail: tuple[Step, ...]


class Expression:
    """A value that the browser works out; ``_shape`` is its type, ``_view`` the view it belongs to."""

    __slots__ = ("_data", "_shape", "_view")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, view: str, shape: Shape, data: Data) -> None:
        self._view = view
        self._shape = shape
        self._data = data

    def __eq__(self, other: object) -> Any:
        return call("equal", bool, self, other)

    def __ne__(self, other: object) -> Any:
        return call("different", bool, self, other)

    def __lt__(self, other: object) -> Any:
        return compare("less", self, other)

    def __le__(self, other: object) -> Any:
        return compare("at_most", self, other)

    def __gt__(self, other: object) -> Any:
        return compare("greater", self, other)

    def __ge__(self, other: object) -> Any:
        return compare("at_least", self, other)

    def __bool__(self) -> bool:
        refuse(self, "is not known while the view runs: use when(...) instead of if, and, or, not")

    def __str__(self) -> str:
        refuse(self, "is not known while the view runs: give it to an element as a child of its own")

    def __format__(self, specification: str) -> str:
        return str(self)

    def __iter__(self) -> Iterator[Any]:
        refuse(self, "cannot be looped over while the view runs: use each(...)")

    def __len__(self) -> int:
        refuse(self, "has no length while the view runs: use when(...) or each(...)")

    def __repr__(self) -> str:
        return f"<{describe(self)}>"


class Symbol(Expression):
    """A place in a row: the fields of its type are symbols too."""

    __slots__ = ("_path",)

    def __init__(self, view: str, shape: Shape, path: tuple[str, ...], depth: int | None = None) -> None:
        data = ["cell", ".".join(path)] if depth is None else ["item", depth, *path]
        super().__init__(view, shape, data)
        self._path = path

    def __getattr__(self, field: str) -> "Symbol":
        if field.startswith("__"):
            raise AttributeError(field)
        if self._shape.optional:
            raise NoSuchField(f"{describe(self)} may be None: read .{field} inside when(..., lambda it: ...)")
        fields = self._shape.fields()
        if field not in fields:
            known = f"it has {', '.join(fields)}" if fields else "it has no fields"
            raise NoSuchField(f"{describe(self)} has no field {field!r}; {known}")
        depth = self._data[1] if self._data[0] == "item" else None
        return Symbol(self._view, shape_of(fields[field]), (*self._path, field), depth)


def describe(value: Expression) -> str:
    """The expression in words for an error: ``view board: Text.confidence (float)``."""
    kind, *rest = value._data
    place = {"cell": "".join(map(str, rest[:1])), "item": ".".join(["item", *map(str, rest[1:])])}
    return f"view {value._view}: {place.get(kind, f'{rest[0]}(...)')} ({value._shape.name})"


def refuse(value: Expression, reason: str) -> NoReturn:
    """Say that the value cannot be used so, and what to do instead."""
    raise WrongUse(f"{describe(value)} {reason}")


def narrowed(symbol: Expression) -> Expression:
    """The same value where it is known to be there."""
    if not isinstance(symbol, Symbol):
        return symbol
    there = dataclasses.replace(symbol._shape, optional=False)
    depth = symbol._data[1] if symbol._data[0] == "item" else None
    return Symbol(symbol._view, there, symbol._path, depth)


def item_of(items: Expression, depth: int) -> Symbol:
    """The symbol that stands for one item of ``items`` at a depth of nested repetitions."""
    if items._shape.item is None:
        refuse(items, "is not a sequence: each(...) takes a tuple or a list")
    return Symbol(items._view, shape_of(items._shape.item), (), depth)


def data_of(value: object) -> Data:
    """An expression or a constant as JSON."""
    if isinstance(value, Expression):
        return value._data
    if value is None or isinstance(value, str | int | float):
        return ["value", value]
    raise WrongUse(f"{value!r} cannot stand in a view: use text, numbers, None or a field of the row")


def call(operation: str, gives: type, *operands: object) -> Expression:
    """An operation that the browser does; at least one operand is an expression."""
    first = next(operand for operand in operands if isinstance(operand, Expression))
    return Expression(first._view, shape_of(gives), ["call", operation, *map(data_of, operands)])


def compare(operation: str, left: Expression, right: object) -> Expression:
    """An order of two numbers, or of two texts."""
    shape = right._shape if isinstance(right, Expression) else shape_of(type(right))
    if left._shape.optional or shape.optional or not left._shape.comparable(shape):
        refuse(left, f"cannot be ordered against {shape.name}: compare numbers with numbers, text with text")
    return call(operation, bool, left, right)

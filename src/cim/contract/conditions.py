"""Filters on values: what ``Where(…)`` says, held against the type whose values it filters."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from types import NoneType
from typing import Any

import msgspec

from cim.contract.annotations import bare, hints, members
from cim.domain.errors import Misdeclared
from cim.domain.query import Operator, Where

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "in": lambda value, among: value in among,
    **_ORDER,
}
_AS_THEY_ARE = frozenset({int, float, str, bool, NoneType})
"""The types whose plain data are their values."""

_LOW, _HIGH = frozenset({">", ">="}), frozenset({"<", "<="})


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a field, whose type is ``kind``, with an operand of that type.

    ``default`` is what the field is where plain data does not have it.
    """

    field: str
    operator: Operator
    operand: Any
    kind: Any
    default: Any

    def holds(self, value: Any) -> bool:
        """Whether it holds of a record, or of the plain data of one."""
        if not isinstance(value, Mapping):
            return self.allows(getattr(value, self.field))
        found = value.get(self.field, MISSING)
        if found is MISSING:
            return self.allows(self.default)
        if not _is_as_it_is(self.kind):
            try:
                found = msgspec.convert(found, self.kind)
            except msgspec.ValidationError:
                return False
        return self.allows(found)

    def allows(self, found: Any) -> bool:
        """Whether it holds where the field is this."""
        if found is None and self.operator in _ORDER:
            return False
        return _TESTS[self.operator](found, self.operand)

    def __str__(self) -> str:
        return str(Where(self.field, self.operator, self.operand))


def conditions(filters: Iterable[Where], kind: type[Any], where: str) -> tuple[Condition, ...]:
    """The filters of a parameter, held against the type that it reads; raises :class:`Misdeclared` naming
    what cannot be."""
    return tuple(_condition(one, kind, where) for one in filters)


def contradiction(found: Iterable[Condition]) -> str | None:
    """Two conditions that never hold together, in words; None where none is seen."""
    found = tuple(found)
    for one in found:
        for other in found:
            if one.field == other.field and _excludes(one, other):
                return f"{one} and {other}"
    return None


def _condition(found: Where, kind: type[Any], where: str) -> Condition:
    known = {one.name: one for one in fields(kind)}
    if found.field not in known:
        names = ", ".join(known) or "none"
        raise Misdeclared(
            f"{where}: {kind.__name__} has no field {found.field!r} to filter by: it has {names}"
        )
    if found.operator not in _TESTS:
        raise Misdeclared(f"{where}: {found.operator!r} is no operator of Where: {', '.join(_TESTS)} are")
    said = hints(kind)[found.field]
    if found.operator == "in":
        operand: Any = tuple(_operand(one, said, found, where) for one in _several(found, where))
    else:
        operand = _operand(found.operand, said, found, where)
    if found.operator in _ORDER:
        _hold_order(operand, found, where)
    one = known[found.field]
    default = one.default_factory() if one.default_factory is not MISSING else one.default
    return Condition(found.field, found.operator, operand, said, None if default is MISSING else default)


def _several(found: Where, where: str) -> Iterable[Any]:
    if not isinstance(found.operand, tuple) or not found.operand:
        raise Misdeclared(f"{where}: `in` compares with a tuple of values, {found.operand!r} is none")
    return found.operand


def _operand(operand: Any, kind: Any, found: Where, where: str) -> Any:
    if any(isinstance(one, type) and isinstance(operand, one) for one in members(bare(kind))):
        return operand
    try:
        return msgspec.convert(operand, kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise Misdeclared(
            f"{where}: `{found}` compares {found.field} with what it never is: {error}"
        ) from error


def _hold_order(operand: Any, found: Where, where: str) -> None:
    try:
        operator.lt(operand, operand)
    except TypeError as error:
        name = type(operand).__name__
        raise Misdeclared(f"{where}: `{found}`: values of {name} have no order: use == or in") from error


def _is_as_it_is(kind: Any) -> bool:
    return all(one in _AS_THEY_ARE for one in members(bare(kind)))


def _excludes(one: Condition, other: Condition) -> bool:
    """Whether what the one allows is seen to be refused by the other."""
    if one.operator == "==":
        return not other.allows(one.operand)
    if one.operator == "in":
        return not any(other.allows(value) for value in one.operand)
    if one.operator in _LOW and other.operator in _HIGH:
        strict = one.operator == ">" or other.operator == "<"
        return bool(one.operand >= other.operand if strict else one.operand > other.operand)
    return False

"""Relations, worked out from annotations: which fields name another entity, and which of them a parameter is
read across."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, get_args

from cim.contract.annotations import bare, extras, hints, is_union
from cim.contract.subjects import Ref
from cim.domain.context import declared_entity
from cim.domain.errors import Misdeclared
from cim.domain.personal import Person, PersonalMark
from cim.domain.relation import Refers, Via
from cim.domain.state import State

Kind = tuple[str, str]
"""The context and the name of a kind of entity."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record that holds the id of an entity whose state is a ``state``; ``default`` is what it
    holds where plain data does not have it."""

    state: type[State]
    of: Kind
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """From an entity to the one of the kind ``of`` whose id the ``field`` of its ``source`` holds: a
    component's key, or the state's name. ``default`` is the field where plain data does not have it."""

    source: str
    field: str
    of: Kind
    default: str | None = None

    def target(self, value: Any) -> Ref | None:
        """The entity that a record, or the plain data of one, refers to; None where it refers to none."""
        is_plain = isinstance(value, Mapping)
        found = value.get(self.field, self.default) if is_plain else getattr(value, self.field, None)
        return Ref(*self.of, found) if isinstance(found, str) else None

    def __str__(self) -> str:
        return f"{self.source}.{self.field}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A field of what a parameter is given that names an entity."""

    parameter: str
    relation: Relation

    def is_meant(self, via: Via | None) -> bool:
        """Whether it is what a parameter's ``Via`` says, if it says anything."""
        field = self.relation.field
        return via is None or via.field in (field, f"{self.parameter}.{field}")


def references(kind: type[Any]) -> dict[str, Field]:
    """The fields of a type that name an entity; raises :class:`Misdeclared` naming one that cannot."""
    found: dict[str, Field] = {}
    defaults = {one.name: one.default for one in fields(kind)}
    for name, annotation in hints(kind).items():
        marks, types = _marks_and_types(annotation)
        leading = [mark for mark in marks if isinstance(mark, Refers | Person)]
        if not leading:
            continue
        where = f"{kind.__name__}.{name}"
        if len(leading) > 1:
            raise Misdeclared(f"{where} names two entities: one a field (a Person is referred to by that)")
        if any(isinstance(mark, PersonalMark) for mark in marks):
            raise Misdeclared(f"{where} is Personal and refers: the id that leads to an entity is readable")
        if types not in ({str}, {str, NoneType}):
            raise Misdeclared(f"{where} refers and is no `str` or `str | None`: it holds an entity's id")
        default = defaults.get(name)
        found[name] = _field(leading[0], default if isinstance(default, str) else None, where)
    return found


def across(
    parameter: str, of: Kind, home: Kind, via: Via | None, among: Iterable[Reference], where: str
) -> Relation:
    """The relation that leads from an entity of the kind ``home`` to what a parameter reads, ``among`` the
    fields that its system's other parameters have; raises :class:`Misdeclared` where none or several do."""
    name = ".".join(of)
    fitting = [one for one in among if one.relation.of == of]
    meant = [one for one in fitting if one.is_meant(via)]
    if len({one.relation for one in meant}) == 1:
        return meant[0].relation
    known = ", ".join(f"{one.parameter}.{one.relation.field}" for one in fitting)
    if not fitting:
        raise Misdeclared(
            f"{where} works on {'.'.join(home)}, and no field that it is given leads to {name}, of which "
            f"parameter `{parameter}` is: mark the one that holds its id, `Annotated[str, Refers({of[1]})]`, "
            f"and take what has it as a parameter"
        )
    if not meant:
        assert via is not None
        raise Misdeclared(f"{where}: parameter `{parameter}`: Via({via.field!r}) is none of {known}")
    raise Misdeclared(
        f"{where}: parameter `{parameter}`: {known} all lead to {name}: say by which with Via(…)"
    )


def _marks_and_types(annotation: Any) -> tuple[tuple[Any, ...], set[Any]]:
    """The marks of a field, wherever in a union they stand, and the types that it may be."""
    inner = bare(annotation)
    parts = get_args(inner) if is_union(inner) else (inner,)
    marks = (*extras(annotation), *(mark for part in parts for mark in extras(part)))
    return marks, {bare(part) for part in parts}


def _field(mark: Refers | Person, default: str | None, where: str) -> Field:
    state = mark.to if isinstance(mark, Refers) else mark.of
    declared = declared_entity(state)
    if declared is None:
        raise Misdeclared(f"{where}: {state.__name__} is no entity: give it @context.entity(key=…)")
    return Field(state, (declared.context, state.__name__), default)

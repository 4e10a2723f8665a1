"""Personal fields, worked out from annotations: which they are, and whose."""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

from cim.contract.annotations import bare, extras, hints, is_union, members
from cim.contract.subjects import Ref
from cim.domain.blob import Blob
from cim.domain.context import declared_entity
from cim.domain.errors import Misdeclared
from cim.domain.personal import ERASED, Person, PersonalMark
from cim.domain.record import Record


@dataclass(frozen=True, slots=True)
class PersonalFields:
    """The personal fields of a type.

    ``erased`` maps each to what it reads as once erased. ``person`` is the field that says whose they are,
    the id of an entity of the type ``of`` (its context and name); None where they are the entity's own.
    """

    erased: Mapping[str, str | None]
    person: str | None
    of: tuple[str, str]

    def says_nothing(self, record: Any) -> bool:
        """Whether every personal value of a record reads as one that was erased."""
        return all(getattr(record, name) == erased for name, erased in self.erased.items())

    def person_of(self, record: Any, own: Ref | None) -> Ref:
        """Whose the values of a record are; ``own`` is the entity that the record is of."""
        if self.person is not None:
            return Ref(*self.of, getattr(record, self.person))
        assert own is not None, "a type whose records belong to no entity names a Person"
        return own


def personal_fields(kind: type[Any]) -> PersonalFields | None:
    """The personal fields of a type; None where it has none. Raises :class:`Misdeclared` by name."""
    shape: Any = kind
    return _read(shape)


@lru_cache(maxsize=4096)
def _read(kind: type[Any]) -> PersonalFields | None:
    fields = hints(kind)
    erased: dict[str, str | None] = {}
    persons: dict[str, Person] = {}
    for name, annotation in fields.items():
        where = f"{kind.__name__}.{name}"
        inner, marks = _marks(annotation)
        found = [mark for mark in marks if isinstance(mark, Person)]
        if any(isinstance(mark, PersonalMark) for mark in marks):
            if found:
                raise Misdeclared(f"{where} is Personal and names the Person: a name of a key is readable")
            erased[name] = _erased(inner, where)
        elif found:
            persons[name] = _person(found[0], inner, where)
        _refuse_inside(inner, where)
    if not erased:
        return None
    if len(persons) > 1:
        raise Misdeclared(
            f"{kind.__name__} names two persons, {' and '.join(persons)}: the personal values of one record "
            f"are one person's; write two records"
        )
    for field, mark in persons.items():
        return PersonalFields(erased, field, _declared(mark, f"{kind.__name__}.{field}"))
    return PersonalFields(erased, None, ("", ""))


def check_personal(kind: type[Any], where: str, readable: str | None = None, *, owned: bool = True) -> bool:
    """Hold that the personal fields of a type can be; whether it has any. Raises :class:`Misdeclared`.

    ``readable`` is a field that must not be personal, the entity's key. A type that is not ``owned`` has
    records that belong to no entity, and must name the person.
    """
    try:
        found = personal_fields(kind)
    except Misdeclared as error:
        raise Misdeclared(f"{where}: {error}") from error
    if found is None:
        return False
    if readable in found.erased:
        raise Misdeclared(
            f"{where}: {kind.__name__}.{readable} is Personal, and it is the key: it stands in readable "
            f"places and cannot be erased"
        )
    if not owned and found.person is None:
        raise Misdeclared(
            f"{where}: {kind.__name__} has personal fields and does not say whose: mark the field that holds "
            f"the person's id, `customer: Annotated[str, Person(Customer)]`"
        )
    return True


def _marks(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """An annotation as its type and its marks."""
    return bare(annotation), extras(annotation)


def _erased(inner: Any, where: str) -> str | None:
    """What a personal value of this type reads as once it was erased."""
    if Blob in _types_in(inner):
        raise Misdeclared(
            f"{where} is Personal and large content, which is kept under its digest and cannot be erased "
            f"yet: keep it out of the machine, or leave the mark away"
        )
    if members(inner) == (str,):
        return ERASED
    if inner is Any or (is_union(inner) and types.NoneType in get_args(inner)):
        return None
    name = getattr(inner, "__name__", str(inner))
    raise Misdeclared(
        f"{where} is Personal[{name}], which cannot say that it was erased: write Personal[{name} | None]"
    )


def _person(mark: Person, inner: Any, where: str) -> Person:
    if inner is not str:
        raise Misdeclared(f"{where} names a Person and is {inner}: the id of an entity is a str")
    return mark


def _declared(mark: Person, where: str) -> tuple[str, str]:
    declared = declared_entity(mark.of)
    if declared is None:
        raise Misdeclared(f"{where}: {mark.of.__name__} is no entity: give it @context.entity(key=…)")
    return declared.context, mark.of.__name__


def _refuse_inside(inner: Any, where: str) -> None:
    for one in _types_in(inner):
        marks = _marks(one)[1]
        if isinstance(one, type) and issubclass(one, Record):
            marks = tuple(mark for field in hints(one).values() for mark in _marks(field)[1])
        if any(isinstance(mark, PersonalMark | Person) for mark in marks):
            raise Misdeclared(f"{where} has a mark inside: Personal and Person stand on a field of its own")


def _types_in(annotation: Any, seen: frozenset[Any] = frozenset()) -> Iterator[Any]:
    """A type and all that it is made of."""
    yield annotation
    parts = list(get_args(annotation))
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type) and annotation not in seen:
        seen |= {annotation}
        parts += hints(annotation).values()
    for part in parts:
        yield from _types_in(part, seen)

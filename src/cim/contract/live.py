"""Live queries as data: which entities, what must hold of them, what is told of them; and what is told.

A question is plain data, so that any program can put it. It is held against the types that the machine
knows, by the same conditions as the filters of systems: what cannot be is refused by name.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from cim.contract import codec
from cim.contract.code import functions_of, text_of
from cim.contract.composition import Composition
from cim.contract.conditions import Condition, conditions, contradiction
from cim.contract.entity import EntityType
from cim.contract.query import BadQuestion
from cim.contract.schema import fingerprint
from cim.contract.shapes import known_shapes
from cim.contract.system import STATE, ComponentType
from cim.domain.query import Operator, Where

Q = TypeVar("Q", bound="LiveQuestion")

LARGEST_PAGE = 1000


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a live query is: all up to ``sequence`` of the log was told. ``basis`` names that log, the code
    that folds it and the question: with another one, nothing goes on from here."""

    sequence: int
    basis: str


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One condition on a value; ``field`` is ``Component.field``, or a field alone where only one of the
    state and the components that are asked for has it."""

    field: str
    operator: Operator
    operand: Any


class LiveQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a live query asks for: entities ``of`` a type (``context.Entity``) that carry the components
    ``with``, none of ``without``, and of which all of ``where`` holds.

    ``show`` names the values that are told, :data:`STATE` among them: if it is left out, the state and all
    that the question speaks of. ``page`` is how many entities a message has at most; ``since`` where to go
    on from.
    """

    of: str
    having: tuple[str, ...] = msgspec.field(name="with", default=())
    without: tuple[str, ...] = ()
    where: tuple[Filter, ...] = ()
    show: tuple[str, ...] | None = None
    page: int = 200
    since: Place | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.page <= LARGEST_PAGE:
            raise ValueError(f"page is {self.page}: it is 1 to {LARGEST_PAGE:,} entities")


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entity that came among those that are asked for, changed there, or left.

    ``sequence`` is that of the commit by which it became so. ``values`` holds what is shown by its name, None
    for what the entity does not carry; it is None of one that left. ``stopped`` says why the entity does not
    follow its history any more, if it does not.
    """

    what: Literal["entered", "changed", "left"]
    id: str
    sequence: int
    values: dict[str, Any] | None = None
    stopped: str | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of a live query, ``number`` counted from 1.

    The first says how it ``began``: anew, and ``why``, or resumed. Who has taken in all ``changes`` up to one
    with ``reached`` holds what there is at that place; before the first of these they are a snapshot. The
    last says how it ``ended``, and whether it is worth asking ``again`` from the last place.
    """

    number: int
    began: Literal["anew", "resumed"] | None = None
    why: str | None = None
    changes: tuple[Change, ...] = ()
    reached: Place | None = None
    ended: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """A value that an entity must have: the state or a component by its key, all conditions met."""

    source: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveQuery:
    """A question held against the types: what is looked at, by key, in which entities. ``version`` names the
    question and the code that folds what it tells."""

    of: tuple[str, str]
    needs: tuple[Need, ...]
    without: tuple[str, ...]
    shown: tuple[str, ...]
    page: int
    version: str


def live_question(data: Mapping[str, Any]) -> LiveQuestion:
    """The question that plain data holds; raises :class:`BadQuestion` that names the part that is off."""
    return read_question(data, LiveQuestion)


def read_question(data: Mapping[str, Any], kind: type[Q]) -> Q:
    """As :func:`live_question`, for a question that says more."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        names = ", ".join(kind.__struct_encode_fields__)
        raise BadQuestion(f"live query: {error}; a question has: {names}") from error


def live_query(asked: LiveQuestion, composition: Composition) -> LiveQuery:
    """A question held against a composition.

    Raises :class:`cim.domain.errors.CimError` by name: an entity, a component or a field that is not there,
    a comparison with what a field never is, and what no entity can match.
    """
    context, _, name = asked.of.partition(".")
    return _Reading(composition.entity(context, name), composition.components, asked).query()


class _Reading:
    """A question beside the types of which it speaks."""

    def __init__(self, kind: EntityType, components: Iterable[ComponentType], asked: LiveQuestion) -> None:
        self._kind, self._asked, self._where = kind, asked, f"live query of {kind}"
        of = (kind.context, kind.name)
        self._known = {one.key: one for one in components if one.of == of}

    def query(self) -> LiveQuery:
        asked, kind = self._asked, self._kind
        for name in (*asked.having, *asked.without):
            self._component(name)
        found: dict[str, list[Where]] = {name: [] for name in asked.having}
        for one in asked.where:
            source, field = self._source(one.field)
            operand = tuple(one.operand) if isinstance(one.operand, list) else one.operand
            found.setdefault(source, []).append(Where(field, one.operator, operand))
        needs = tuple(self._need(source, filters) for source, filters in found.items())
        for name in asked.without:
            if name in found:
                raise BadQuestion(f"{self._where}: it asks for {name} and for entities without it")
        shown = tuple(dict.fromkeys((STATE, *found) if asked.show is None else asked.show))
        for name in shown:
            self._type(name)
        used = (*found, *asked.without, *shown)
        of = (kind.context, kind.name)
        return LiveQuery(of, needs, asked.without, shown, asked.page, self._version(used))

    def _component(self, name: str) -> ComponentType:
        if name not in self._known:
            known = ", ".join(sorted(self._known)) or "none"
            raise BadQuestion(f"{self._where}: it has no component {name}; there are: {known}")
        return self._known[name]

    def _type(self, source: str) -> type[Any]:
        return self._kind.state if source == STATE else self._component(source).component

    def _source(self, path: str) -> tuple[str, str]:
        """The state or the component that a path names, and the field."""
        source, _, field = path.rpartition(".")
        if source:
            self._type(source)
            return source, field
        among = dict.fromkeys((STATE, *self._asked.having))
        found = [one for one in among if field in codec.field_names(self._type(one))]
        if len(found) == 1:
            return found[0], field
        if found:
            ways = " or ".join(f"{one}.{field}" for one in found)
            raise BadQuestion(f"{self._where}: {field} is a field of several: say {ways}")
        raise BadQuestion(
            f"{self._where}: neither its state nor what it is asked for `with` has a field {field!r}: "
            f"say Component.field"
        )

    def _need(self, source: str, filters: Iterable[Where]) -> Need:
        found = conditions(filters, self._type(source), self._where)
        never = contradiction(found)
        if never is not None:
            raise BadQuestion(f"{self._where}: no {self._type(source).__name__} has {never}")
        return Need(source, found)

    def _version(self, used: Iterable[str]) -> str:
        asked = self._asked
        said = (asked.of, asked.having, asked.without, asked.where, asked.show)
        told = [codec.json_bytes(said).decode(), self._kind.version]
        for name in sorted(set(used) - {STATE}):
            told += _folded_by(self._component(name).component)
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _folded_by(component: type[Any]) -> Iterator[str]:
    """What says how a component comes to be of what the log holds."""
    yield fingerprint(frozenset([component]))
    yield known_shapes((component,)).version
    yield from text_of(functions_of(component))

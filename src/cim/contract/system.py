"""Systems, worked out from their signatures: what they read, need and write."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from cim.contract.agent import AgentTerms, is_think, read_terms
from cim.contract.annotations import extras, filters, hints, is_union, marked, members
from cim.contract.code import functions_of, text_of
from cim.contract.conditions import Condition, conditions, contradiction
from cim.contract.entity import EntityType
from cim.contract.expiry import expiry_field
from cim.contract.personal import check_personal
from cim.contract.query import QueryType
from cim.contract.relation import Reference, Relation, across, references
from cim.contract.schema import check_shape, fingerprint
from cim.contract.shapes import Shapes, known_shapes, shapes_of
from cim.domain.capability import Capability
from cim.domain.component import Component, Failed
from cim.domain.context import AgentDeclared, declared_component, declared_entity
from cim.domain.errors import Misdeclared
from cim.domain.message import Event
from cim.domain.relation import Via
from cim.domain.state import State

STATE = "state"
"""The name under which an entity's own state stands among a system's inputs."""

_KEPT = frozenset({STATE, Failed.__name__})

ReadKind = Literal["changed", "follows", "added", "removed", "has", "maybe", "with", "without"]

TRIGGERS = frozenset({"changed", "follows", "added", "removed"})
"""The kinds of reading that make a system run."""

PRESENT = frozenset({"changed", "added", "has", "with"})
"""Those that ask for entities which carry it."""

PLAIN = frozenset({"with", "without"})
"""Those that choose and are given no value."""


@dataclass(frozen=True, slots=True)
class ComponentType:
    """A component, its owner, the entity ``(context, name)`` that it is attached to, the events of that
    entity by which people correct it, and the field that says when it ends."""

    owner: str
    name: str
    component: type[Component]
    of: tuple[str, str]
    corrected_by: tuple[type[Event], ...] = ()
    expires: str | None = None

    @property
    def key(self) -> str:
        """The component's name on the entity: ``owner.Name`` where another module owns it."""
        return component_key(self.owner, self.name, self.of[0])


def component_key(owner: str, name: str, context: str) -> str:
    """The name of a component on an entity of ``context``."""
    return name if owner == context else f"{owner}.{name}"


@dataclass(frozen=True, slots=True)
class Read:
    """One parameter that the world fills.

    ``source`` is a component's key or :data:`STATE` on an entity of the kind ``of``; all ``conditions`` must
    hold of its value. ``follows`` is what ``Changed[T | None]`` says. ``relation`` leads to the entity that
    carries it, where that is not the one that the system works on.
    """

    parameter: str
    kind: ReadKind
    source: str
    type: type[Any]
    of: tuple[str, str]
    conditions: tuple[Condition, ...] = ()
    relation: Relation | None = None

    @property
    def name(self) -> str:
        """How a run names it among its inputs; across a relation the id of that entity stands behind it."""
        return self.source if self.relation is None else f"{self.relation}>{self.source}@"

    def lets(self, value: Any) -> bool:
        """Whether its filter lets a value through: a record, or the plain data of one."""
        return all(condition.holds(value) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class SystemType:
    """A system: its full name, the entity that it works on, what it reads, needs and writes.

    ``returns`` holds, for each place of what the function returns, the classes that may stand there.
    ``version`` names the code by which it works, as it is written now; what it takes from other packages is
    no part of it. Another version makes nothing due. ``agent`` is what it is beside, where it thinks.
    """

    owner: str
    name: str
    function: Callable[..., Any]
    of: tuple[str, str]
    reads: tuple[Read, ...]
    needs: Mapping[str, type[Any]]
    writes: tuple[ComponentType, ...]
    returns: tuple[tuple[type[Any], ...], ...]
    version: str
    agent: AgentTerms | None = None

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"

    @property
    def waits(self) -> bool:
        """Whether it is async: it waits for others more than it computes."""
        return inspect.iscoroutinefunction(inspect.unwrap(self.function))

    @property
    def triggers(self) -> frozenset[tuple[tuple[str, str], str]]:
        """What makes the system run when it changes: kinds of entities, each with a source on it."""
        return frozenset((read.of, read.source) for read in self.reads if read.kind in TRIGGERS)

    @property
    def relations(self) -> frozenset[Relation]:
        """The relations across which it reads."""
        return frozenset(read.relation for read in self.reads if read.relation is not None)


def read_component(kind: type[Component], where: str) -> ComponentType:
    """The component that a class declares; raises :class:`Misdeclared` where no context owns it."""
    declared = declared_component(kind)
    if declared is None:
        raise Misdeclared(f"{where}: {kind.__name__} is owned by no module: give it @context.component(of=…)")
    entity = declared_entity(declared.of)
    if entity is None:
        raise Misdeclared(f"{where}: {declared.of.__name__} is no entity: give it @context.entity(key=…)")
    if kind.__name__ in _KEPT:
        raise Misdeclared(f"{where}: the machine keeps the name {kind.__name__} for itself: choose another")
    check_shape(kind, where)
    check_personal(kind, where)
    references(kind)
    of = (entity.context, declared.of.__name__)
    ends = expiry_field(kind, where)
    return ComponentType(declared.context, kind.__name__, kind, of, _corrections(kind, where), ends)


def component_shapes(components: Iterable[ComponentType]) -> dict[tuple[tuple[str, str], str], Shapes]:
    """The shapes of components by the entity that they are attached to and their owner; raises
    :class:`Misdeclared` naming what cannot be."""
    owned: dict[tuple[tuple[str, str], str], list[type[Component]]] = {}
    for one in components:
        owned.setdefault((one.of, one.owner), []).append(one.component)
    return {place: shapes_of(kinds, place[1]) for place, kinds in owned.items()}


def _corrections(kind: type[Component], where: str) -> tuple[type[Event], ...]:
    if "correct" not in kind.__dict__:
        return ()
    place = f"{where}: {kind.__name__}.correct"
    parameters = list(inspect.signature(kind.correct).parameters)
    if len(parameters) != 2:
        raise Misdeclared(f"{place} takes one event: write `correct(self, event: SomeEvent)`")
    events = members(hints(kind.correct).get(parameters[1]))
    if not events or not all(isinstance(event, type) and issubclass(event, Event) for event in events):
        raise Misdeclared(f"{place}: say by its annotation which events `{parameters[1]}` may be")
    return events


def read_system(owner: str, function: Callable[..., Any]) -> SystemType:
    """The system that a function's signature declares; raises :class:`Misdeclared` naming what cannot be."""
    where = f"{owner}.{function.__name__}"
    for name, annotation in hints(function).items():
        if is_think(annotation):
            raise Misdeclared(f"{where}: parameter `{name}` thinks, which agents do: use @context.agent()")
    return _read(owner, function, where)


def read_agent(
    declared: AgentDeclared, entities: Iterable[EntityType], queries: Iterable[QueryType]
) -> SystemType:
    """The agent that a function's signature declares, as a system with its terms; raises
    :class:`Misdeclared` as :func:`read_system` does."""
    owner, function = declared.context, declared.function
    read = _read(owner, function, f"{owner}.{function.__name__}")
    thinks = {name: one for name, one in hints(function).items() if name != "return" and is_think(one)}
    told = [one.type for one in read.reads if one.kind not in PLAIN]
    terms = read_terms(declared, thinks, told, entities, queries)
    version = hashlib.sha256(f"{read.version}\n{terms.text}".encode()).hexdigest()[:12]
    return replace(read, agent=terms, version=version)


def _read(owner: str, function: Callable[..., Any], where: str) -> SystemType:
    annotations = hints(function)
    reads, needs, vias = _parameters(function, annotations, where)
    returns = _returns(annotations.get("return"))
    writes = _writes(owner, returns, where)
    entities = {written.of for written in writes}
    if len(entities) != 1:
        raise Misdeclared(f"{where} writes on several entities: {sorted('.'.join(of) for of in entities)}")
    of = entities.pop()
    reads = _related(reads, vias, of, where)
    if not any(read.kind in TRIGGERS for read in reads):
        raise Misdeclared(
            f"{where} would never run: mark what it waits for with Changed[…], Added[…] or Removed[…]"
        )
    _possible(reads, where)
    return SystemType(
        owner,
        function.__name__,
        function,
        of,
        tuple(reads),
        needs,
        writes,
        returns,
        _version(function, reads, writes),
    )


def _parameters(
    function: Callable[..., Any], annotations: Mapping[str, Any], where: str
) -> tuple[list[Read], dict[str, type[Any]], dict[str, Via]]:
    """What a system reads, what it needs, and across which fields its parameters say that they are read."""
    reads: list[Read] = []
    needs: dict[str, type[Any]] = {}
    vias: dict[str, Via] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        place = f"{where}: parameter `{name}`"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise Misdeclared(f"{place} cannot be given by its name: write it without / or *")
        if name not in annotations:
            raise Misdeclared(f"{place} has no annotation")
        annotation = annotations[name]
        if is_think(annotation):
            continue
        kind, mark = marked(annotation, place)
        if mark is None and isinstance(kind, type) and Capability in kind.__mro__:
            if filters(annotation):
                raise Misdeclared(f"{place} is a capability, which has no value to filter: leave Where away")
            if _via(annotation, place) is not None:
                raise Misdeclared(f"{place} is a capability, which no entity has: leave Via away")
            needs[name] = kind
            continue
        how = _read_kind(mark.kind if mark else None, place)
        if how == "changed" and is_union(kind):
            how, kind = "follows", _one_or_none(kind, place)
        source, of = _source(kind, place)
        reads.append(Read(name, how, source, kind, of, conditions(filters(annotation), kind, place)))
        via = _via(annotation, place)
        if via is not None:
            vias[name] = via
    return reads, needs, vias


def _via(annotation: Any, where: str) -> Via | None:
    found = [extra for extra in extras(annotation) if isinstance(extra, Via)]
    if len(found) > 1:
        raise Misdeclared(f"{where} carries two Via: a relation goes by one field")
    return found[0] if found else None


def _related(reads: Iterable[Read], vias: Mapping[str, Via], of: tuple[str, str], where: str) -> list[Read]:
    """The parameters of a system that works on an entity of the kind ``of``, those of other entities with the
    relation that leads there."""
    reads = tuple(reads)
    own = [read for read in reads if read.of == of and read.parameter not in vias]
    leading = [one for read in own if read.kind not in ("removed", "without") for one in _references(read)]
    found: list[Read] = []
    for read in reads:
        if read in own:
            found.append(read)
            continue
        if read.kind in ("added", "removed"):
            raise Misdeclared(
                f"{where}: parameter `{read.parameter}` is of another entity, of which Added and Removed are "
                f"not offered: Changed[{read.type.__name__} | None] keeps in step with it"
            )
        via = vias.get(read.parameter)
        found.append(replace(read, relation=across(read.parameter, read.of, of, via, leading, where)))
    return found


def _references(read: Read) -> Iterator[Reference]:
    for name, field in references(read.type).items():
        yield Reference(read.parameter, Relation(read.source, name, field.of, field.default))


def _source(kind: Any, where: str) -> tuple[str, tuple[str, str]]:
    if isinstance(kind, type) and issubclass(kind, Component):
        component = read_component(kind, where)
        return component.key, component.of
    if isinstance(kind, type) and issubclass(kind, State):
        entity = declared_entity(kind)
        if entity is None:
            raise Misdeclared(f"{where}: {kind.__name__} is no entity: give it @context.entity(key=…)")
        return STATE, (entity.context, kind.__name__)
    raise Misdeclared(f"{where}: {kind!r} is no component, no entity and no capability")


def _one_or_none(annotation: Any, where: str) -> Any:
    kinds = members(annotation)
    if len(kinds) != 1:
        raise Misdeclared(f"{where} reads several types: one a parameter")
    return kinds[0]


def _read_kind(mark: str | None, where: str) -> ReadKind:
    match mark:
        case None:
            return "has"
        case "changed" | "added" | "removed" | "maybe" | "with" | "without":
            return mark
        case _:
            raise Misdeclared(f"{where}: {mark!r} belongs to a view, a system cannot read by it")


def _possible(reads: Iterable[Read], where: str) -> None:
    """Refuse a query that no entity can match: one that carries a component and does not, or whose filters
    never hold together."""
    reads = tuple(reads)
    without = {read.name for read in reads if read.kind == "without" and not read.conditions}
    gone = {read.name for read in reads if read.kind == "removed"}
    for read in reads:
        _hold_together(read.conditions, read, where)
        if read.kind not in PRESENT:
            continue
        if read.name in without | gone:
            absent = "until it is gone" if read.name in gone else "for entities without it"
            raise Misdeclared(f"{where} would never run: it waits for {read.type.__name__} and asks {absent}")
        same = [other for other in reads if other.name == read.name and other.kind in PRESENT]
        _hold_together([one for other in same for one in other.conditions], read, where)
    if STATE in without | gone:
        raise Misdeclared(f"{where} would never run: an entity is never without its own state")


def _hold_together(conditions: Iterable[Condition], read: Read, where: str) -> None:
    found = contradiction(conditions)
    if found is not None:
        raise Misdeclared(f"{where}: parameter `{read.parameter}`: no {read.type.__name__} has {found}")


def _returns(annotation: Any) -> tuple[tuple[Any, ...], ...]:
    parts = get_args(annotation) if get_origin(annotation) is tuple else (annotation,)
    return tuple(get_args(part) if is_union(part) else (part,) for part in parts)


def _writes(owner: str, returns: tuple[tuple[Any, ...], ...], where: str) -> tuple[ComponentType, ...]:
    kinds = [kind for place in returns for kind in place if kind not in (None, NoneType)]
    if not kinds:
        raise Misdeclared(f"{where} must say what it writes: `-> SomeComponent` or a tuple of components")
    written: list[ComponentType] = []
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Component)):
            raise Misdeclared(f"{where} returns {kind!r}, which is no component")
        component = read_component(kind, where)
        if component.owner != owner:
            raise Misdeclared(f"{where} writes {kind.__name__}, which module {component.owner} owns")
        if component in written:
            raise Misdeclared(f"{where} writes {kind.__name__} twice: once a run")
        written.append(component)
    return tuple(written)


def _version(function: Callable[..., Any], reads: Iterable[Read], writes: Iterable[ComponentType]) -> str:
    """A name for the code as written: twelve hex digits.

    It covers the function and what it uses of its package, what makes the values that it is given
    (``evolve``, ``correct``, former shapes; not ``decide``), and the shapes of what it reads and writes.
    """
    given = [read.type for read in reads if read.kind not in PLAIN]
    states = [kind for kind in given if issubclass(kind, State)]
    making = [one for kind in given for one in functions_of(kind) if one.__name__ != "decide"]
    told = text_of([function, inspect.unwrap(function), *making], without=states)
    for kind in (*given, *(written.component for written in writes)):
        told.append(f"{kind.__name__} {fingerprint(frozenset([kind]))}")
    told += [known_shapes((kind,)).version for kind in given if issubclass(kind, Component)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]

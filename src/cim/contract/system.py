"""Systems, worked out from their signatures: what they read, need and write."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from cim.contract.annotations import hints, marked, members
from cim.domain.capability import Capability
from cim.domain.component import Component
from cim.domain.context import declared_component, declared_entity
from cim.domain.errors import Misdeclared
from cim.domain.state import State

STATE = "state"
"""The name under which an entity's own state stands among a system's inputs."""


@dataclass(frozen=True, slots=True)
class ComponentType:
    """A component, its owner, and the entity ``(context, name)`` that it is attached to."""

    owner: str
    name: str
    component: type[Component]
    of: tuple[str, str]

    @property
    def key(self) -> str:
        """The component's name on the entity: ``owner.Name`` where another module owns it."""
        return component_key(self.owner, self.name, self.of[0])


def component_key(owner: str, name: str, context: str) -> str:
    """The name of a component on an entity of ``context``."""
    return name if owner == context else f"{owner}.{name}"


@dataclass(frozen=True, slots=True)
class Read:
    """One parameter that the world fills. ``source`` is a component's key or :data:`STATE`."""

    parameter: str
    kind: Literal["changed", "has", "maybe", "with", "without"]
    source: str
    type: type[Any]


@dataclass(frozen=True, slots=True)
class SystemType:
    """A system: its full name, the entity that it works on, what it reads, needs and writes."""

    owner: str
    name: str
    function: Callable[..., Any]
    of: tuple[str, str]
    reads: tuple[Read, ...]
    needs: Mapping[str, type[Any]]
    writes: tuple[ComponentType, ...]
    version: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"

    @property
    def triggers(self) -> frozenset[str]:
        """The sources whose change makes the system run."""
        return frozenset(read.source for read in self.reads if read.kind == "changed")


def read_component(kind: type[Component], where: str) -> ComponentType:
    """The component that a class declares; raises :class:`Misdeclared` where no context owns it."""
    declared = declared_component(kind)
    if declared is None:
        raise Misdeclared(f"{where}: {kind.__name__} is owned by no module: give it @context.component(of=…)")
    entity = declared_entity(declared.of)
    if entity is None:
        raise Misdeclared(f"{where}: {declared.of.__name__} is no entity: give it @context.entity(key=…)")
    of = (entity.context, declared.of.__name__)
    return ComponentType(declared.context, kind.__name__, kind, of)


def read_system(owner: str, function: Callable[..., Any]) -> SystemType:
    """The system that a function's signature declares; raises :class:`Misdeclared` naming what cannot be."""
    where = f"{owner}.{function.__name__}"
    if inspect.iscoroutinefunction(function):
        raise Misdeclared(
            f"{where} is async, which is not offered yet: write a plain function, it gets a thread"
        )
    annotations = hints(function)
    reads: list[Read] = []
    needs: dict[str, type[Any]] = {}
    entities: set[tuple[str, str]] = set()
    for parameter in inspect.signature(function).parameters:
        if parameter not in annotations:
            raise Misdeclared(f"{where}: parameter `{parameter}` has no annotation")
        kind, mark = marked(annotations[parameter])
        if mark is None and isinstance(kind, type) and Capability in kind.__mro__:
            needs[parameter] = kind
            continue
        source, of = _source(kind, f"{where}: parameter `{parameter}`")
        reads.append(Read(parameter, _read_kind(mark.kind if mark else None, where), source, kind))
        entities.add(of)
    writes = _writes(owner, annotations.get("return"), where)
    entities |= {written.of for written in writes}
    if not any(read.kind == "changed" for read in reads):
        raise Misdeclared(f"{where} would never run: mark what it waits for with Changed[…]")
    if len(entities) != 1:
        raise Misdeclared(f"{where} speaks of several entities: {sorted('.'.join(of) for of in entities)}")
    return SystemType(
        owner, function.__name__, function, entities.pop(), tuple(reads), needs, writes, _version(function)
    )


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


def _read_kind(mark: str | None, where: str) -> Literal["changed", "has", "maybe", "with", "without"]:
    match mark:
        case None:
            return "has"
        case "changed" | "maybe" | "with" | "without":
            return mark
        case _:
            raise Misdeclared(f"{where}: {mark!r} belongs to a view, a system cannot read by it")


def _writes(owner: str, returned: Any, where: str) -> tuple[ComponentType, ...]:
    parts = get_args(returned) if get_origin(returned) is tuple else (returned,)
    kinds = [kind for part in parts for kind in members(part)]
    if not kinds:
        raise Misdeclared(f"{where} must say what it writes: `-> SomeComponent` or a tuple of components")
    written = []
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Component)):
            raise Misdeclared(f"{where} returns {kind!r}, which is no component")
        component = read_component(kind, where)
        if component.owner != owner:
            raise Misdeclared(f"{where} writes {kind.__name__}, which module {component.owner} owns")
        written.append(component)
    return tuple(written)


def _version(function: Callable[..., Any]) -> str:
    """A name for the code as written: twelve hex digits over the function's source text."""
    try:
        written = inspect.getsource(function).encode()
    except OSError:  # declared where no file is, such as a prompt
        written = function.__code__.co_code
    return hashlib.sha256(written).hexdigest()[:12]

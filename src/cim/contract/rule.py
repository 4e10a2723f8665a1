"""Rules that span entities, worked out from their signatures: one command, several states, events of each."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from cim.contract.annotations import hints, members
from cim.contract.entity import EntityType
from cim.contract.personal import personal_fields
from cim.contract.schema import check_shape
from cim.contract.subjects import Ref, token
from cim.domain.errors import CimError, Misdeclared
from cim.domain.message import Command, Event
from cim.domain.state import State

Decided = tuple[tuple[Event, ...], ...]
"""The events of each entity, in the order in which the rule names them."""


@dataclass(frozen=True, slots=True)
class Part:
    """One entity of a rule: the field of the command that names it, its type, and the events it may get."""

    field: str
    kind: EntityType
    events: Mapping[str, type[Event]]


@dataclass(frozen=True, slots=True)
class RuleType:
    """A rule: its full name, the command that it decides, and its entities in order. The first one leads:
    the command is sent to it and the receipt is its."""

    owner: str
    name: str
    function: Callable[..., Any]
    command: type[Command]
    parameter: str
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"

    @property
    def lead(self) -> Part:
        """The entity that the command is sent to."""
        return self.parts[0]

    def refs(self, command: Command) -> tuple[Ref, ...]:
        """The entities that a command names; raises :class:`CimError` where two of them are one."""
        refs = tuple(
            Ref(part.kind.context, part.kind.name, token(getattr(command, part.field), part.field))
            for part in self.parts
        )
        if len(set(refs)) < len(refs):
            fields = ", ".join(part.field for part in self.parts)
            raise CimError(f"{self.command.__name__} names one entity twice: {fields} must be different ones")
        return refs

    def decide(self, command: Command, states: Iterable[State]) -> Decided:
        """The events of each entity; whatever the module's function raises is raised."""
        given = {part.field: state for part, state in zip(self.parts, states, strict=True)}
        found = self.function(**{self.parameter: command}, **given)
        if not isinstance(found, tuple) or len(found) != len(self.parts):
            raise CimError(f"{self} must return a tuple of {len(self.parts)}: the events of each entity")
        decided = tuple(tuple(events) for events in found)
        for part, events in zip(self.parts, decided, strict=True):
            for event in events:
                if part.events.get(type(event).__name__) is not type(event):
                    raise CimError(
                        f"{self} returned {event!r} for {part.field}, whose events are "
                        f"{', '.join(part.events) or 'none'}"
                    )
        return decided


def read_rule(owner: str, function: Callable[..., Any], entities: Iterable[EntityType]) -> RuleType:
    """The rule that a function's signature declares; raises :class:`Misdeclared` by name."""
    where = f"{owner}.{function.__name__}"
    if inspect.iscoroutinefunction(function):
        raise Misdeclared(f"{where} is async: a rule decides, it waits for nothing; write a plain function")
    annotations = hints(function)
    returned = annotations.pop("return", None)
    own = {kind.state: kind for kind in entities if kind.context == owner}
    parameter, command, states = _parameters(function, annotations, where)
    check_shape(command, where)
    if personal_fields(command) is not None:
        raise Misdeclared(
            f"{where}: {command.__name__} has personal fields, and a rule's command is of several entities: "
            f"keep them in the command of the one that they are of"
        )
    token(command.__name__, f"{where}: command")
    kinds = [_entity(annotations[name], own, f"{where}: parameter `{name}`") for name in states]
    for name in states:
        if hints(command).get(name) is not str:
            raise Misdeclared(f"{where}: {command.__name__} has no field `{name}: str` that names the entity")
    events = _events(returned, kinds, where)
    parts = tuple(Part(*part) for part in zip(states, kinds, events, strict=True))
    return RuleType(owner, function.__name__, function, command, parameter, parts)


def _parameters(
    function: Callable[..., Any], annotations: Mapping[str, Any], where: str
) -> tuple[str, type[Command], list[str]]:
    """The parameter that takes the command, its type, and the parameters that take states."""
    parameters = inspect.signature(function).parameters
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    said = all(one.kind in named and name in annotations for name, one in parameters.items())
    commands = [name for name in parameters if said and _is_a(annotations[name], Command)]
    if len(commands) != 1 or len(parameters) < 3:
        raise Misdeclared(
            f"{where} must be written `{function.__name__}(command: SomeCommand, one: SomeState, other: …)`: "
            f"one command, and at least two states that fields of it name"
        )
    name = commands[0]
    command: type[Command] = annotations[name]
    return name, command, [one for one in parameters if one != name]


def _entity(annotation: Any, own: Mapping[type[State], EntityType], where: str) -> EntityType:
    if annotation in own:
        return own[annotation]
    known = ", ".join(kind.name for kind in own.values()) or "none"
    raise Misdeclared(f"{where} is {annotation!r}, which is no entity of this module; there are: {known}")


def _events(returned: Any, kinds: list[EntityType], where: str) -> list[Mapping[str, type[Event]]]:
    parts = get_args(returned) if get_origin(returned) is tuple else ()
    if len(parts) != len(kinds) or any(get_origin(part) is not Iterable for part in parts):
        form = ", ".join(f"Iterable[an event of {kind.name}]" for kind in kinds)
        raise Misdeclared(f"{where} must say `-> tuple[{form}]`: the events of each entity")
    found: list[Mapping[str, type[Event]]] = []
    for part, kind in zip(parts, kinds, strict=True):
        events = members(get_args(part)[0])
        for event in events:
            if not _is_a(event, Event) or kind.events.get(event.__name__) is not event:
                raise Misdeclared(
                    f"{where} returns {getattr(event, '__name__', event)} for {kind.name}, whose events are: "
                    f"{', '.join(kind.events)}"
                )
        found.append({event.__name__: event for event in events})
    return found


def _is_a(annotation: Any, base: type[Any]) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, base) and annotation is not base

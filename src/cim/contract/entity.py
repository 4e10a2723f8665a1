"""Entities, worked out from the annotations of ``decide`` and ``evolve``."""

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin

from cim.contract.annotations import hints, members
from cim.contract.code import functions_of, text_of
from cim.contract.personal import check_personal
from cim.contract.relation import references
from cim.contract.schema import check_shape, fingerprint
from cim.contract.shapes import Shapes, shapes_of
from cim.contract.subjects import token
from cim.domain.blob import Blob
from cim.domain.context import EntityDeclared
from cim.domain.errors import Misdeclared
from cim.domain.message import Command, Event
from cim.domain.state import State

M = TypeVar("M", Command, Event)


@dataclass(frozen=True, slots=True)
class EntityType:
    """What a machine knows of a kind of entity. ``key`` is the field that holds its id, in all commands but
    those of a rule that it leads: ``led`` names the field of each of these. ``decided`` names the events that
    ``decide`` may return. ``personal`` says whether any of its types has personal fields.

    ``version`` names how its history is folded, as it is written now: code, events and state. ``shapes``
    reads events in whatever version they were written.
    """

    context: str
    name: str
    key: str
    state: type[State]
    commands: Mapping[str, type[Command]]
    events: Mapping[str, type[Event]]
    version: str
    shapes: Shapes
    personal: bool = False
    decided: frozenset[str] = frozenset()
    led: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.context}.{self.name}"

    def key_for(self, command: str) -> str:
        """The field of the command of this name that holds the entity's id."""
        return self.led.get(command, self.key)

    def blob_field(self, command: type[Command]) -> str | None:
        """The field of a command that takes large content, if it has exactly one."""
        found = [name for name, kind in hints(command).items() if Blob in members(kind)]
        return found[0] if len(found) == 1 else None


def read_entity(declared: EntityDeclared) -> EntityType:
    """The entity that a state declares; raises :class:`Misdeclared` naming what cannot be."""
    state, where = declared.state, f"{declared.context}.{declared.state.__name__}"
    token(declared.context, "context")
    token(state.__name__, "entity")
    decide, evolve = _parameter(state, "decide", where), _parameter(state, "evolve", where)
    returned = hints(state.decide).get("return")
    if get_origin(returned) is not Iterable:
        raise Misdeclared(f"{where}.decide must say `-> Iterable[SomeEvent | …]`, not {returned}")
    decided = _named(get_args(returned)[0], Event, f"{where}.decide returns")
    events = _named(evolve, Event, f"{where}.evolve takes")
    lost = sorted(set(decided) - set(events))
    if lost:
        raise Misdeclared(f"{where}.decide returns {lost[0]}, which evolve does not take: add it there")
    commands = _named(decide, Command, f"{where}.decide takes")
    _check_key(declared.key, commands, where)
    _check_defaults(state, where)
    for name in commands:
        token(name, "command")
    kinds = (state, *commands.values(), *events.values())
    for kind in kinds:
        check_shape(kind, where)
    personal = [check_personal(kind, where, declared.key) for kind in kinds]
    references(state)
    shapes = shapes_of(events.values(), where)
    version, name = _version(state, events, shapes), state.__name__
    return EntityType(
        declared.context,
        name,
        declared.key,
        state,
        commands,
        events,
        version,
        shapes,
        any(personal),
        frozenset(decided),
    )


def _parameter(state: type[State], method: str, where: str) -> Any:
    function = getattr(state, method)
    names = list(inspect.signature(function).parameters)
    if method not in state.__dict__ or len(names) != 2:
        raise Misdeclared(f"{where} declares no `{method}(self, …)` of its own with one message parameter")
    annotation = hints(function).get(names[1])
    if annotation is None or annotation is Any:
        raise Misdeclared(f"{where}.{method}: say which messages `{names[1]}` may be")
    return annotation


def _named(annotation: Any, base: type[M], where: str) -> dict[str, type[M]]:
    found: dict[str, type[M]] = {}
    for kind in members(annotation):
        if not (isinstance(kind, type) and issubclass(kind, base)):
            raise Misdeclared(f"{where} {kind!r}, which is no {base.__name__}")
        if found.setdefault(kind.__name__, kind) is not kind:
            raise Misdeclared(f"{where} two types named {kind.__name__}: name one of them otherwise")
    return found


def _check_key(key: str, commands: Mapping[str, type[Command]], where: str) -> None:
    for name, command in commands.items():
        if hints(command).get(key) is not str:
            raise Misdeclared(f"{where}: command {name} has no field `{key}: str`, the entity's key")


def _check_defaults(state: type[State], where: str) -> None:
    try:
        state()
    except TypeError as error:
        raise Misdeclared(
            f"{where}: every field needs a default, the state before any event: {error}"
        ) from error


def key_of(kind: EntityType, command: Command) -> str:
    """The id of the entity that a command is for, checked to fit a subject."""
    key = kind.key_for(type(command).__name__)
    return token(getattr(command, key), f"{kind} {key}")


def _version(state: type[State], events: Mapping[str, type[Event]], shapes: Shapes) -> str:
    """A name for what folds a history: sixteen hex digits. What ``decide`` says is no part of it."""
    folding = [one for one in functions_of(state) if one.__name__ != "decide"]
    told = [*text_of(folding, without=[state]), *sorted(events)]
    told += [fingerprint(frozenset([state])), fingerprint(frozenset(events.values())), shapes.version]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]

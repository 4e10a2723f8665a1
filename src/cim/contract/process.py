"""Policies and processes, worked out from their annotations: what they take, and what they may give."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args, get_origin

from cim.contract.annotations import hints, members
from cim.contract.entity import EntityType
from cim.contract.personal import check_personal, personal_fields
from cim.contract.schema import check_shape
from cim.contract.shapes import shapes_of
from cim.contract.sources import Sources, sources_of
from cim.contract.subjects import BadToken, Ref, token
from cim.domain.context import ProcessDeclared
from cim.domain.errors import Misdeclared
from cim.domain.message import Command, Event
from cim.domain.personal import PersonalMark
from cim.domain.process import Cancel, Later, Process, Rejected, Timer

ITSELF = "="
"""The id under which a kind of process keeps what is true of all its instances."""


@dataclass(frozen=True, slots=True)
class ProcessType:
    """A kind of process, or a policy, which is a process that remembers nothing and has no ``key``.

    ``sources`` are the events that it takes, ``refusals`` the commands whose rejection it takes, ``asks`` the
    commands that it may ask for with the entities that take them; both by full name (``shop.Ship``).
    ``timers`` are those that it may set, ``facts`` the events of its own.
    """

    owner: str
    name: str
    key: str | None
    state: type[Process]
    react: Callable[[Any, Any], Any]
    sources: Sources
    asks: Mapping[str, tuple[EntityType, type[Command]]]
    refusals: Mapping[str, type[Command]]
    timers: Mapping[str, type[Timer]]
    facts: Mapping[str, type[Event]]

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"

    @property
    def personal(self) -> bool:
        """Whether anything that it takes or gives has personal fields."""
        taken = [event for events in self.sources.values() for event in events.values()]
        kinds: list[type[Any]] = [*taken, *self.facts.values(), *(one for _, one in self.asks.values())]
        return any(personal_fields(kind) for kind in kinds) or any(
            one.personal for one, _ in self.asks.values()
        )

    @property
    def itself(self) -> str:
        """The subject on which the kind keeps what is true of all its instances."""
        return self.ref(ITSELF).events

    @property
    def takes(self) -> tuple[str, ...]:
        """The full names of the events that it takes, sorted."""
        return tuple(sorted(f"{c}.{e}.{name}" for (c, e), events in self.sources.items() for name in events))

    def ref(self, id: str) -> Ref:
        """One instance."""
        return Ref(self.owner, self.name, id)

    def instance(self, of: Ref, data: Any) -> str:
        """The id of the instance that takes an event of the entity ``of`` with these plain ``data``: the
        value of the key field, or for a policy the entity's own id. What cannot stand in a subject is named
        by its digest."""
        if self.key is None:
            return of.id
        value = data.get(self.key) if isinstance(data, dict) else None
        try:
            if isinstance(value, str) and not value.startswith(ITSELF):
                return token(value, self.key)
        except BadToken:
            pass
        return ITSELF + hashlib.sha256(f"{value}".encode(errors="replace")).hexdigest()[:32]


def read_process(declared: ProcessDeclared, entities: Iterable[EntityType]) -> ProcessType:
    """The process that a class declares; raises :class:`Misdeclared` by name."""
    kind, where = declared.process, f"{declared.context}.{declared.process.__name__}"
    token(kind.__name__, "process")
    taken = _parameter(kind.__dict__.get("react"), f"{where}.react", 2)
    given = _given(hints(kind.react).get("return"), f"{where}.react")
    facts = _named([one for one in given if _is(one, Event)], f"{where}.react gives")
    folded = _facts(kind, where, needed=bool(facts))
    lost = sorted(set(facts) - set(folded))
    if lost:
        raise Misdeclared(f"{where}.react gives {lost[0]}, which evolve does not take: add it there")
    try:
        kind()
    except TypeError as error:
        raise Misdeclared(
            f"{where}: every field needs a default, the state before any fact: {error}"
        ) from error
    check_shape(kind, where)
    found = _read(declared.context, kind.__name__, declared.key, kind, kind.react, taken, given, entities)
    _check_key(found, where)
    shapes_of(folded.values(), where)
    return replace(found, facts=folded)


def read_policy(owner: str, function: Callable[..., Any], entities: Iterable[EntityType]) -> ProcessType:
    """The policy that a function's signature declares; raises :class:`Misdeclared` by name."""
    where = f"{owner}.{function.__name__}"
    token(function.__name__, f"{owner}: policy")
    taken = _parameter(function, where, 1)
    given = _given(hints(function).get("return"), where)
    for one in given:
        if not _is(one, Command):
            raise Misdeclared(
                f"{where} gives {_shown(one)}: a policy gives commands; a process remembers and sets timers"
            )

    def react(state: Process, trigger: Any) -> Any:
        return function(trigger)

    return _read(owner, function.__name__, None, Process, react, taken, given, entities)


def _read(
    owner: str,
    name: str,
    key: str | None,
    state: type[Process],
    react: Callable[[Any, Any], Any],
    taken: tuple[Any, ...],
    given: tuple[Any, ...],
    entities: Iterable[EntityType],
) -> ProcessType:
    where, entities = f"{owner}.{name}", tuple(entities)
    asks = _asks([one for one in given if _is(one, Command)], entities, where)
    events = [one for one in taken if get_origin(one) is not Rejected and not _is(one, Timer)]
    return ProcessType(
        owner,
        name,
        key,
        state,
        react,
        sources_of(events, entities, where),
        asks,
        _refusals(taken, asks, where),
        _timers(taken, given, where),
        {},
    )


def _parameter(function: Any, where: str, count: int) -> tuple[Any, ...]:
    """The types that the last of ``count`` parameters may have."""
    names = list(inspect.signature(function).parameters) if callable(function) else []
    if len(names) != count:
        wanted = "a method `react(self, trigger: …)`" if count == 2 else "one parameter, the event"
        raise Misdeclared(f"{where} must be {wanted}")
    if inspect.iscoroutinefunction(function):
        raise Misdeclared(f"{where} is async: it decides from what it is given; write a plain function")
    annotation = hints(function).get(names[-1])
    if annotation is None or annotation is Any:
        raise Misdeclared(f"{where}: say what `{names[-1]}` may be")
    return members(annotation)


def _given(annotation: Any, where: str) -> tuple[Any, ...]:
    """What a return annotation names: ``Iterable[A | B]``, ``A``, None, or a union of them."""
    found: list[Any] = []
    for one in members(annotation):
        found += members(get_args(one)[0]) if get_origin(one) is Iterable else [one]
    for one in found:
        if not (_is(one, Command) or _is(one, Event) or get_origin(one) in (Later, Cancel)):
            raise Misdeclared(
                f"{where} gives {_shown(one)}: it must say `-> Iterable[SomeCommand | …]`, of commands, "
                f"facts (events), Later[SomeTimer] and Cancel[SomeTimer]"
            )
    return tuple(found)


def _is_id(annotation: Any) -> bool:
    """Whether a field is a text that may stand in a subject: one that is personal may not."""
    if get_origin(annotation) is not Annotated:
        return annotation is str
    inner, *marks = get_args(annotation)
    return inner is str and not any(isinstance(mark, PersonalMark) for mark in marks)


def _is(kind: Any, base: type[Any]) -> bool:
    return isinstance(kind, type) and issubclass(kind, base) and kind is not base


def _shown(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _named(kinds: Iterable[type[Any]], where: str) -> dict[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    for kind in kinds:
        if found.setdefault(kind.__name__, kind) is not kind:
            raise Misdeclared(f"{where} two types named {kind.__name__}: name one of them otherwise")
        check_shape(kind, where)
        check_personal(kind, where, owned=False)
    return found


def _asks(
    commands: Iterable[type[Command]], entities: tuple[EntityType, ...], where: str
) -> dict[str, tuple[EntityType, type[Command]]]:
    found: dict[str, tuple[EntityType, type[Command]]] = {}
    for command in commands:
        name = command.__name__
        takers = [entity for entity in entities if entity.commands.get(name) is command]
        if not takers:
            known = ", ".join(f"{e.context}.{one}" for e in entities for one in e.commands) or "none"
            raise Misdeclared(f"{where} asks for {name}, a command of no entity here; there are: {known}")
        found[f"{takers[0].context}.{name}"] = takers[0], command
    return found


def _refusals(
    taken: tuple[Any, ...], asks: Mapping[str, tuple[EntityType, type[Command]]], where: str
) -> dict[str, type[Command]]:
    found: dict[str, type[Command]] = {}
    for one in taken:
        if get_origin(one) is not Rejected:
            continue
        for command in members(get_args(one)[0]):
            names = [name for name, (_, asked) in asks.items() if asked is command]
            if not names:
                raise Misdeclared(
                    f"{where} takes Rejected[{_shown(command)}], which it never asks for: name the command "
                    f"in what it gives"
                )
            found[names[0]] = command
    return found


def _timers(taken: tuple[Any, ...], given: tuple[Any, ...], where: str) -> dict[str, type[Timer]]:
    takes = _named([one for one in taken if _is(one, Timer)], f"{where} takes")
    sets = {one for later in given if get_origin(later) is Later for one in members(get_args(later)[0])}
    cancels = {one for gone in given if get_origin(gone) is Cancel for one in members(get_args(gone)[0])}
    for one in [*sets, *cancels]:
        if not _is(one, Timer):
            raise Misdeclared(f"{where} sets {_shown(one)}, which is no Timer: write `class Overdue(Timer)`")
        if takes.get(one.__name__) is not one:
            raise Misdeclared(
                f"{where} sets the timer {one.__name__} and does not take it: add it to what it takes"
            )
    for name, one in takes.items():
        if personal_fields(one) is not None:
            raise Misdeclared(f"{where}: the timer {name} has personal fields, and it is known by its value")
        if one not in sets:
            raise Misdeclared(
                f"{where} takes the timer {name}, which it never sets: it must give Later[{name}]"
            )
    return takes


def _facts(kind: type[Process], where: str, *, needed: bool) -> dict[str, type[Event]]:
    if "evolve" not in kind.__dict__ and not needed:
        return {}
    taken = _parameter(kind.__dict__.get("evolve"), f"{where}.evolve", 2)
    for one in taken:
        if not _is(one, Event):
            raise Misdeclared(f"{where}.evolve takes {_shown(one)}, which is no Event: facts are events")
    return _named(taken, f"{where}.evolve takes")


def _check_key(found: ProcessType, where: str) -> None:
    for events in found.sources.values():
        for name, event in events.items():
            if not _is_id(hints(event).get(found.key or "")):
                raise Misdeclared(
                    f"{where}: the event {name} has no field `{found.key}: str`, which names the process"
                )

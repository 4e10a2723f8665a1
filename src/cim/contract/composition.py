"""Several modules put together, checked as a whole before anything starts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cim.contract.entity import EntityType, read_entity
from cim.contract.process import ProcessType, read_policy, read_process
from cim.contract.projection import ProjectionType, read_projection
from cim.contract.query import QueryType, read_query
from cim.contract.rule import RuleType, read_rule
from cim.contract.subjects import MACHINE, token
from cim.contract.system import (
    STATE,
    ComponentType,
    SystemType,
    component_shapes,
    read_agent,
    read_component,
    read_system,
)
from cim.domain.context import Context
from cim.domain.errors import CimError, Misdeclared


class Unknown(CimError):
    """A name that no module of this machine declares."""


@dataclass(frozen=True, slots=True)
class Composition:
    """The modules that run here: their entities by (context, name), components, systems (agents among
    them), projections, queries, rules that span entities by (context, command), and processes, policies
    among them."""

    contexts: tuple[Context, ...]
    entities: Mapping[tuple[str, str], EntityType]
    components: tuple[ComponentType, ...]
    systems: tuple[SystemType, ...]
    projections: tuple[ProjectionType, ...] = ()
    queries: tuple[QueryType, ...] = ()
    rules: Mapping[tuple[str, str], RuleType] = field(default_factory=dict)
    processes: tuple[ProcessType, ...] = ()

    def entity(self, context: str, name: str) -> EntityType:
        """The entity type of that name; raises :class:`Unknown` that lists those there are."""
        found = self.entities.get((context, name))
        if found is None:
            known = ", ".join(str(kind) for kind in self.entities.values()) or "none"
            raise Unknown(f"no module here declares the entity {context}.{name}; there are: {known}")
        return found

    def projection(self, name: str) -> ProjectionType:
        """The projection ``context.name``; raises :class:`Unknown` that lists those there are."""
        for kind in self.projections:
            if str(kind) == name:
                return kind
        known = ", ".join(map(str, self.projections)) or "none"
        raise Unknown(f"no module here declares the projection {name}; there are: {known}")

    def query(self, name: str) -> QueryType:
        """The declared query ``context.name``; raises :class:`Unknown` that lists those there are."""
        for kind in self.queries:
            if str(kind) == name:
                return kind
        known = ", ".join(map(str, self.queries)) or "none"
        raise Unknown(f"no module here declares the query {name}; there are: {known}")

    def command(self, context: str, name: str) -> EntityType:
        """The entity type that takes the command ``context.name``."""
        for kind in self.entities.values():
            if kind.context == context and name in kind.commands:
                return kind
        known = ", ".join(f"{k.context}.{c}" for k in self.entities.values() for c in k.commands) or "none"
        raise Unknown(f"no module here declares the command {context}.{name}; there are: {known}")


def compose(contexts: Iterable[Context]) -> Composition:
    """Put modules together; raises :class:`Misdeclared` naming a double, a circle, or what cannot be."""
    contexts = tuple(contexts)
    _owned_once(contexts)
    alone = [read_entity(declared) for context in contexts for declared in context.entities]
    rules = [read_rule(context.name, function, alone) for context in contexts for function in context.rules]
    made = _read(contexts, [_leading(kind, rules) for kind in alone], rules)
    _check(made, alone, rules)
    return made


def _owned_once(contexts: Iterable[Context]) -> None:
    """Refuse a context that is no name, is the machine's own, or has two modules."""
    contexts = tuple(contexts)
    for context in contexts:
        token(context.name, "context")
        if context.name == MACHINE:
            raise Misdeclared(
                f"the machine speaks for the context {MACHINE} itself: name the module otherwise"
            )
    _once((context.name for context in contexts), "two modules speak for the context {}: it has one owner")


def _read(
    contexts: tuple[Context, ...], entities: Sequence[EntityType], rules: Sequence[RuleType]
) -> Composition:
    """What the modules declare beside their entities and rules, each by itself."""
    projections = [read_projection(one.name, each, entities) for one in contexts for each in one.projections]
    processes = [read_process(declared, entities) for one in contexts for declared in one.processes]
    policies = [read_policy(one.name, each, entities) for one in contexts for each in one.policies]
    queries = tuple(read_query(one.name, each, projections) for one in contexts for each in one.queries)
    return Composition(
        contexts,
        {(kind.context, kind.name): kind for kind in entities},
        tuple(read_component(each.component, one.name) for one in contexts for each in one.components),
        (
            *(read_system(one.name, each) for one in contexts for each in one.systems),
            *_agents(contexts, entities, queries),
        ),
        tuple(projections),
        queries,
        {(rule.owner, rule.command.__name__): rule for rule in rules},
        (*processes, *policies),
    )


def _agents(
    contexts: Iterable[Context], entities: Sequence[EntityType], queries: Sequence[QueryType]
) -> Iterator[SystemType]:
    for context in contexts:
        for declared in context.agents:
            yield read_agent(declared, entities, queries)


def _check(made: Composition, entities: Sequence[EntityType], rules: Sequence[RuleType]) -> None:
    """Refuse what cannot be put together; given are all entities, doubles too, and all rules."""
    _named_once(made, entities)
    _taken_once(entities, rules)
    _asked_by_one_name(made.contexts)
    _one_writer_each(made.systems)
    _no_circle(made.systems)
    _states_known(made.systems, entities)
    _corrections_known(made.components, entities)
    component_shapes(made.components)


def _taken_once(entities: Iterable[EntityType], rules: Iterable[RuleType]) -> None:
    """Refuse a command that two entities or rules take."""
    of_entities = [f"{kind.context}.{name}" for kind in entities for name in kind.commands]
    _once([*of_entities, *(f"{rule.owner}.{rule.command.__name__}" for rule in rules)], _TWO_TAKERS)


def _leading(kind: EntityType, rules: Iterable[RuleType]) -> EntityType:
    """The entity with the commands of the rules that it leads: these are sent to it."""
    led = [rule for rule in rules if str(rule.lead.kind) == str(kind)]
    commands = {rule.command.__name__: rule.command for rule in led}
    fields = {rule.command.__name__: rule.lead.field for rule in led}
    return replace(kind, commands={**kind.commands, **commands}, led=fields)


def _named_once(made: Composition, entities: Sequence[EntityType]) -> None:
    """Refuse whatever has the name of another of its kind, and two histories of one name."""
    _once(map(str, entities), "two entities are named {}: rename one")
    _once((f"{kind.owner}.{kind.name} of {kind.of[1]}" for kind in made.components), _TWO_COMPONENTS)
    _once(map(str, made.systems), "two systems are named {}: rename one")
    _once(map(str, made.projections), "two projections are named {}: rename one")
    agents = [str(system) for system in made.systems if system.agent is not None]
    _once([*map(str, entities), *map(str, made.processes), *agents], _TWO_HISTORIES)


def _asked_by_one_name(contexts: Iterable[Context]) -> None:
    """Refuse two of a module's views, projections and queries under one name: all are asked by it."""
    for context in contexts:
        functions = (*context.views, *context.projections, *context.queries)
        names = (f"{context.name}.{function.__name__}" for function in functions)
        _once(names, "a view, a projection or a query are named {} both: rename one")


_TWO_TAKERS = "two entities or rules take the command {}: one message, one decision"
_TWO_HISTORIES = "two of entities, processes, policies and agents are named {}: rename one"
_TWO_COMPONENTS = "two components are named {}: rename one"


def _once(names: Iterable[str], trouble: str) -> None:
    """Refuse a name that stands twice, in the words of ``trouble``."""
    for name, count in Counter(names).items():
        if count > 1:
            raise Misdeclared(trouble.format(name))


def _states_known(systems: Iterable[SystemType], entities: Iterable[EntityType]) -> None:
    """Refuse a system that reads a state whose module is not here to fold it."""
    known = {(kind.context, kind.name) for kind in entities}
    for system in systems:
        for read in system.reads:
            if read.source == STATE and read.of not in known:
                raise Misdeclared(
                    f"{system} reads {'.'.join(read.of)}, and the module {read.of[0]} is not here: add it"
                )


def _corrections_known(components: Iterable[ComponentType], entities: Iterable[EntityType]) -> None:
    """Refuse a component that is corrected by an event which its entity does not have."""
    known = {(kind.context, kind.name): kind for kind in entities}
    for component in components:
        entity = known.get(component.of)
        for event in component.corrected_by:
            if entity is not None and entity.events.get(event.__name__) is not event:
                raise Misdeclared(
                    f"{component.owner}.{component.name}.correct takes {event.__name__}, which is no event "
                    f"of {entity}: it has {', '.join(entity.events)}"
                )


def _one_writer_each(systems: Iterable[SystemType]) -> None:
    writers: dict[tuple[tuple[str, str], str], SystemType] = {}
    for system in systems:
        for written in system.writes:
            other = writers.setdefault((written.of, written.key), system)
            if other is not system:
                raise Misdeclared(
                    f"{written.key} is written by two systems, {other} and {system}: choose one"
                )


def _no_circle(systems: Iterable[SystemType]) -> None:
    """Refuse systems that would wake each other for ever."""
    systems = tuple(systems)
    wakes = {
        str(system): [
            other
            for other in systems
            if other.triggers & {(written.of, written.key) for written in system.writes}
        ]
        for system in systems
    }

    done: set[str] = set()

    def walk(system: SystemType, path: tuple[str, ...]) -> None:
        if str(system) in path:
            circle = " → ".join((*path[path.index(str(system)) :], str(system)))
            raise Misdeclared(f"systems wake each other in a circle: {circle}")
        if str(system) in done:
            return
        for woken in wakes[str(system)]:
            walk(woken, (*path, str(system)))
        done.add(str(system))

    for system in systems:
        walk(system, ())

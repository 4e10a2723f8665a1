"""The graph of modules that are put together: each annotation that was read becomes a node or an edge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cim.contract.composition import Composition
from cim.contract.entity import EntityType
from cim.contract.process import ProcessType
from cim.contract.relation import references
from cim.contract.rule import RuleType
from cim.contract.sources import Sources
from cim.contract.system import STATE, ComponentType, SystemType, read_component
from cim.contract.topology.graph import Edge, Kind, Link, Node, Topology
from cim.contract.topology.notes import notes
from cim.contract.topology.words import first_line, line_of
from cim.domain.component import Component
from cim.domain.context import Context, declared_component, declared_entity
from cim.domain.errors import Misdeclared
from cim.domain.state import State


@dataclass(frozen=True, slots=True)
class Provider:
    """What ``machine.toml`` binds to a contract: its name as it stands there (the subject where it is asked
    over NATS), its docstring's first line, the contracts that it needs itself, and the module that it is for,
    None for all."""

    contract: str
    name: str
    doc: str = ""
    needs: tuple[type[Any], ...] = ()
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What a view shows: the entity (``scope`` says whether each or one), its components, perhaps those that
    it does not know of (``others``), and the commands whose forms it has, by full name."""

    entity: type[State]
    scope: str
    components: tuple[type[Component], ...]
    others: bool = False
    sends: tuple[str, ...] = ()


def topology(
    composition: Composition, providers: Iterable[Provider] = (), looks: Mapping[str, Look] | None = None
) -> Topology:
    """The graph of a composition, of what is bound to its contracts and of its views by full name."""
    drawing = _Drawing()
    for context in composition.contexts:
        _declare(drawing, composition, context)
    for rule in composition.rules.values():
        _rule(drawing, rule)
    for entity in composition.entities.values():
        _refers(drawing, f"entity {entity}", entity.state)
    for component in composition.components:
        _refers(drawing, drawing.component(component), component.component)
        _corrected(drawing, component)
    for system in composition.systems:
        _system(drawing, system)
    for process in composition.processes:
        _process(drawing, process)
    for projection in composition.projections:
        _heard(drawing, "folds", f"projection {projection}", projection.sources)
    for query in composition.queries:
        for rows in query.reads.values():
            drawing.link("reads", f"query {query}", f"projection {rows}")
    for name, look in (looks or {}).items():
        _view(drawing, name, look)
    _provide(drawing, tuple(providers))
    made = Topology(tuple(drawing.nodes.values()), tuple(drawing.edges))
    return Topology(made.nodes, made.edges, tuple(notes(composition, made)))


class _Drawing:
    """Nodes by their ids and edges, each once, in the order in which they were drawn."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: dict[Edge, None] = {}

    def add(self, node: Node) -> str:
        self.nodes.setdefault(node.id, node)
        return node.id

    def link(
        self, kind: Link, source: str, target: str, by: str | None = None, where: str = "", via: str = ""
    ) -> None:
        self.edges[Edge(kind, source, target, by, where, via)] = None

    def capability(self, contract: type[Any]) -> str:
        return self.add(Node("capability", contract.__name__, None, first_line(contract)))

    def component(self, kind: ComponentType) -> str:
        """A component's id; where its module is not part of the machine it is drawn as not here."""
        declared = declared_component(kind.component)
        of = None if declared is None else self.entity(declared.of, kind.owner)
        doc, name = first_line(kind.component), f"{kind.owner}.{kind.name}"
        return self.add(Node("component", name, kind.owner, doc, of, here=False))

    def entity(self, state: type[State], where: str) -> str:
        """An entity's id; where its module is not part of the machine it is drawn as not here."""
        declared = declared_entity(state)
        if declared is None:
            raise Misdeclared(f"{where}: {state.__name__} is no entity: give it @context.entity(key=…)")
        name = f"{declared.context}.{state.__name__}"
        return self.add(Node("entity", name, declared.context, first_line(state), here=False))


def _declare(drawing: _Drawing, composition: Composition, context: Context) -> None:
    """The nodes of all that a module declares; what it names of others comes with the edges."""
    owner = context.name
    drawing.add(Node("module", owner, owner, line_of(context)))
    for entity in composition.entities.values():
        if entity.context == owner:
            _entity(drawing, entity)
    for rule in composition.rules.values():
        if rule.owner == owner:
            drawing.add(Node("rule", str(rule), owner, first_line(rule.function)))
            lead = f"entity {rule.lead.kind}"
            name = f"{owner}.{rule.command.__name__}"
            drawing.add(Node("command", name, owner, first_line(rule.command), lead))
    for component in composition.components:
        if component.owner == owner:
            of, doc = f"entity {'.'.join(component.of)}", first_line(component.component)
            drawing.add(Node("component", f"{owner}.{component.name}", owner, doc, of))
    for process in composition.processes:
        if process.owner == owner:
            _reacting(drawing, process, context)
    _functions(drawing, context)


def _functions(drawing: _Drawing, context: Context) -> None:
    """What a module declares as functions that are named by themselves."""
    named: list[tuple[Kind, list[Any]]] = [
        ("system", context.systems),
        ("agent", [declared.function for declared in context.agents]),
        ("projection", context.projections),
        ("query", context.queries),
        ("view", context.views),
    ]
    for kind, functions in named:
        for function in functions:
            name = f"{context.name}.{function.__name__}"
            drawing.add(Node(kind, name, context.name, first_line(function)))


def _entity(drawing: _Drawing, kind: EntityType) -> None:
    """An entity with its own commands and its events; those of rules are theirs."""
    of = drawing.add(Node("entity", str(kind), kind.context, first_line(kind.state)))
    for name, command in kind.commands.items():
        if name not in kind.led:
            node = Node("command", f"{kind.context}.{name}", kind.context, first_line(command), of)
            drawing.link("takes", of, drawing.add(node))
    for name, event in kind.events.items():
        id = drawing.add(Node("event", f"{kind}.{name}", kind.context, first_line(event), of))
        if name in kind.decided:
            drawing.link("emits", of, id)


def _reacting(drawing: _Drawing, kind: ProcessType, context: Context) -> None:
    """A policy, or a process with its timers and its facts."""
    policy = next((one for one in context.policies if one.__name__ == kind.name), None)
    if kind.key is None:
        drawing.add(Node("policy", str(kind), kind.owner, first_line(policy)))
        return
    of = drawing.add(Node("process", str(kind), kind.owner, first_line(kind.state)))
    for name, timer in kind.timers.items():
        id = drawing.add(Node("timer", f"{kind}.{name}", kind.owner, first_line(timer), of))
        drawing.link("sends", of, id)
        drawing.link("takes", of, id)
    for name, fact in kind.facts.items():
        id = drawing.add(Node("event", f"{kind}.{name}", kind.owner, first_line(fact), of))
        drawing.link("emits", of, id)


def _rule(drawing: _Drawing, rule: RuleType) -> None:
    source = f"rule {rule}"
    drawing.link("takes", source, f"command {rule.owner}.{rule.command.__name__}")
    for part in rule.parts:
        drawing.link("reads", source, f"entity {part.kind}")
    for part in rule.parts:
        for name in part.events:
            drawing.link("emits", source, f"event {part.kind}.{name}")


def _system(drawing: _Drawing, system: SystemType) -> None:
    source = f"{'system' if system.agent is None else 'agent'} {system}"
    for read in system.reads:
        if read.source == STATE:
            target = drawing.entity(read.type, str(system))
        else:
            target = drawing.component(read_component(read.type, str(system)))
        where, via = " and ".join(map(str, read.conditions)), str(read.relation or "")
        drawing.link("reads", source, target, read.kind, where, via)
    for contract in system.needs.values():
        drawing.link("needs", source, drawing.capability(contract))
    for component in system.writes:
        drawing.link("writes", source, drawing.component(component))
    for tool in system.agent.tools.values() if system.agent is not None else ():
        if tool.command is not None:
            drawing.link("sends", source, f"command {tool.grant}")
        else:
            drawing.link("reads", source, f"query {tool.grant}", "asks")


def _process(drawing: _Drawing, kind: ProcessType) -> None:
    source = f"{'policy' if kind.key is None else 'process'} {kind}"
    _heard(drawing, "takes", source, kind.sources)
    for name in kind.refusals:
        drawing.link("takes", source, f"command {name}", "rejected")
    for name in kind.asks:
        drawing.link("sends", source, f"command {name}")


def _heard(drawing: _Drawing, link: Link, source: str, sources: Sources) -> None:
    for entity, events in sources.items():
        for name in events:
            drawing.link(link, source, f"event {'.'.join(entity)}.{name}")


def _corrected(drawing: _Drawing, component: ComponentType) -> None:
    """The events by which people put a component right; its entity's module may not be here."""
    source = drawing.component(component)
    for event in component.corrected_by:
        target = f"event {'.'.join(component.of)}.{event.__name__}"
        if target in drawing.nodes:
            drawing.link("takes", source, target, "correct")


def _refers(drawing: _Drawing, source: str, kind: type[Any]) -> None:
    """The entities that fields of a state or a component name; their modules may not be here."""
    for field, reference in references(kind).items():
        drawing.link("refers", source, drawing.entity(reference.state, source), field)


def _view(drawing: _Drawing, name: str, look: Look) -> None:
    source = f"view {name}"
    entity = drawing.entity(look.entity, name)
    drawing.link("shows", source, entity, look.scope)
    known = [drawing.component(read_component(kind, name)) for kind in look.components]
    for component in known:
        drawing.link("shows", source, component, "maybe")
    if look.others:
        for node in list(drawing.nodes.values()):
            if node.kind == "component" and node.of == entity and node.here and node.id not in known:
                drawing.link("shows", source, node.id, "others")
    for command in look.sends:
        drawing.link("sends", source, f"command {command}")


def _provide(drawing: _Drawing, providers: tuple[Provider, ...]) -> None:
    """What is bound to the contracts that are needed here, by systems and by other providers."""
    for provider in providers:
        needed = [drawing.capability(contract) for contract in provider.needs]
        capability = f"capability {provider.contract}"
        bound = drawing.add(Node("provider", provider.name, None, provider.doc, capability))
        drawing.link("bound", capability, bound, provider.module)
        for contract in needed:
            drawing.link("needs", bound, contract)

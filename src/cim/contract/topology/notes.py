"""What a person should know of a machine before it starts: what can never run, and what nothing reads.

None of it is refused. A log may hold what a former version wrote, and a module that comes later may read what
nothing reads yet: the machine as it is put together now does not know either.
"""

from collections.abc import Iterator, Mapping

from cim.contract.composition import Composition
from cim.contract.process import ProcessType
from cim.contract.system import STATE, ComponentType, Read, SystemType, read_component
from cim.contract.topology.graph import Note, Topology

Place = tuple[tuple[str, str], str]
"""A component's place: the entity, and its key on that."""


def never(composition: Composition) -> dict[str, str]:
    """The systems, policies and processes that cannot run on anything new, by full name, and why."""
    coming = _coming(composition)
    writers = {(one.of, one.key): str(system) for system in composition.systems for one in system.writes}
    found: dict[str, str] = {}
    for system in composition.systems:
        for read in _waited(system):
            if (read.of, read.source) not in coming:
                component = read_component(read.type, str(system))
                writer = writers.get((read.of, read.source))
                why = f"{writer} writes, which cannot run either" if writer else "nothing here writes"
                found.setdefault(
                    str(system),
                    f"{system} cannot run on anything new: it waits for {_named(component)}, which {why}",
                )
    emitted = _emitted(composition)
    for process in composition.processes:
        if not emitted & set(process.takes):
            those = " or ".join(process.takes)
            found[str(process)] = f"{process} hears nothing new: nothing here emits {those}"
    return found


def notes(composition: Composition, graph: Topology) -> Iterator[Note]:
    """All that is to be told of a graph, in the order of its nodes."""
    stuck = never(composition)
    kinds = {str(process): _kind(process) for process in composition.processes}
    kinds |= {str(system): "agent" for system in composition.systems if system.agent is not None}
    for name, why in stuck.items():
        yield Note("never", f"{kinds.get(name, 'system')} {name}", why)
    yield from _absent(graph)
    yield from _components(composition, graph)
    yield from _circles(composition)
    emitted = _emitted(composition)
    for process in composition.processes:
        for event in process.takes:
            if event not in emitted and str(process) not in stuck:
                text = f"{process} takes {event}, which nothing here emits"
                yield Note("unemitted", f"{_kind(process)} {process}", text)


def _kind(process: ProcessType) -> str:
    return "policy" if process.key is None else "process"


def _named(component: ComponentType) -> str:
    return f"{component.owner}.{component.name} of {'.'.join(component.of)}"


def _waited(system: SystemType) -> Iterator[Read]:
    """The components without which the system does not run."""
    for read in system.reads:
        if read.kind not in ("maybe", "without") and read.source != STATE:
            yield read


def _coming(composition: Composition) -> set[Place]:
    """The components that can come to be: a person's word makes them, a system that can run writes them, or
    their module is not here to tell."""
    here = {context.name for context in composition.contexts}
    coming = {(one.of, one.key) for one in composition.components if _said(one)}
    for system in composition.systems:
        for read in _waited(system):
            if read_component(read.type, str(system)).owner not in here:
                coming.add((read.of, read.source))
    left = list(composition.systems)
    while True:
        able = [one for one in left if all((read.of, read.source) in coming for read in _waited(one))]
        if not able:
            return coming
        coming |= {(written.of, written.key) for system in able for written in system.writes}
        left = [system for system in left if system not in able]


def _said(component: ComponentType) -> bool:
    """Whether an event can make the component where nothing was derived."""
    if not component.corrected_by:
        return False
    try:
        component.component()
    except TypeError:
        return False
    return True


def _emitted(composition: Composition) -> set[str]:
    """The full names of the events that a decision or a rule can give."""
    found = {f"{kind}.{name}" for kind in composition.entities.values() for name in kind.decided}
    for rule in composition.rules.values():
        found |= {f"{part.kind}.{name}" for part in rule.parts for name in part.events}
    return found


def _absent(graph: Topology) -> Iterator[Note]:
    """What is read or shown of modules that are not part of the machine."""
    for edge in graph.edges:
        target = graph.node(edge.target)
        if edge.kind in ("reads", "shows") and not target.here and target.kind == "component":
            source = graph.node(edge.source)
            text = f"{source.name} {edge.kind} {_of(target.id)}, and the module {target.owner} is not here"
            yield Note("absent", source.id, text)


def _components(composition: Composition, graph: Topology) -> Iterator[Note]:
    """Components of modules that are here, which nothing writes or nothing reads."""
    said: Mapping[str, bool] = {f"component {_named(one)}": _said(one) for one in composition.components}
    for node in graph.nodes:
        if node.kind != "component" or not node.here:
            continue
        writers = [source.name for _, source in graph.naming(node.id, "writes")]
        readers = [s.name for _, s in graph.naming(node.id, "reads", "shows") if s.name not in writers]
        name = _of(node.id)
        if not writers and not said[node.id]:
            ends = (
                f"is read by {', '.join(readers)} and written by nothing here"
                if readers
                else ("is neither written nor read by anything here")
            )
            yield Note("unwritten", node.id, f"{name} {ends}")
        elif not readers:
            by = f"written by {', '.join(writers)}" if writers else "made by people's commands"
            yield Note("unread", node.id, f"{name} is {by} and read by nothing here but `cim show`")


def _circles(composition: Composition) -> Iterator[Note]:
    """Agents whose own commands may make them run again, by way of systems."""
    for agent in composition.systems:
        for tool in agent.agent.tools.values() if agent.agent is not None else ():
            if tool.command is None:
                continue
            changed = (tool.command[0].context, tool.command[0].name)
            way = _way_back(composition, agent, (changed, STATE))
            if way is not None:
                steps = " → ".join([tool.grant, ".".join(changed), *way])
                text = (
                    f"{agent} may make itself run again: {steps}; see to it that this ends, as by a command "
                    f"that changes nothing the second time"
                )
                yield Note("circle", f"agent {agent}", text)


def _way_back(composition: Composition, agent: SystemType, place: Place) -> list[str] | None:
    """The systems by which an agent is made to run when what stands at a place changes, itself at the end."""
    ways: list[tuple[Place, list[str]]] = [(place, [])]
    seen = {place}
    for at, way in ways:
        for system in composition.systems:
            if at not in system.triggers:
                continue
            if system is agent:
                return [*way, str(agent)]
            for written in system.writes:
                if (written.of, written.key) not in seen:
                    seen.add((written.of, written.key))
                    ways.append(((written.of, written.key), [*way, str(system)]))
    return None


def _of(id: str) -> str:
    return id.partition(" ")[2]

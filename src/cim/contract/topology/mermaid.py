"""A graph as a Mermaid flowchart. Arrows go the way that data goes: a command to its entity, an event to who
takes it, a component from the system that writes it to whoever reads it."""

from collections.abc import Iterator, Mapping

from cim.contract.topology.graph import Edge, Kind, Node, Topology

SHAPES: Mapping[Kind, tuple[str, str]] = {
    "entity": ("[", "]"),
    "command": (">", "]"),
    "event": ("(", ")"),
    "rule": ("{", "}"),
    "component": ("([", "])"),
    "system": ("{{", "}}"),
    "agent": ("{{", "}}"),
    "policy": ("[[", "]]"),
    "process": ("[[", "]]"),
    "timer": ("((", "))"),
    "projection": ("[(", ")]"),
    "query": ("[/", "/]"),
    "view": ("[/", "\\]"),
    "capability": ("[\\", "/]"),
    "provider": ("[\\", "\\]"),
}
"""What a node of each kind looks like; a module is a frame around its nodes."""

_AGAINST = frozenset({"takes", "folds", "reads", "shows"})
"""Links whose source is given the data."""

_PLAIN = frozenset({None, "changed", "each", "one", "others"})
"""How a link is where its arrow need not say it."""


def mermaid(graph: Topology) -> str:
    """The flowchart as text; nodes are numbered in the order of the graph."""
    numbers = {node.id: f"n{number}" for number, node in enumerate(graph.nodes, 1)}
    lines = ["flowchart LR"]
    modules = [node for node in graph.nodes if node.kind == "module"]
    for module in modules:
        lines += [f'  subgraph {numbers[module.id]}["{module.name}"]']
        lines += [*_inside(graph, module.name, module.name, numbers), "  end"]
    strangers = {node.owner for node in graph.nodes if node.owner} - {module.name for module in modules}
    for number, owner in enumerate(sorted(strangers), 1):
        lines += [f'  subgraph s{number}["{owner}, which is not here"]']
        lines += [*_inside(graph, owner, owner, numbers), "  end"]
    if any(node.owner is None for node in graph.nodes):
        lines += ['  subgraph s0["capabilities and their providers"]']
        lines += [*_inside(graph, None, "", numbers), "  end"]
    lines += (f"  {_arrow(edge, numbers)}" for edge in graph.edges)
    return "\n".join(lines) + "\n"


def _inside(graph: Topology, owner: str | None, name: str, numbers: Mapping[str, str]) -> Iterator[str]:
    for node in graph.nodes:
        if node.owner == owner and node.kind != "module":
            left, right = SHAPES[node.kind]
            yield f'    {numbers[node.id]}{left}"{_label(node, name)}"{right}'


def _label(node: Node, module: str) -> str:
    """A short name: an event's and a timer's without what they are of, a provider's without its package."""
    if node.kind in ("event", "timer"):
        return node.name.rpartition(".")[2]
    if node.kind == "provider":
        return node.name.rpartition(":")[2]
    return node.called(module)


def _arrow(edge: Edge, numbers: Mapping[str, str]) -> str:
    source, target = numbers[edge.source], numbers[edge.target]
    if edge.kind in _AGAINST:
        source, target = target, source
    if edge.kind in ("needs", "bound"):
        return f"{source} -.-> {target}"
    if edge.where or edge.via:
        told = ("" if edge.by in _PLAIN else edge.by, _said("via", edge.via), _said("where", edge.where))
        words = " ".join(filter(None, told)).replace('"', "'")
        return f'{source} -- "{words}" --> {target}'
    if edge.by in _PLAIN or edge.kind == "shows":
        return f"{source} --> {target}"
    return f"{source} -. {edge.by} .-> {target}"


def _said(word: str, text: str) -> str:
    return f"{word} {text}" if text else ""

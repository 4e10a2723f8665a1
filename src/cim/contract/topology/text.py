"""A graph as text that a person reads at a glance: module by module, each thing with what it is linked to."""

from collections.abc import Iterable, Iterator, Sequence

from cim.contract.topology.graph import Edge, Kind, Link, Node, Topology

Table = Sequence[Sequence[str]]
Column = tuple[str, tuple[Link, ...]]

TABLES: tuple[tuple[Kind, tuple[Column, ...]], ...] = (
    ("rule", (("takes", ("takes",)), ("reads", ("reads",)), ("emits", ("emits",)))),
    ("system", (("reads", ("reads",)), ("needs", ("needs",)), ("writes", ("writes",)))),
    (
        "agent",
        (("reads", ("reads",)), ("needs", ("needs",)), ("writes", ("writes",)), ("sends", ("sends",))),
    ),
    ("policy", (("takes", ("takes",)), ("sends", ("sends",)))),
    ("process", (("takes", ("takes",)), ("emits", ("emits",)), ("sends", ("sends",)))),
    ("projection", (("folds", ("folds",)),)),
    ("query", (("reads", ("reads",)),)),
    ("view", (("shows", ("shows",)), ("sends", ("sends",)))),
)
"""What stands in a module's tables, by the kind of each: the head of a column, and the links in it."""


def text(graph: Topology, machine: str, modules: Iterable[str]) -> str:
    """The graph as lines, of these modules of a machine; the notes come last."""
    lines = [f"machine {machine}"]
    for module in graph.nodes:
        if module.kind == "module" and module.name in modules:
            lines += ["", _headed("module", module.name, module.doc), *_module(graph, module.name)]
    lines += _capabilities(graph)
    if graph.notes:
        lines += ["", *(f"note: {note.text}" for note in graph.notes)]
    return "\n".join(lines) + "\n"


def _module(graph: Topology, module: str) -> Iterator[str]:
    for entity in graph.of_kind("entity", module):
        yield from ("", f"  {_headed('entity', entity.called(module), entity.doc)}")
        yield from _aligned(list(_entity(graph, entity, module)), "    ")
        carried = [one.called(module) for one in graph.of_node(entity.id, "component")]
        if carried:
            yield f"    carries {', '.join(carried)}"
        referring = [
            f"{source.called(module)}.{edge.by}" for edge, source in graph.naming(entity.id, "refers")
        ]
        if referring:
            yield f"    is named by {', '.join(referring)}"
    yield from _table(list(_components(graph, module)))
    for kind, columns in TABLES:
        rows = [
            (node.called(module), *(_cell(graph, node, links, module) for _, links in columns))
            for node in graph.of_kind(kind, module)
        ]
        yield from _table([(kind, *(head for head, _ in columns)), *rows])


def _table(rows: Table) -> Iterator[str]:
    """A table with a head, without the columns that say nothing; an arrow leads from column to column."""
    kept = [column for column in zip(*rows, strict=True) if any(column[1:])]
    first, *others = kept or [()]
    arrows = [[f"→ {cell}" if cell and number else cell for cell in one] for number, one in enumerate(others)]
    if first:
        yield from ("", *_aligned(list(zip(first, *arrows, strict=True)), "  "))


def _entity(graph: Topology, entity: Node, module: str) -> Iterator[tuple[str, str]]:
    """What an entity takes, with who sends it; what becomes of it, with who hears that."""
    for command in graph.of_node(entity.id, "command"):
        senders = [source for _, source in graph.naming(command.id, "sends")]
        rules = [source for _, source in graph.naming(command.id, "takes") if source.kind == "rule"]
        heard = [f"from {_who(senders, module)}"] if senders else []
        heard += [f"by {_who(rules, module)}"] if rules else []
        yield f"takes {command.called(module)}", ", ".join(heard)
    for event in graph.of_node(entity.id, "event"):
        emitted = bool(graph.naming(event.id, "emits"))
        listeners = [source for _, source in graph.naming(event.id, "takes", "folds")]
        told = f"to {_who(listeners, module)}" if listeners else ""
        yield f"{'emits' if emitted else 'knows'} {event.called(entity.name)}", told


def _components(graph: Topology, module: str) -> Iterator[tuple[str, ...]]:
    """What a module finds out about entities: who writes it, and who reads it."""
    yield "component", "of", "by", "read by"
    for node in graph.of_kind("component", module):
        entity = (node.of or "").partition(" ")[2].removeprefix(f"{module}.")
        writers = [source.called(module) for _, source in graph.naming(node.id, "writes")]
        readers = [source.called(module) for _, source in graph.naming(node.id, "reads", "shows")]
        yield node.called(module), entity, ", ".join(writers), ", ".join(readers)


def _who(nodes: Iterable[Node], module: str) -> str:
    return ", ".join(f"{node.kind} {node.called(module)}" for node in nodes)


def _cell(graph: Topology, node: Node, links: tuple[Link, ...], module: str) -> str:
    return ", ".join(_linked(edge, target, module) for edge, target in graph.named_by(node.id, *links))


def _linked(edge: Edge, target: Node, module: str) -> str:
    """A name with how it is linked: ``on Text`` wakes a system, ``Text`` must be there."""
    word = {"changed": "on ", "has": "", "correct": "", "others": ""}.get(edge.by or "", f"{edge.by or ''} ")
    if edge.kind == "shows" and edge.by == "maybe":
        word = ""
    where = f" where {edge.where}" if edge.where else ""
    via = f" via {edge.via}" if edge.via else ""
    return f"{word}{target.called(module)}{via}{where}".strip()


def _capabilities(graph: Topology) -> Iterator[str]:
    rows = [("capability", "bound to", "needs")]
    for capability in graph.of_kind("capability"):
        bound = graph.named_by(capability.id, "bound")
        needs = dict.fromkeys(need.name for _, one in bound for _, need in graph.named_by(one.id, "needs"))
        names = (one.name if edge.by is None else f"{one.name} for {edge.by}" for edge, one in bound)
        rows.append((capability.name, ", ".join(names), ", ".join(needs)))
    if len(rows) > 1:
        yield from ("", *_aligned(rows, ""))


def _headed(kind: str, name: str, doc: str) -> str:
    return f"{kind} {name}: {doc}" if doc else f"{kind} {name}"


def _aligned(rows: Table, margin: str) -> Iterator[str]:
    """Rows as lines in columns, each as wide as its longest cell; no blanks at the ends."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{margin}{'  '.join(cells)}".rstrip()

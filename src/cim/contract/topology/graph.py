"""The graph as data: what there is in a machine, what each has to do with others, and what is off."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "module",
    "entity",
    "command",
    "event",
    "rule",
    "component",
    "system",
    "agent",
    "policy",
    "process",
    "timer",
    "projection",
    "query",
    "view",
    "capability",
    "provider",
]

Link = Literal["takes", "emits", "sends", "reads", "writes", "needs", "bound", "folds", "shows", "refers"]

VERSION = 1
"""Of the shape that :meth:`Topology.as_data` gives. What is added does not change it."""


@dataclass(frozen=True, slots=True)
class Node:
    """One thing of a machine.

    ``owner`` is the module that declares it (None for capabilities and providers, which belong to no module),
    ``doc`` the first line of its docstring, ``of`` the id of what it belongs to: a component's, command's and
    event's entity, a timer's process, a provider's capability. ``here`` is false for what a module names and
    the module that declares it is not part of the machine.
    """

    kind: Kind
    name: str
    owner: str | None
    doc: str = ""
    of: str | None = None
    here: bool = True

    @property
    def id(self) -> str:
        """What names it in the graph: kind and full name, and what it is of where that makes it one."""
        if self.kind in ("component", "provider") and self.of is not None:
            return f"{self.kind} {self.name} of {self.of.partition(' ')[2]}"
        return f"{self.kind} {self.name}"

    def called(self, module: str | None = None) -> str:
        """Its name as ``module`` says it: without its own."""
        return self.name.removeprefix(f"{module}.")


@dataclass(frozen=True, slots=True)
class Edge:
    """What ``source`` has to do with ``target``, both ids: ``source`` is the one whose annotations say so.

    ``by`` tells how: for ``reads`` changed, follows (changed, or gone), added, removed, has, maybe, with or
    without, or asks, of a query that an agent may ask; for ``shows`` each, one, maybe, or others (a view that
    shows whatever it does not know of); for ``takes`` correct or rejected; for ``bound`` the module that it
    is for. None where there is one way alone.
    ``where`` is the filter that is read by, ``via`` the field of the system's own entity that leads to the
    one that is read; ``refers`` leads by the field ``by`` from what has that to an entity.
    """

    kind: Link
    source: str
    target: str
    by: str | None = None
    where: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person should know of the node ``about``.

    ``kind`` is never (it cannot run), absent (it waits for what a module that is not here owns), unwritten (a
    component that nothing writes), unread (one that nothing reads), unemitted (an event that nothing emits
    is waited for), or circle (an agent whose own command may make it run again).
    """

    kind: Literal["never", "absent", "unwritten", "unread", "unemitted", "circle"]
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Topology:
    """A machine's graph: nodes in the order of their modules and declarations."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    notes: tuple[Note, ...] = ()

    def node(self, id: str) -> Node:
        """The node of that id; ``KeyError`` where there is none."""
        for node in self.nodes:
            if node.id == id:
                return node
        raise KeyError(id)

    def of_kind(self, kind: Kind, owner: str | None = None) -> list[Node]:
        """The nodes of a kind that ``owner`` declares."""
        return [node for node in self.nodes if node.kind == kind and node.owner == owner]

    def of_node(self, id: str, kind: Kind) -> list[Node]:
        """The nodes of a kind that belong to the node ``id``."""
        return [node for node in self.nodes if node.of == id and node.kind == kind]

    def named_by(self, id: str, *kinds: Link) -> list[tuple[Edge, Node]]:
        """What ``id`` names by edges of these kinds, each with its edge."""
        return [(e, self.node(e.target)) for e in self.edges if e.source == id and e.kind in kinds]

    def naming(self, id: str, *kinds: Link) -> list[tuple[Edge, Node]]:
        """What names ``id`` by edges of these kinds, each with its edge."""
        return [(e, self.node(e.source)) for e in self.edges if e.target == id and e.kind in kinds]

    def only(self, modules: Iterable[str]) -> "Topology":
        """What these modules declare, what it is linked to, and what that needs; and the notes about it."""
        modules = frozenset(modules)
        own = {node.id for node in self.nodes if node.owner in modules}
        edges = {edge for edge in self.edges if own & {edge.source, edge.target}}
        kept = own | {end for edge in edges for end in (edge.source, edge.target)}
        kept |= {node.of for node in self.nodes if node.id in kept and node.of is not None}
        while True:
            below = {e for e in self.edges if e.kind in ("needs", "bound") and e.source in kept - own}
            below = {edge for edge in below if self.node(edge.source).owner is None} - edges
            if not below:
                break
            edges |= below
            kept |= {edge.target for edge in below}
        owners = modules | {node.owner for node in self.nodes if node.id in kept}
        kept |= {node.id for node in self.nodes if node.kind == "module" and node.owner in owners}
        return Topology(
            tuple(node for node in self.nodes if node.id in kept),
            tuple(edge for edge in self.edges if edge in edges),
            tuple(note for note in self.notes if note.about in own),
        )

    def as_data(self) -> dict[str, Any]:
        """As plain data: ``version``, ``nodes``, ``edges`` and ``notes``. The shape is kept stable."""
        return {
            "version": VERSION,
            "nodes": [
                {
                    "id": node.id,
                    "kind": node.kind,
                    "name": node.name,
                    "owner": node.owner,
                    "doc": node.doc,
                    "of": node.of,
                    "here": node.here,
                }
                for node in self.nodes
            ],
            "edges": [
                {"kind": edge.kind, "from": edge.source, "to": edge.target, "by": edge.by}
                | ({"where": edge.where} if edge.where else {})
                | ({"via": edge.via} if edge.via else {})
                for edge in self.edges
            ],
            "notes": [{"kind": one.kind, "about": one.about, "text": one.text} for one in self.notes],
        }

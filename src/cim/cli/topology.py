"""``cim topology``: the graph of a machine from what its modules' annotations say. Nothing is started."""

import argparse
import sys
from collections.abc import Iterable

from cim.cli.output import print_json
from cim.cli.place import find_machine
from cim.contract.composition import Composition, compose
from cim.contract.topology.derived import Look, topology
from cim.contract.topology.graph import Topology
from cim.contract.topology.mermaid import mermaid
from cim.contract.topology.text import text
from cim.leaf.binding import Binding
from cim.leaf.machine import Machine, load_contexts
from cim.views.template import View, compile_view


def run(given: argparse.Namespace) -> int:
    """Print the graph; of the modules that are named, where some are."""
    machine = find_machine(given.machine)
    graph, modules = _graph(machine, given.module)
    match "json" if given.json else given.format:
        case "json":
            print_json({"machine": machine.name} | graph.as_data())
        case "mermaid":
            sys.stdout.write(mermaid(graph))
        case _:
            sys.stdout.write(text(graph, machine.name, modules))
    return 0


def _graph(machine: Machine, named: Iterable[str]) -> tuple[Topology, tuple[str, ...]]:
    """The graph, and the modules that it is about. A module that ``machine.toml`` does not name is taken as
    if it had joined."""
    known = load_contexts(machine, machine.modules, views=True)
    asked = load_contexts(machine, named, views=True)
    composition = compose(dict.fromkeys([*known, *asked]))
    made = topology(composition, Binding(machine).bound(composition.systems), _looks(composition))
    if not asked:
        return made, tuple(context.name for context in known)
    modules = tuple(context.name for context in asked)
    return made.only(modules), modules


def _looks(composition: Composition) -> dict[str, Look]:
    return {
        f"{context.name}.{function.__name__}": _look(compile_view(function))
        for context in composition.contexts
        for function in context.views
    }


def _look(view: View) -> Look:
    others = any(cell.path.startswith("row.others") for cell in view.cells)
    return Look(view.entity, view.scope, tuple(view.components.values()), others, view.commands)

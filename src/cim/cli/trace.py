"""``cim trace``: everything that one command led to, as a tree."""

import argparse

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from cim.cli.log import as_line
from cim.cli.output import print_json
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.contract.envelope import Commit
from cim.domain.errors import CimError
from cim.leaf.machine import Machine
from cim.leaf.persons import reading
from cim.log.sealing import Sealing
from cim.world.trail import steps


def run(given: argparse.Namespace) -> int:
    """Print the tree of a correlation."""
    commits, sealing = run_until_stopped(_find(find_machine(given.machine), given.correlation))
    if not commits:
        raise CimError(f"nothing in the log has the correlation {given.correlation}; `cim log` shows them")
    if given.json:
        for commit in commits:
            print_json(as_line(commit, sealing))
    else:
        Console(highlight=False).print(_tree(given.correlation, commits, sealing))
    return 0


async def _find(machine: Machine, correlation: str) -> tuple[list[Commit], Sealing]:
    async with reach(machine) as (client, _running):
        log = await open_log(client)
        sealing = await reading(machine, log)
        found = [commit async for commit in log.read(">") if commit.origin.correlation == correlation]
        return found, sealing


def _tree(correlation: str, commits: list[Commit], sealing: Sealing) -> Tree:
    tree = Tree(f"correlation {escape(correlation)}")
    branches = {correlation: tree}
    for commit in commits:
        parent = branches.get(commit.origin.causation, tree)
        for step in steps(commit, sealing):
            took = "" if step.took is None else f"  [cyan]{step.took:,.0f} ms[/cyan]"
            colour = "red" if step.kind == "failed" else "bold"
            about = f"{step.kind} by {escape(step.by)}, {commit.time}, sequence {commit.sequence}"
            text = f"[{colour}]{escape(step.name)}[/]  [dim]{about}[/]{took}"
            node = parent.add(f"{text}\n  {escape(step.note)}" if step.note else text)
            branches[commit.id] = branches.get(commit.id, node) if step.kind == "event" else node
    return tree

"""Appends on three nodes, queries, rules, timers, policies and rows, each beside its rival or limit.

``PYTHONPATH=benches python benches/parts.py [--tiny] [--write]``: one run measures all of it. The log itself
is measured by benches/log.py.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cim.cli.output import progress
from cim.leaf.garbage import collect_seldom
from log_sides import Sizes
from parts_here import on_ha, rows, rules
from parts_leaf import policy, queries
from parts_table import Parts
from parts_timers import Many, timers
from tables import write_section

COMMAND = "PYTHONPATH=benches python benches/parts.py --write"
TITLE = "Three nodes, queries, rules, timers, policies and rows"


@dataclass(frozen=True)
class Scale:
    """How much of everything is done: a turn where sides take turns."""

    turns: int
    ha: Sizes
    requests: int
    moves: int
    timers: Many
    idle: float
    projected: int


TINY = Scale(1, Sizes(8, 1, 4, 4), 5, 8, Many(4, 3, 0.5), 0.2, 100)
USUAL = Scale(3, Sizes(1000, 5, single=300), 500, 200, Many(1000, 10, 10.0), 3.0, 50_000)


def main() -> None:
    """Measure all parts, print the tables, and write them into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="a few of everything: whether it runs at all")
    arguments.add_argument("--only", default="", help="the one part whose name begins so; nothing is written")
    arguments.add_argument("--write", action="store_true", help="write the tables into docs/benchmarks.md")
    given = arguments.parse_args()
    collect_seldom()
    parts = Parts()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        measure(parts, Path(folder), TINY if given.tiny else USUAL, given.only)
    print(parts.tables())
    if given.write and not given.only:
        write_section(TITLE, COMMAND, NOTES, parts.tables())


def measure(parts: Parts, folder: Path, scale: Scale, only: str = "") -> None:
    """Every part once, each on an empty place of its own."""
    turns = scale.turns
    steps: dict[str, Callable[[Path], Coroutine[Any, Any, None]]] = {
        "ha": lambda place: on_ha(parts, place, scale.ha, turns),
        "queries": lambda place: queries(parts, place, scale.requests, turns),
        "rules on dev": lambda place: rules(parts, place, "dev", scale.moves, turns),
        "rules on durable": lambda place: rules(parts, place, "durable", scale.moves, turns),
        "rules on ha": lambda place: rules(parts, place, "ha", scale.moves, turns),
        "timers": lambda place: timers(parts, place, scale.timers, scale.idle),
        "policies": lambda place: policy(parts, place, scale.requests, turns),
        "rows": lambda place: rows(parts, place, scale.projected, turns),
    }
    chosen = {name: step for name, step in steps.items() if name.startswith(only)}
    with progress() as bar:
        task = bar.add_task("the parts", total=len(chosen))
        for name, step in chosen.items():
            bar.update(task, description=name)
            asyncio.run(step(folder / name.replace(" ", "-")))
            bar.advance(task)


NOTES = """What stands beside a row was measured in turns with it. `ha` is three nodes on this host.
Appends, rules and rows are made in the bench's own process; queries, policies and timers by a leaf (`cim
up`, `dev`) that is asked from here. The times are those of one operation, with those in flight beside
it; for a query and a policy from the receipt on, as their rows say; for a timer from when it is due
until this process has read its commit. All timers are due within one second, so the last ones wait for
the first. A bare request is answered at once by a process that does nothing else. Processor time is that
of this process and of the one that answers it: servers (`nats-server`, PostgreSQL) come on top. Garbage
is collected as in a leaf, in all of them. PostgreSQL syncs nothing here (`fsync` off); SQLite's file is
on disk. On one node the server makes a store of files for each write that spans entities, on three it
holds it in memory (docs/decisions/0024)."""


if __name__ == "__main__":
    main()

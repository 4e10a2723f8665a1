"""From a change to a system's call, and changes through a system, beside what one would write instead.

``PYTHONPATH=benches python benches/world.py [--tiny] [--write]``: one run measures all of it.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.cli.output import progress
from cim.leaf.garbage import collect_seldom
from costs import Cost, all_of
from log_bars import BARS, Rows, shown
from log_history import raw_publishes
from log_raw import Raw
from log_sides import server_on
from tables import table, write_section
from world_sides import Side, pipeline, processor, world
from world_work import ROUNDS

COMMAND = "PYTHONPATH=benches python benches/world.py --write"
TITLE = "The world: from a change to a call, and changes through a system"
COLUMNS = ("", "changes/s", "ms to the call, p50", "p99", "worst", "processor µs each", "its workers'")
SIDES = {
    "ours: a system": "ours",
    "ours: two systems in a row": "chain",
    "nats-py by hand": "hand",
    "FastStream": "faststream",
}
PATIENCE = 120.0
WINDOW = 256


@dataclass(frozen=True)
class Load:
    """So many changes, so many a second; as fast as they can be sent where that is 0."""

    name: str
    changes: int
    rate: float


@dataclass(frozen=True)
class Scale:
    """How much of everything is done, in a turn."""

    turns: int
    loads: Sequence[Load]
    raw: int
    lumps: int


TINY = Scale(1, [Load("20/s", 5, 20), Load("flat out", 20, 0)], 40, 4)
USUAL = Scale(2, [Load("50/s", 500, 50), Load("500/s", 5_000, 500), Load("flat out", 20_000, 0)], 20_000, 200)


@dataclass
class Found:
    """What was measured: costs of changes by side and load, and those of the workers."""

    costs: dict[tuple[str, str], list[Cost]] = field(default_factory=dict)
    workers: dict[tuple[str, str], float] = field(default_factory=dict)
    raw: list[Cost] = field(default_factory=list)
    digging: dict[int, Cost] = field(default_factory=dict)

    def add(self, side: str, load: Load, cost: Cost, workers: float) -> None:
        """One turn of a side, and the processor seconds of its workers."""
        key = (side, load.name)
        self.costs.setdefault(key, []).append(cost)
        self.workers[key] = self.workers.get(key, 0.0) + workers

    def cost(self, side: str, load: str) -> Cost:
        """All turns as one."""
        return all_of(self.costs[side, load])


def main() -> None:
    """Measure, print the tables, and write them into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="a few of everything: whether it runs at all")
    arguments.add_argument("--write", action="store_true", help="write the tables into docs/benchmarks.md")
    given = arguments.parse_args()
    collect_seldom()
    scale = TINY if given.tiny else USUAL
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        found = asyncio.run(measure(Path(folder), scale))
    print(tables(found, scale))
    if given.write:
        write_section(TITLE, COMMAND, NOTES, tables(found, scale))


async def measure(folder: Path, scale: Scale) -> Found:
    """All sides in turns, then the workers beside each other."""
    found = Found()
    with progress() as bar:
        task = bar.add_task("sides", total=scale.turns * len(scale.loads) * len(SIDES))
        for turn, load, side in product(range(scale.turns), scale.loads, SIDES.values()):
            bar.update(task, description=f"{side}, {load.name}")
            async with _opened(side, folder / f"{side}-{turn}-{load.rate:g}") as judge:
                found.add(side, load, *await through(judge, load, 2 if side == "chain" else 1))
            bar.advance(task)
        for turn in range(scale.turns):
            found.raw.append(await _raw(folder / f"raw{turn}", scale.raw))
        for workers in (1, 2):
            bar.update(task, description=f"{workers} workers that compute")
            found.digging[workers] = await digging(folder / f"dig{workers}", workers, scale.lumps)
    return found


async def _raw(folder: Path, publishes: int) -> Cost:
    """What the server takes, by bytes made before."""
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        await NatsLog.open(client)
        with Raw(server, user) as raw:
            return raw_publishes(raw, publishes, WINDOW)


def _opened(side: str, place: Path) -> AbstractAsyncContextManager[Side]:
    if side == "ours":
        return world(place, ["world_heat"], 2, "Judged")
    if side == "chain":
        return world(place, ["world_heat", "world_chain"], 2, "Told")
    return pipeline(place, side)


async def through(side: Side, load: Load, systems: int) -> tuple[Cost, float]:
    """Send what the load says and wait until each change has its outputs: what that cost, and its workers."""
    await _sent(side, Load("first", 3, 100), "warm")
    await _until(side, 3 * systems)
    before, started = processor(side.pid), time.perf_counter()
    await _sent(side, load, "s")
    await _until(side, (3 + load.changes) * systems)
    wall, after = time.perf_counter() - started, processor(side.pid)
    calls = [one for one in await side.calls() if one.name.startswith("s")]
    names = {one.name for one in calls}
    assert len(calls) == len(names) == load.changes, f"{load.changes} changes, {len(calls)} outputs"
    each = [one.called - one.sent for one in calls]
    return Cost(load.changes, wall, after[0] - before[0], each), after[1] - before[1]


async def _sent(side: Side, load: Load, prefix: str) -> None:
    started = time.perf_counter()
    for number in range(load.changes):
        ahead = load.rate and started + number / load.rate - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        await side.publish(f"{prefix}{number}")


async def _until(side: Side, outputs: int) -> None:
    """Look every few milliseconds how far it is; the server is asked, never the side."""
    async with asyncio.timeout(PATIENCE):
        while await side.outputs() < outputs:  # noqa: ASYNC110  # it is another process that writes them
            await asyncio.sleep(0.01)


async def digging(folder: Path, workers: int, lumps: int) -> Cost:
    """Lumps through a system that computes, by so many workers; from the first lump until the last output."""
    async with world(folder, ["world_work"], workers, "Dug") as side:
        await side.bring("warm", range(2 * workers))
        await _until(side, 2 * workers)
        started = time.perf_counter()
        await side.bring("lump", range(lumps))
        await _until(side, 2 * workers + lumps)
        return Cost(lumps, time.perf_counter() - started, 0.0)


def tables(found: Found, scale: Scale) -> str:
    """All of it as Markdown."""
    rows = []
    for load in scale.loads:
        for name, side in SIDES.items():
            cost = found.cost(side, load.name)
            workers = 1e6 * found.workers[side, load.name] / cost.operations
            times = [shown(cost.within(share)) for share in (0.5, 0.99, 1.0)]
            below = shown(workers) if side in ("ours", "chain") else ""
            rows.append((f"{load.name}, {name}", shown(cost.rate), *times, shown(cost.micros), below))
    return "\n\n".join([table(COLUMNS, rows), table(BARS, _bars(found, scale).bars)])


def _bars(found: Found, scale: Scale) -> Rows:
    bars = Rows()
    paced, flat = scale.loads[-2].name, scale.loads[-1].name
    cost = found.cost("ours", paced)
    bars.under(f"ms from a change to the call at {paced}, p50", cost.within(0.5), 2)
    bars.under("the same, p99", cost.within(0.99), 10)
    ours = found.cost("ours", flat).rate
    bars.at_least("changes/s flat out, beside nats-py by hand", ours, found.cost("hand", flat).rate, 1)
    bars.at_least("changes/s flat out, beside FastStream", ours, found.cost("faststream", flat).rate, 1)
    limit = all_of(found.raw).rate / 2
    bars.share("changes/s flat out, beside two raw publishes", ours, limit)
    one, two = (found.digging[workers].rate for workers in (1, 2))
    bars.at_least("runs/s that compute: two workers beside one", two, one, 1.6)
    return bars


NOTES = f"""A reading of a sensor is published to a stream by this process, fire and forget, by the same
client for all sides; a function is called with it and one output for it is written to a stream, once
however often it is tried. Ours is a leaf (`cim up`, `dev`) with two workers and the system of
benches/world_heat.py; two systems in a row are that one and the one of benches/world_chain.py, which waits
for what the first wrote: its times are those from the first call to the second, a component is written
between. By hand is a durable pull consumer of nats-py that takes up to 256 readings, writes all outputs at
once under ids made from the readings and acknowledges; FastStream is a subscriber with 64 tasks and a
publisher (benches/world_rivals.py). Each side is alone, in processes of its own, beside an empty server of
its own; `ms to the call` is from before the publish until within the function, by the clock of one
machine. Changes a second are until the last output stands in the log. Processor time is that of the leaf
or the program; the leaf's workers have a column, servers are not in it. Runs that compute take
{ROUNDS:,} digests each."""


if __name__ == "__main__":
    main()

"""What a machine with many entities costs: its start, its memory, a change, and a system that comes late.

``PYTHONPATH=benches python benches/world_size.py [--tiny|--full] [--write]``: entities with ten components
each, in logs that were written beforehand. ``--full`` goes to a million.
"""

import argparse
import asyncio
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure
from nats.aio.client import Client

import world_old
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.cli.output import progress
from cim.contract import codec
from cim.contract.envelope import Commit
from cim.leaf.accounts import Credentials
from cim.leaf.garbage import collect_seldom
from cim.log.chain import Head
from cim.testing.processes import Place, Running, place
from costs import Cost, spent
from log_bars import shown
from tables import PAGE, table, write_section

COMMAND = "PYTHONPATH=benches python benches/world_size.py --write"
TITLE = "The world: what many entities cost"
IMAGE = PAGE.parent / "images" / "world-size.svg"
FOLDER = Path(__file__).parent
COLUMNS = (
    "entities, ten components each",
    "first start, s",
    "later start, s",
    "its memory, MB",
    "ms from a change to the call, p50",
    "p99",
    "processor µs a change",
    "a late system, entities/s",
    "its memory, MB",
)
PATIENCE = 1_800.0


@dataclass(frozen=True)
class Scale:
    """Entities of each machine, and the changes to some of them at so many a second."""

    sizes: Sequence[int]
    changes: int
    rate: float


TINY = Scale([20], 10, 20)
USUAL = Scale([1_000, 10_000, 100_000], 2_000, 100)
FULL = Scale([1_000, 10_000, 100_000, 1_000_000], 2_000, 100)


@dataclass(frozen=True)
class Size:
    """What was measured on one machine: seconds of two starts, MB, changes, and the late system."""

    entities: int
    first: float
    later: float
    memory: float
    changes: Cost
    late: float
    late_memory: float

    def row(self) -> tuple[str, ...]:
        """A row of the table."""
        times = [shown(self.changes.within(share)) for share in (0.5, 0.99)]
        starts = [shown(one) for one in (self.first, self.later, self.memory)]
        late = [shown(self.entities / self.late), shown(self.late_memory)]
        return (f"{self.entities:,}", *starts, *times, shown(self.changes.micros), *late)


def main() -> None:
    """Measure, print the table, and write it and its picture into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="a few of everything: whether it runs at all")
    arguments.add_argument("--full", action="store_true", help="up to a million entities")
    arguments.add_argument("--write", action="store_true", help="write the table into docs/benchmarks.md")
    given = arguments.parse_args()
    collect_seldom()
    scale = TINY if given.tiny else FULL if given.full else USUAL
    sizes = list[Size]()
    with progress() as bar:
        task = bar.add_task("entities", total=len(scale.sizes))
        for entities in scale.sizes:
            bar.update(task, description=f"{entities:,} entities")
            with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
                sizes.append(asyncio.run(measure(Path(folder), entities, scale)))
            bar.advance(task)
    body = table(COLUMNS, [size.row() for size in sizes])
    print(body)
    if given.write:
        draw(sizes, IMAGE)
        write_section(TITLE, COMMAND, NOTES, f"{body}\n\n![what a change costs](images/{IMAGE.name})")


async def measure(folder: Path, entities: int, scale: Scale) -> Size:
    """One machine: its log is written, it starts twice, takes changes, and a module joins."""
    machine = folder / "machine"
    (machine / ".cim").mkdir(parents=True)
    (machine / "machine.toml").write_text(
        f'name = "bench"\nworkers = 2\nmodules = ["{FOLDER / "world_many.py"}"]\n'
    )
    await world_old.write(machine / ".cim", entities)
    with place(machine, folder / "said") as leaf:
        first, running = await started(leaf, "first", 1)
        running.send(signal.SIGTERM)
        later, running = await started(leaf, "later", 2)
        changes = await changed(leaf, scale, entities)
        memory = resident(leaf.address.pid)
        late, late_memory = await joined(leaf)
    return Size(entities, first, later, memory, changes, late, late_memory)


async def started(leaf: Place, name: str, number: int) -> tuple[float, Running]:
    """Start the leaf; seconds until what a system made of a new entity stands in the log."""
    started = time.perf_counter()
    running = leaf.up()
    async with _log(leaf) as (client, log):
        before = await log.last()
        await publish(client, Head().link(world_old.counted(world_old.article(-number), 1, name)))
        await _until(log, before + 2)
    return time.perf_counter() - started, running


async def changed(leaf: Place, scale: Scale, entities: int) -> Cost:
    """Changes of old entities, here and there, each timed until the system was called."""
    chosen = random.Random(7).sample(range(entities), min(scale.changes, entities // 2))
    commits = []
    for number in chosen:
        head = Head().advance(world_old.past(number)[0])
        commits.append(head.link(world_old.counted(world_old.article(number), number + 1, f"again-{number}")))
    sent: dict[str, float] = {}
    pid = leaf.address.pid
    async with _log(leaf) as (client, log):
        before = await log.last()
        processor, began = spent(pid) or 0.0, time.perf_counter()
        for place, commit in enumerate(commits):
            await asyncio.sleep(max(0.0, began + place / scale.rate - time.perf_counter()))
            sent[commit.subject.split(".")[3]] = time.time()
            await publish(client, commit)
        await _until(log, before + 2 * len(commits))
        wall, used = time.perf_counter() - began, (spent(pid) or 0.0) - processor
        called = await calls(log, before)
    assert called.keys() == sent.keys(), "a change has no output"
    return Cost(len(commits), wall, used, [called[name] - when for name, when in sent.items()])


async def calls(log: NatsLog, after: int) -> dict[str, float]:
    """When the system was called, by entity."""
    found: dict[str, float] = {}
    async for batch in log.follow(after):
        if not batch:
            break
        for commit in batch:
            if commit.subject.startswith("cmp."):
                items = {item.type: item.data for item in codec.decode(commit.body)}
                found[commit.subject.split(".")[3]] = items["Seen"]["called"]
    return found


async def joined(leaf: Place) -> tuple[float, float]:
    """A late module comes and goes through all: its seconds, and the most memory that its process had."""
    started, most = time.perf_counter(), 0.0
    running = leaf.start("work", "--module", FOLDER / "world_late.py", "--exit")
    while running.process.poll() is None:
        most = max(most, resident(running.process.pid))
        await asyncio.sleep(0.1)
        assert time.perf_counter() - started < PATIENCE, f"it hangs: {running.err}"
    done = running.end()
    assert done.code == 0, done.err
    return time.perf_counter() - started, most


async def publish(client: Client, commit: Commit) -> None:
    """Fire and forget."""
    await client.publish(commit.subject, commit.body, headers=commit.headers())


@asynccontextmanager
async def _log(leaf: Place) -> AsyncIterator[tuple[Client, NatsLog]]:
    found = leaf.address
    async with connect(found.url, Credentials(found.jwt, found.seed), "bench") as client:
        yield client, await NatsLog.open(client)


async def _until(log: NatsLog, sequence: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await log.last() < sequence:  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.01)


def resident(pid: int) -> float:
    """MB of memory that a process has now; 0 for one that is ending."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def draw(sizes: Sequence[Size], file: Path) -> None:
    """What a change costs over how many entities there are."""
    rcParams.update({"svg.hashsalt": "cim", "font.size": 9})
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    entities = [size.entities for size in sizes]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        axes.plot(
            entities, [size.changes.within(share) for size in sizes], marker="o", label=f"to the call, {name}"
        )
    axes.plot(
        entities, [size.changes.micros / 1000 for size in sizes], marker="s", label="processor of the leaf"
    )
    axes.set(xscale="log", xlabel="entities with ten components each", ylabel="ms a change", ylim=(0, None))
    axes.legend()
    figure.savefig(file, metadata={"Date": None})


NOTES = """Entities with ten components each (benches/world_many.py) are in the log before the leaf (`cim up`,
`dev`, two workers) sees it. A start is timed from the command until what a system made of a new entity
stands in the log. Changes come at 100 a second, to entities chosen by chance, each another one; a
call is timed from before the publish until within the system, by the clock of one machine. Processor time
and memory are those of the leaf's process, without its workers and its server. The late system
(benches/world_late.py) is brought by `cim work`; the time is that of the whole command: it learns of all
entities, and one output each is written."""


if __name__ == "__main__":
    main()

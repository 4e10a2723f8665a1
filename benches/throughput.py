"""Pages a second through the machine, beside the same functions in the same pool of workers without it.

``PYTHONPATH=examples/documents python benches/throughput.py [FILE …] [--runs N] [--write]``. Without files
the receipts of ../shared/data are taken, and where they are missing the papers that the project draws.

Both sides run the documents module's own systems in the leaf's own pool of worker processes. The machine
takes each file through the door and writes every step to its log on a real server; the rival keeps contents
in memory and hands one function's result to the next. The pools are warm before the clock starts.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cim.adapters.memory.blobs import MemoryBlobs
from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.output import progress
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.doors.intake import take_in
from cim.doors.media import media_of
from cim.doors.sender import send
from cim.leaf.compose import Leaf, leaf
from cim.leaf.frames import Serve
from cim.leaf.machine import Machine, load_contexts, load_machine
from cim.leaf.workers import Workers
from cim.testing.papers import draw_one_by_one
from documents import Document, Text
from tables import table, write_section

ROOT = Path(__file__).parents[1]
RECEIPTS = ROOT.parent / "shared" / "data" / "receipts"
COMMAND = "PYTHONPATH=examples/documents python benches/throughput.py --write"
AT_ONCE = 4


class Kept:
    """The rival's place for a run, which it keeps to its end; fulfils :class:`cim.world.runner.Place`."""

    def is_wanted(self) -> bool:
        """Never."""
        return False

    def leave(self) -> None:
        """It does not come to this."""


@dataclass(frozen=True)
class Side:
    """One side's run: wall seconds, and processor seconds of this process (the workers' are not in it)."""

    wall: float
    processor: float


def main() -> None:
    """Measure in pairs, print the table, and write it into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("files", nargs="*", type=Path)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        files = given.files or sorted(RECEIPTS.glob("*.page.jpg")) or drawn(Path(scratch))
        contents = [file.read_bytes() for file in files]
        pairs = measure(contents, given.runs, Path(scratch))
    body = report(pairs, len(contents))
    print(body)
    if given.write:
        origin = "scanned receipts of ../shared/data" if RECEIPTS.is_dir() and not given.files else "pages"
        notes = (
            f"{len(contents)} {origin}, {given.runs} pairs of runs, each side first in turn. Both sides\n"
            "read and judge with the same functions in the same pool of worker processes, warm before the\n"
            "clock starts; the machine's side goes through the door, and every step is in its log (profile\n"
            "`dev`). Processor seconds are those of the process that steers, without workers and server."
        )
        write_section("Pages a second through the machine", COMMAND, notes, body)


def drawn(folder: Path) -> list[Path]:
    """The papers that the project draws."""
    return [paper.path for paper in draw_one_by_one(folder / "papers")]


def measure(contents: Sequence[bytes], runs: int, scratch: Path) -> list[tuple[Side, Side]]:
    """``runs`` pairs: the rival and the machine, each first in every second pair."""
    pairs: list[tuple[Side, Side]] = []
    with progress() as bar:
        task = bar.add_task("pairs of runs", total=runs)
        for number in range(runs):
            machine = lay(scratch / f"machine{number}")
            # In turns, so that a machine that gets slower or faster favours neither.
            sides = (by_hand, through) if number % 2 == 0 else (through, by_hand)
            made = {side: asyncio.run(side(machine, contents)) for side in sides}
            pairs.append((made[by_hand], made[through]))
            bar.advance(task)
    return pairs


def lay(folder: Path) -> Machine:
    """The documents machine, empty, in a folder of its own."""
    shutil.copytree(ROOT / "examples" / "documents", folder, ignore=shutil.ignore_patterns(".cim"))
    return load_machine(folder)


async def by_hand(machine: Machine, contents: Sequence[bytes]) -> Side:
    """The rival: the same systems in the same pool, steered by a few lines."""
    clock, blobs = SystemClock(), MemoryBlobs()
    composition = compose(load_contexts(machine, machine.modules))
    systems = {system.name: system for system in composition.systems}
    names = tuple(str(system) for system in composition.systems)
    serve = Serve(str(machine.folder), machine.modules, names, machine.limits.memory_mb)
    workers = Workers(serve, machine.limits, blobs, clock, print)
    places, at_once = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(count_of(machine))

    async def run(name: str, **given: Any) -> tuple[Any, ...]:
        # The pool has a worker more, which a leaf gives to no run while nothing hangs.
        async with at_once:
            return await workers.run(systems[name], given, Kept())

    async def one(content: bytes) -> None:
        async with places:
            document = Document("page", await blobs.keep(content, media_of(content)))
            await run("preview", document=document)
            (text,) = await run("read", document=document)
            assert isinstance(text, Text)
            for name in ("classify", "feel", "find"):
                await run(name, text=text)

    async def everything(some: Sequence[bytes]) -> None:
        await asyncio.gather(*(one(content) for content in some))

    try:
        await workers.open(count_of(machine))
        await everything(contents[:AT_ONCE])
        started = begin()
        await everything(contents)
        return end(started)
    finally:
        await workers.close()


async def through(machine: Machine, contents: Sequence[bytes]) -> Side:
    """The machine: the same contents through the door of a leaf, until nothing is left to do."""
    warm = [content + b"\0" for content in contents[:AT_ONCE]]
    async with leaf(machine, print, port=0) as running:
        await asyncio.gather(*(hand_in(running, content) for content in warm))
        await running.node.idle()
        started = begin()
        places = asyncio.Semaphore(AT_ONCE)

        async def one(content: bytes) -> None:
            async with places:
                await hand_in(running, content)

        await asyncio.gather(*(one(content) for content in contents))
        await running.node.idle()
        made = end(started)
        kept = [one async for one in running.node.world.entities.each(("documents", "Document"))]
        failed = [entity.failures for entity in kept if entity.failures]
        assert len(kept) == len({*contents, *warm}), "a document is missing"
        assert not failed, failed
        return made


async def hand_in(running: Leaf, content: bytes) -> str:
    """One file through the door, as a sender does it; the id of its document."""
    node = running.node
    kind = node.composition.command("documents", "Receive")
    command = await take_in(kind, "Receive", {"title": "page", "scan": content}, node.blobs)
    origin = Origin.root(SystemEntropy().new_id(), "bench")
    answer = await send(node.client, SystemClock(), kind, command, origin, "bench", 30.0)
    assert "rejected" not in answer, answer
    return str(answer["entity"])


def count_of(machine: Machine) -> int:
    """How many workers a leaf would start."""
    return machine.workers or os.cpu_count() or 1


def begin() -> tuple[float, float]:
    """Both clocks, now."""
    return time.monotonic(), time.process_time()


def end(started: tuple[float, float]) -> Side:
    """What both clocks say since."""
    return Side(time.monotonic() - started[0], time.process_time() - started[1])


def report(pairs: Sequence[tuple[Side, Side]], pages: int) -> str:
    """The table: pages a second of both, their ratio, and what steering costs."""
    rows = [
        figures("the same functions in the same pool", [pages / hand.wall for hand, _ in pairs]),
        figures("through the machine", [pages / machine.wall for _, machine in pairs]),
        figures("the machine's share of it", [hand.wall / machine.wall for hand, machine in pairs]),
        figures("processor ms a page, steering by hand", [1000 * h.processor / pages for h, _ in pairs]),
        figures("processor ms a page, the leaf", [1000 * m.processor / pages for _, m in pairs]),
    ]
    return table(("pages a second", "least", "median", "most"), rows)


def figures(name: str, values: Sequence[float]) -> tuple[str, ...]:
    """A row of the table."""
    return name, *(f"{value:.3g}" for value in (min(values), statistics.median(values), max(values)))


if __name__ == "__main__":
    main()

"""How long good files take while files that hang are under way.

``PYTHONPATH=examples/documents python benches/late.py [--runs N] [--write]``. Receipts of ../shared/data are
taken, and where they are missing papers that the project draws. Each good file is timed from its receipt to
its text, on a documents machine as it is shipped, that has read a receipt and, but in the last case, a PDF.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from cim.cli.output import progress
from cim.leaf.compose import leaf
from cim.testing.hostile_files import pdf_that_takes_for_ever
from cim.testing.pdf_files import pdf_page, text_at
from cim.world.entity import Entity
from documents import Text
from tables import table, write_section
from throughput import RECEIPTS, drawn, hand_in, lay

COMMAND = "PYTHONPATH=examples/documents python benches/late.py --write"
GOOD = 5
Case = tuple[int, bool]
CASES: tuple[Case, ...] = ((0, False), (1, False), (3, False), (3, True))
"""How many hang, and whether the machine has never seen a PDF before."""

UP_FOR = 8.0
"""Seconds that the machine has been up when the files come: all its workers are ready."""


def main() -> None:
    """Measure beside none, one and some that hang; print the table, and write it into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--runs", type=int, default=2)
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        files = sorted(RECEIPTS.glob("*.page.jpg")) or drawn(Path(scratch))
        took = measure([file.read_bytes() for file in files[:GOOD]], given.runs, Path(scratch))
    body = report(took)
    print(body)
    if given.write:
        notes = (
            f"{GOOD} good files, handed in right behind PDFs whose one page never ends (the limit is 30 s a\n"
            f"step), {given.runs} runs each, on two workers, on a machine that has read a receipt,\n"
            "and a PDF where not said otherwise. Seconds from a file's receipt to its text."
        )
        write_section("Good files beside files that hang", COMMAND, notes, body)


def measure(good: Sequence[bytes], runs: int, scratch: Path) -> dict[Case, list[float]]:
    """The seconds that each good file took, by how many that hang were there."""
    took: dict[Case, list[float]] = {case: [] for case in CASES}
    with progress() as bar:
        task = bar.add_task("files", total=runs * len(CASES))
        for number in range(runs):
            for hanging, is_first_pdf in CASES:
                folder = scratch / f"machine{number}-{hanging}-{is_first_pdf}"
                took[hanging, is_first_pdf] += asyncio.run(beside(folder, good, hanging, is_first_pdf))
                bar.advance(task)
    return took


async def beside(folder: Path, good: Sequence[bytes], hanging: int, is_first_pdf: bool) -> list[float]:
    """The seconds that each good file takes, handed in behind so many that hang."""
    async with leaf(lay(folder), print, port=0) as running:
        await hand_in(running, good[0] + b"\0")
        if not is_first_pdf:
            await hand_in(running, pdf_page(text_at(72, 720, "a letter")))
        await running.node.idle()
        await asyncio.sleep(UP_FOR)
        read = Read()
        running.node.world.listen(read.look)
        for number in range(hanging):
            await hand_in(running, pdf_that_takes_for_ever() + bytes(number))
        received = {await hand_in(running, content): time.monotonic() for content in good}
        await read.all(received)
        return [read.at[id] - moment for id, moment in received.items()]


class Read:
    """When each document was read, by the world's own news."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._news = asyncio.Event()

    def look(self, entity: Entity) -> None:
        """Take note of an entity that has its text."""
        if Text.__name__ in entity.cells:
            self.at.setdefault(entity.ref.id, time.monotonic())
            self._news.set()

    async def all(self, ids: Collection[str]) -> None:
        """Wait until all of them are read."""
        while not self.at.keys() >= set(ids):
            self._news.clear()
            await self._news.wait()


def report(took: Mapping[Case, Sequence[float]]) -> str:
    """The table: seconds to the text, by how many hang."""
    rows = [
        (
            f"beside {hanging or 'none'} that hang{'s' if hanging == 1 else ''}"
            + (", the first PDFs ever" if is_first_pdf else ""),
            *figures(seconds),
        )
        for (hanging, is_first_pdf), seconds in took.items()
    ]
    return table(("seconds to the text", "least", "median", "most"), rows)


def figures(seconds: Sequence[float]) -> tuple[str, ...]:
    """A row's cells."""
    return tuple(f"{value:.1f}" for value in (min(seconds), statistics.median(seconds), max(seconds)))


if __name__ == "__main__":
    main()

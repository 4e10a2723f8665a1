"""Many harmed PDFs through the PDF provider: each must end in pages or a failure, within time and memory.

``python benches/harmed_pdfs.py ../shared/data/pages ../shared/data/hostile`` harms each PDF of the folders in
``--times`` ways, and counts how they end. Each way is a seed: ``--only FILE SEED`` runs one again.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cim.domain.errors import Failure
from cim.providers.pdfium import Pdfium
from cim.testing.hostile_files import mutated

SECONDS = 20.0
MEMORY_MB = 2048
AT_ONCE = 25
"""Mutations a process: what harms the next one must show, too."""


def outcomes(content: bytes, seeds: range) -> Iterator[tuple[int, str, float]]:
    """How each mutation ends: "text", "picture" or "failure", and the seconds that it took."""
    pdf = Pdfium()
    for seed in seeds:
        began = time.monotonic()
        harmed = mutated(content, seed)
        try:
            pages = list(pdf.pages(harmed))
            pdf.picture(harmed, 1, 900)
            end = "picture" if any(page.picture for page in pages) else "text"
        except Failure:
            end = "failure"
        yield seed, end, time.monotonic() - began


def run_in_process(file: Path, seeds: range) -> tuple[Counter[str], float]:
    """The outcomes of these seeds in a process of their own; "crash" or "hang" names the first that did."""
    command = [sys.executable, __file__, "--only", str(file), str(seeds.start), str(seeds.stop)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * len(seeds))
    except subprocess.TimeoutExpired as hung:
        said = hung.stdout.decode() if isinstance(hung.stdout, bytes) else ""
        print(f"{file.name}: hangs at seed {seeds.start + len(said.splitlines())}")
        return Counter(hang=1), SECONDS * len(seeds)
    lines = [line.split() for line in done.stdout.splitlines()]
    ends = Counter(end for _, end, _ in lines)
    if len(lines) < len(seeds):
        print(f"{file.name}: code {done.returncode} at seed {seeds.start + len(lines)}: {done.stderr[-300:]}")
        ends["crash"] += 1
    return ends, max((float(took) for _, _, took in lines), default=0.0)


def main() -> int:
    """Count the outcomes; 1 where a mutation crashed or hung its process."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("folders", nargs="*", type=Path)
    given.add_argument("--times", type=int, default=200)
    given.add_argument("--only", nargs="+", help="FILE SEED [BEFORE]: in this process")
    chosen = given.parse_args()
    if chosen.only:
        file, first, *end = chosen.only
        most = MEMORY_MB * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        seeds = range(int(first), int(end[0]) if end else int(first) + 1)
        for seed, how, took in outcomes(Path(file).read_bytes(), seeds):
            print(seed, how, f"{took:.3f}", flush=True)
        return 0
    total: Counter[str] = Counter()
    for file in sorted(path for folder in chosen.folders for path in folder.glob("*.pdf")):
        ends, slowest = Counter[str](), 0.0
        for start in range(0, chosen.times, AT_ONCE):
            found, took = run_in_process(file, range(start, min(start + AT_ONCE, chosen.times)))
            ends, slowest = ends + found, max(slowest, took)
        print(f"{file.name}: {dict(ends)}, slowest {slowest:.2f} s", flush=True)
        total += ends
    print(f"all: {dict(total)}")
    return 1 if total["crash"] or total["hang"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""Read real receipts and tell how many dates, totals and companies come out right.

    PYTHONPATH=examples/documents uv run python benches/reading.py [--folder FOLDER] [--misses]

The data is not the project's own (see ../shared/data/README.md): it is read where it lies.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cim.providers.tesseract import Tesseract
from documents.dates import find_date
from documents.facts import Found, find_facts

RECEIPTS = Path(__file__).parents[2] / "shared" / "data" / "receipts"


@dataclass(frozen=True)
class Outcome:
    """One receipt: what is true, what was found, and the CPU seconds it took."""

    name: str
    true: Found
    found: Found
    confidence: float
    seconds: float


def read_receipts(folder: Path) -> Iterator[Outcome]:
    """Read each `N.page.jpg` of the folder and compare it with its `N.key.json`."""
    ocr = Tesseract()
    for scan in sorted(folder.glob("*.page.jpg")):
        name = scan.name.removesuffix(".page.jpg")
        started = time.process_time()
        reading = ocr.read(scan.read_bytes())
        found = find_facts(reading.body)
        seconds = time.process_time() - started
        yield Outcome(name, true_facts(folder / f"{name}.key.json"), found, reading.confidence, seconds)


def true_facts(key: Path) -> Found:
    """The facts of a `N.key.json`, written the way `find_facts` writes them."""
    told = json.loads(key.read_text(encoding="utf-8"))
    total = re.sub(r"[^\d.]", "", told["total"])
    return Found(find_date([told["date"]]), f"{float(total):.2f}" if total else None, told["company"])


def is_same_company(true: str | None, found: str | None) -> bool:
    """Whether both names have the same letters and digits."""
    plain = [re.sub(r"[^A-Z0-9]", "", (name or "").upper()) for name in (true, found)]
    return plain[0] == plain[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=RECEIPTS)
    parser.add_argument("--misses", action="store_true", help="tell each fact that is wrong")
    asked = parser.parse_args()
    if not asked.folder.is_dir():
        parser.error(f"{asked.folder} is not here: name a folder of receipts by --folder")
    outcomes = list(read_receipts(asked.folder))
    if asked.misses:
        print_misses(outcomes)
    count = len(outcomes)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    print(f"receipts                 {count}")
    print(f"total right              {sum(o.found.total == o.true.total for o in outcomes)}")
    print(f"date right               {sum(o.found.date == o.true.date for o in outcomes)}")
    print(
        f"company right            {sum(is_same_company(o.true.company, o.found.company) for o in outcomes)}"
    )
    print(f"CPU seconds a page       mean {sum(seconds) / count:.2f}, worst {seconds[-1]:.2f}")


def print_misses(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        for fact in ("date", "total", "company"):
            true, found = getattr(outcome.true, fact), getattr(outcome.found, fact)
            if not (is_same_company(true, found) if fact == "company" else true == found):
                print(f"{outcome.name} {fact:8} {found!r} instead of {true!r}")


if __name__ == "__main__":
    main()

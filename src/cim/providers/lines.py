"""Lines of words as an OCR engine gave them, and the better of two readings of one page.

Two readings of the same page at different sizes make different mistakes. Where their lines
lie over each other, the surer words win.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cim.ports.reading import Reading, Word
from cim.providers.calibration import Calibration

__all__ = ["Line", "best_of", "body_of", "confidence_of", "reading_of", "turned_back"]

# Above it two boxes lie over each other, below the other two they don't.
_SAME_ROW = 0.6
_OTHER_ROW = 0.4
_SAME_PLACE = 0.7
_FREE_PLACE = 0.1
# A word that only one reading has is believed from here on.
_SURE_ALONE = 0.6


@dataclass(frozen=True)
class Line:
    """The words of a line from left to right; lines of the same paragraph share its number."""

    words: tuple[Word, ...]
    paragraph: int

    @cached_property
    def top(self) -> float:
        return min(word.top for word in self.words)

    @cached_property
    def bottom(self) -> float:
        return max(word.top + word.height for word in self.words)

    @cached_property
    def confidence(self) -> float:
        return confidence_of(self.words)


def confidence_of(words: Iterable[Word]) -> float:
    """The mean confidence, each word weighed by its length; 0 for no words."""
    weighed = [(word.confidence * len(word.text), len(word.text)) for word in words]
    return sum(value for value, _ in weighed) / max(1, sum(length for _, length in weighed))


def body_of(lines: Sequence[Line]) -> str:
    """The text of the lines, with an empty line between paragraphs."""
    rows: list[str] = []
    for number, line in enumerate(lines):
        if number and line.paragraph != lines[number - 1].paragraph:
            rows.append("")
        rows.append(" ".join(word.text for word in line.words))
    return "\n".join(rows)


def reading_of(pages: Iterable[Sequence[Line]], calibration: Calibration) -> Reading:
    """The reading of all pages of a picture, its confidence calibrated."""
    bodies: list[str] = []
    words: list[Word] = []
    for lines in pages:
        bodies.append(body_of(lines))
        words.extend(word for line in lines for word in line.words)
    surely = tuple(replace(word, confidence=calibration(word.confidence)) for word in words)
    return Reading("\n\n".join(body for body in bodies if body), confidence_of(surely), surely)


def best_of(first: Sequence[Line], second: Sequence[Line]) -> list[Line]:
    """One reading out of two of the same page, from top to bottom.

    A page in columns must not come here: rows are told by their height alone.
    """
    merged: list[Line] = []
    matched: set[int] = set()
    for line in first:
        share, index = max(
            ((_rows_share(line, other), i) for i, other in enumerate(second)), default=(0.0, 0)
        )
        if share > _SAME_ROW:
            matched.add(index)
            line = _best_line(line, second[index])
        merged.append(line)
    for index, line in enumerate(second):
        alone = index not in matched and line.confidence > _SURE_ALONE
        if alone and all(_rows_share(line, other) < _OTHER_ROW for other in merged):
            merged.append(_in_paragraph_above(line, merged))
    return sorted(merged, key=lambda line: line.top + line.bottom)


def _in_paragraph_above(line: Line, others: Sequence[Line]) -> Line:
    above = [other for other in others if other.top <= line.top]
    nearest = max(above or others, key=lambda other: other.top, default=line)
    return replace(line, paragraph=nearest.paragraph)


def _best_line(first: Line, second: Line) -> Line:
    surer, other = (first, second) if first.confidence >= second.confidence else (second, first)
    words = [_best_word(word, surer.words, other.words) for word in surer.words]
    words += [
        word
        for word in other.words
        if word.confidence > _SURE_ALONE
        and all(_places_share(word, kept) < _FREE_PLACE for kept in surer.words)
    ]
    return Line(tuple(sorted(words, key=lambda word: word.left)), first.paragraph)


def _best_word(word: Word, neighbours: Sequence[Word], others: Sequence[Word]) -> Word:
    # Only one word against one word: where one reading split what the other joined, keep ours.
    facing = [other for other in others if _places_share(word, other) > _SAME_PLACE]
    if len(facing) != 1 or facing[0].confidence <= word.confidence:
        return word
    under = sum(_places_share(facing[0], neighbour) > 0.5 for neighbour in neighbours)
    return facing[0] if under == 1 else word


def _rows_share(first: Line, second: Line) -> float:
    shared = min(first.bottom, second.bottom) - max(first.top, second.top)
    return shared / max(1e-9, min(first.bottom - first.top, second.bottom - second.top))


def _places_share(first: Word, second: Word) -> float:
    shared = min(first.left + first.width, second.left + second.width) - max(first.left, second.left)
    return shared / max(1e-9, min(first.width, second.width))


def turned_back(line: Line, degrees: float, size: tuple[int, int], turned: tuple[int, int]) -> Line:
    """The line with its words where they stand on the page before it was turned.

    The page of `size` pixels was turned by `degrees` counter-clockwise about its middle and
    became `turned` pixels large.
    """
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def back(word: Word) -> Word:
        across = [(word.left - 0.5) * turned[0], (word.left + word.width - 0.5) * turned[0]]
        down = [(word.top - 0.5) * turned[1], (word.top + word.height - 0.5) * turned[1]]
        corners = [(x * cos - y * sin, x * sin + y * cos) for x in across for y in down]
        left, right = (_share(edge(x for x, _ in corners), size[0]) for edge in (min, max))
        top, bottom = (_share(edge(y for _, y in corners), size[1]) for edge in (min, max))
        return replace(word, left=left, top=top, width=right - left, height=bottom - top)

    return replace(line, words=tuple(back(word) for word in line.words))


def _share(from_middle: float, length: int) -> float:
    return min(1.0, max(0.0, from_middle / length + 0.5))

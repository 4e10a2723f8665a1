"""Lines of a paper, and the words that a fact was taken from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Finding", "Span", "lines_of", "words_within"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a line, counted from 0: its letters from `start`, which is no blank, up to `end`."""

    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact, the stretches of text it was taken from, and, if there is any, what speaks against it.

    `backed`: something else on the paper says the same.
    """

    value: str
    spans: tuple[Span, ...]
    doubt: str | None = None
    backed: bool = False


def lines_of(body: str) -> list[str]:
    """The lines that say anything, without the blanks at their ends."""
    return [line.strip() for line in body.splitlines() if line.strip()]


def words_within(lines: Iterable[str], spans: Iterable[Span]) -> list[int]:
    """The numbers, counted over all the lines from 0, of the words that the spans touch."""
    wanted: dict[int, list[Span]] = {}
    for span in spans:
        wanted.setdefault(span.line, []).append(span)
    touched: list[int] = []
    before = 0
    for number, line in enumerate(lines):
        if not wanted:
            break
        for span in wanted.pop(number, ()):
            first = before + len(line[: span.start + 1].split()) - 1
            touched.extend(range(first, before + len(line[: span.end].split())))
        before += len(line.split())
    return touched

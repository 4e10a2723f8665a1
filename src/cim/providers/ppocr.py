"""The two PP-OCR networks: one finds lines of print on a page, one reads a line.

The networks are PaddleOCR's (PP-OCRv6, small); how their answers are taken apart is told in
"Real-time Scene Text Detection with Differentiable Binarization" (Liao et al., 2020) and
"Connectionist Temporal Classification" (Graves et al., 2006).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cim.providers.networks import InferenceSession, network

__all__ = ["Finder", "Letter", "Reader", "Strip", "decoded"]

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]
_Points = NDArray[Any]

# The finder's sides are multiples of it; a pixel of its answer is a pixel of its input.
_STEP = 32
_PRINT = 0.3
_SURE_LINE = 0.5
_THINNEST = 3.0
# The network marks the middle of a line: its area over its girth, so many times, is missing around it.
_WIDENED = 1.6
# A lone digit is taller than wide, and level print all the same.
_UPRIGHT = 2.0

_HEIGHT = 48
# One column of the reader's answer stands for so many pixels of a strip 48 pixels high.
_COLUMN = 8
_NARROWEST = 64
_LONGEST = 4_800
# The network leaves out narrow blanks, yet not without doubt: above this chance it is one.
# Measured on twenty till receipts: of 73 blanks left out 27 come back; 3 are put into 6259 places
# where none is.
_BLANK = 0.25


@dataclass(frozen=True, slots=True)
class Strip:
    """A line of print, in pixels: its middle, its length and height, and its climb in degrees.

    The climb is clockwise, as y grows downwards: 0 for a level line, -90 for one that runs up.
    """

    x: float
    y: float
    length: float
    height: float
    climb: float


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that was read; `place` is the share of the strip's length where it stands."""

    text: str
    confidence: float
    place: float


class Finder:
    """Finds the lines of print on a page; safe to call from several threads at once."""

    def __init__(self, weights: Path) -> None:
        self._session = _network(weights)

    def strips(self, page: Grey) -> Iterator[Strip]:
        """The lines on the page, in no order. Some come in several pieces."""
        height, width = page.shape
        size = tuple(max(_STEP, round(side / _STEP) * _STEP) for side in (width, height))
        fitted = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        found = _answer(self._session, np.repeat(_signed(fitted)[None], 3, axis=0)[None])[0, 0]
        ink = cv2.dilate((found > _PRINT).astype(np.uint8), np.ones((2, 2), np.uint8))
        outlines, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        for outline in outlines:
            strip = _strip(outline, found, width / size[0], height / size[1])
            if strip is not None:
                yield strip


def _strip(outline: _Points, found: Floats, across: float, down: float) -> Strip | None:
    (x, y), sides, _ = box = cv2.minAreaRect(outline)
    if min(sides) < _THINNEST or _mean_inside(found, cv2.boxPoints(box)) < _SURE_LINE:
        return None
    wider = 2 * _WIDENED * sides[0] * sides[1] / (2 * (sides[0] + sides[1]))
    grown = cv2.boxPoints(((x, y), (sides[0] + wider, sides[1] + wider), box[2]))
    corners = grown * np.array([across, down], np.float32)
    along, up = _sides(corners)
    middle = corners.mean(axis=0)
    return Strip(
        x=float(middle[0]),
        y=float(middle[1]),
        length=float(np.hypot(*along)),
        height=float(np.hypot(*up)),
        climb=math.degrees(math.atan2(along[1], along[0])),
    )


def _sides(corners: _Points) -> tuple[_Points, _Points]:
    """The side along the print, from its beginning, and the side across it.

    Print that isn't clearly taller than wide is level; else it runs upwards, as on a margin.
    """
    first, second = corners[1] - corners[0], corners[2] - corners[1]
    level, steep = (first, second) if abs(first[0]) >= abs(second[0]) else (second, first)
    if np.hypot(*steep) > _UPRIGHT * np.hypot(*level):
        return (steep if steep[1] < 0 else -steep), level
    return (level if level[0] > 0 else -level), steep


def _mean_inside(found: Floats, corners: _Points) -> float:
    left, top = np.floor(corners.min(axis=0)).astype(int).clip(0)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = found[top:bottom, left:right]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(part, mask)[0])


class Reader:
    """Reads a line of print; safe to call from several threads at once."""

    def __init__(self, weights: Path, *, all_letters: bool) -> None:
        self._session = _network(weights)
        letters = self._session.get_modelmeta().custom_metadata_map["character"].splitlines()
        letters = ["", *(_half_width(letter) for letter in letters), " "]
        self._kept = np.array([n for n, letter in enumerate(letters) if all_letters or _is_latin(letter)])
        self._letters = [letters[n] for n in self._kept]

    def letters(self, line: Grey) -> list[Letter]:
        """The letters of a picture of one level line, from left to right; blanks are letters, too."""
        height, width = line.shape
        length = min(_LONGEST, max(1, round(width * _HEIGHT / height)))
        way = cv2.INTER_AREA if height > _HEIGHT else cv2.INTER_CUBIC
        strip = np.zeros((_HEIGHT, max(_NARROWEST, length)), np.float32)
        strip[:, :length] = _signed(cv2.resize(line, (length, _HEIGHT), interpolation=way))
        chances = _answer(self._session, np.repeat(strip[None], 3, axis=0)[None])[0][:, self._kept]
        return list(decoded(chances, self._letters, length / _COLUMN))


def decoded(chances: Floats, letters: Sequence[str], columns: float) -> Iterator[Letter]:
    """The letters of the surest path, and the blanks that are likely beside it.

    chances: columns x letters, each row the chances of one column from left to right.
    letters: the letter of each chance; the first stands for none, the last is the blank.
    columns: how many columns the strip takes; what follows is padding.
    """
    best = chances.argmax(axis=1)
    blank, before = len(letters) - 1, -1
    for at in np.flatnonzero((best != 0) & (best != np.concatenate(([0], best[:-1])))):
        if before >= 0 and blank not in (best[before], best[at]):
            between = before + int(chances[before : at + 1, blank].argmax())
            if chances[between, blank] > _BLANK:
                yield Letter(" ", float(chances[between, blank]), (between + 0.5) / columns)
        yield Letter(letters[best[at]], float(chances[at, best[at]]), min(1.0, (at + 0.5) / columns))
        before = int(at)


def _is_latin(letter: str) -> bool:
    # Latin letters with all their accents, punctuation and the signs of currencies.
    return all(sign < "\u0250" or "\u2000" <= sign < "\u20d0" for sign in letter)


def _half_width(letter: str) -> str:
    """The letter as a European keyboard writes it: the network was taught both forms."""
    return chr(ord(letter) - 0xFEE0) if len(letter) == 1 and "\uff01" <= letter <= "\uff5e" else letter


def _signed(grey: NDArray[Any]) -> Floats:
    return grey.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def _network(weights: Path) -> InferenceSession:
    # Memory that a large page took is given back after it.
    return network(weights, arena=False)


def _answer(session: InferenceSession, picture: Floats) -> Floats:
    answer: Floats = session.run(None, {session.get_inputs()[0].name: picture})[0]
    return answer

"""Printed words by PP-OCR's networks, with the weights that the package rapidocr carries.

Only its files are used: rapidocr's own code loads from the net what it misses, and keeps the
state of a reading in the reader, so that threads would have to take turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import groupby, pairwise
from math import ceil, cos, prod, radians, sin
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from PIL import Image

from cim.ports.reading import PIXEL_LIMIT, Reading, Word
from cim.providers.calibration import RAPID, Calibration
from cim.providers.lines import Line, reading_of, turned_back
from cim.providers.pictures import grey_pages, tilt_of
from cim.providers.ppocr import Finder, Grey, Letter, Reader, Strip
from cim.providers.reading_order import Box, in_reading_order

__all__ = ["Rapid"]

# The shorter side of the picture in which lines are looked for. Measured from 512 to 1056 pixels
# on twenty till receipts, words found differ by .01; on a dense page, from 640 on, errors by .002.
_SHORT_SIDE = (608, 832)
# Looking takes some 0.2 GB for a million pixels: a longer page is looked at in slices.
_MOST_PIXELS = 1_300_000
_OVERLAP = 128
# Enlarging further shows nothing new.
_ENLARGED = 2.0
# A strip that is less sure than this is a picture or a smudge taken for print.
_NOISE = 0.5
# Print that is upside down is read with less.
_UNREADABLE = 0.85
_SAMPLE = 8
_LEVEL = 45.0
# The box of a short word may lie in any direction: it takes some long lines to tell the page's.
_TELLING = 4.0
_ENOUGH = 3
# The finder draws its boxes larger than the print, by these parts of their height at each side.
_BESIDE, _ABOVE = 0.2, 0.1
# From the middle of one letter to that of the next, in heights of the box: so far apart stand
# columns and cells, not words. And from a letter's middle to the edge of its box.
_GAP = 1.2
_ASIDE = 0.4


@dataclass(frozen=True)
class _Piece(Box):
    """What was read of a line, on the page turned so that its lines are level."""

    words: tuple[Word, ...]


class Rapid:
    """Reads pictures; fulfils `cim.ports.reading.Ocr`.

    A page is turned upright where that makes it sure; rows are put together by place.

    all_letters: also reads Chinese and Japanese, which stars and smudges are easily taken for.
    pixel_limit: pictures with more pixels a page are refused, by a `Failure`.
    calibration: from the network's own confidence to the share of words that are right.
    """

    def __init__(
        self,
        *,
        all_letters: bool = False,
        pixel_limit: int = PIXEL_LIMIT,
        calibration: Calibration = RAPID,
    ) -> None:
        # A worker has one core.
        cv2.setNumThreads(1)
        folder = _folder()
        self._finder = Finder(folder / "PP-OCRv6_det_small.onnx")
        self._reader = Reader(folder / "PP-OCRv6_rec_small.onnx", all_letters=all_letters)
        self._pixel_limit = pixel_limit
        self._calibration = calibration

    def read(self, picture: bytes) -> Reading:
        """The words of a picture file, page after page."""
        pages = enumerate(grey_pages(picture, self._pixel_limit), start=1)
        return reading_of(
            (self._read_page(np.asarray(image), number) for number, image in pages), self._calibration
        )

    def _read_page(self, page: Grey, number: int) -> list[Line]:
        turned, strips, degrees = page, self._find(page), 0
        if _run_upwards(strips):
            turned, degrees = np.rot90(page, 3), 270
            strips = self._find(turned)
        texts = [self._reader.letters(_cut(turned, strip)) for strip in strips]
        if _sureness(texts) < _UNREADABLE and self._is_upside_down(turned, strips):
            turned, degrees = np.rot90(turned, 2), (degrees + 180) % 360
            strips = self._find(turned)
            texts = [self._reader.letters(_cut(turned, strip)) for strip in strips]
        lines = _lines(_pieces(turned, strips, texts, number))
        if not degrees:
            return lines
        return [turned_back(line, degrees, page.shape[::-1], turned.shape[::-1]) for line in lines]

    def _find(self, page: Grey) -> list[Strip]:
        """The strips of print on a page; a long one is looked at in overlapping slices."""
        height, width = page.shape
        short = min(height, width)
        scale = min(_ENLARGED, max(1.0, _SHORT_SIDE[0] / short), _SHORT_SIDE[1] / short)
        if width > height:
            scale = min(scale, (_MOST_PIXELS / (width * height)) ** 0.5)
        small = _scaled(page, scale)
        return [
            replace(
                strip,
                x=strip.x / scale,
                y=(strip.y + cut.start) / scale,
                length=strip.length / scale,
                height=strip.height / scale,
            )
            for cut, own in _slices(*small.shape)
            for strip in self._finder.strips(small[cut.start : cut.stop])
            if own.start <= strip.y + cut.start < own.stop
        ]

    def _is_upside_down(self, page: Grey, strips: Sequence[Strip]) -> bool:
        sample = [_cut(page, strip) for strip in sorted(strips, key=lambda strip: -strip.length)[:_SAMPLE]]
        upright = [self._reader.letters(line) for line in sample]
        turned = [self._reader.letters(np.rot90(line, 2)) for line in sample]
        return _sureness(turned) > _sureness(upright)


def _folder() -> Path:
    found = find_spec("rapidocr")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            "rapidocr, which carries this reader's weights, is not installed: "
            "install composable-information-machine[rapidocr]"
        )
    return Path(found.origin).parent / "models"


def _scaled(page: Grey, scale: float) -> Grey:
    if scale == 1.0:
        return page
    size = tuple(max(1, round(side * scale)) for side in page.shape[::-1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(page, size, interpolation=way).astype(np.uint8, copy=False)


def _slices(height: int, width: int) -> Iterator[tuple[range, range]]:
    """The rows of each slice, and those of them whose strips are its own."""
    count = 1 if width > height else ceil(height * width / _MOST_PIXELS)
    edges = [round(height * number / count) for number in range(count + 1)]
    for number, (top, bottom) in enumerate(pairwise(edges), start=1):
        cut = range(max(0, top - _OVERLAP // 2), min(height, bottom + _OVERLAP // 2))
        # What the finder draws wide may lie a little above the first row or below the last one.
        yield cut, range(top if number > 1 else -height, bottom if number < count else 2 * height)


def _run_upwards(strips: Sequence[Strip]) -> bool:
    steep = sum(strip.length for strip in strips if abs(strip.climb) > _LEVEL)
    return steep > 0.5 * sum(strip.length for strip in strips)


def _cut(page: Grey, strip: Strip) -> Grey:
    """The picture of a strip, made level."""
    across, down = cos(radians(strip.climb)), sin(radians(strip.climb))
    width, height = max(1, round(strip.length)), max(1, round(strip.height))
    left = strip.x - across * width / 2 + down * height / 2
    top = strip.y - down * width / 2 - across * height / 2
    back = np.array([[across, -down, left], [down, across, top]], np.float32)
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    line = cv2.warpAffine(page, back, (width, height), flags=way, borderMode=cv2.BORDER_REPLICATE)
    return line.astype(np.uint8, copy=False)


def _sureness(texts: Sequence[Sequence[Letter]]) -> float:
    letters = [letter.confidence for letters in texts for letter in letters]
    return sum(letters) / len(letters) if letters else 0.0


def _tilt(page: Grey, strips: Sequence[Strip]) -> float:
    """The climb of most lines, in degrees."""
    level = [strip for strip in strips if abs(strip.climb) < _LEVEL]
    long = [strip.climb for strip in level if strip.length > _TELLING * strip.height]
    return median(long) if len(long) >= _ENOUGH else tilt_of(Image.fromarray(page))


def _pieces(
    image: Grey, strips: Sequence[Strip], texts: Sequence[Sequence[Letter]], page: int
) -> Iterator[_Piece]:
    """What was read in the strips that are print, on the page turned so that most are level."""
    tilt = _tilt(image, strips) if strips else 0.0
    size = image.shape[1], image.shape[0]
    across, down = cos(radians(tilt)), sin(radians(tilt))
    read = zip(strips, texts, strict=True)
    for strip, letters in (part for whole in read for part in _parts(*whole)):
        words = tuple(_words(letters, strip, size, page))
        if not words or _sureness([letters]) < _NOISE:
            continue
        x, y = strip.x * across + strip.y * down, strip.y * across - strip.x * down
        sides = strip.length, strip.height
        wide, high = sides if abs(strip.climb - tilt) <= _LEVEL else sides[::-1]
        wide, high = wide / 2 - _BESIDE * strip.height, high / 2 - _ABOVE * strip.height
        text = " ".join(word.text for word in words)
        yield _Piece(text, x - wide, y - high, x + wide, y + high, words)


def _parts(strip: Strip, letters: Sequence[Letter]) -> Iterator[tuple[Strip, list[Letter]]]:
    """The strip, parted where it has a wide gap: the finder sometimes reaches across two columns."""
    runs: list[list[Letter]] = []
    for letter in letters:
        if runs and (letter.text.isspace() or not _is_apart(runs[-1], letter, strip)):
            runs[-1].append(letter)
        elif not letter.text.isspace():
            runs.append([letter])
    if len(runs) == 1:
        yield strip, runs[0]
        return
    for run in runs:
        yield _part(strip, run)


def _is_apart(run: Sequence[Letter], letter: Letter, strip: Strip) -> bool:
    last = next(before.place for before in reversed(run) if not before.text.isspace())
    return (letter.place - last) * strip.length > _GAP * strip.height


def _part(strip: Strip, run: Sequence[Letter]) -> tuple[Strip, list[Letter]]:
    places = [letter.place for letter in run if not letter.text.isspace()]
    aside = _ASIDE * strip.height / strip.length
    left, right = max(0.0, places[0] - aside), min(1.0, places[-1] + aside)
    away = ((left + right) / 2 - 0.5) * strip.length
    part = replace(
        strip,
        x=strip.x + away * cos(radians(strip.climb)),
        y=strip.y + away * sin(radians(strip.climb)),
        length=(right - left) * strip.length,
    )
    return part, [replace(letter, place=(letter.place - left) / (right - left)) for letter in run]


def _words(letters: Sequence[Letter], strip: Strip, size: tuple[int, int], page: int) -> Iterator[Word]:
    for blank, word in groupby(letters, key=lambda letter: letter.text.isspace()):
        if not blank:
            yield _word(list(word), strip, size, page)


def _word(letters: Sequence[Letter], strip: Strip, size: tuple[int, int], page: int) -> Word:
    """The word of some letters; its confidence is the chance that all of them are right."""
    first, last = letters[0].place, letters[-1].place
    # Half a letter: the places are those of the letters' middles.
    half = (last - first) / (len(letters) - 1) / 2 if len(letters) > 1 else strip.height / strip.length / 4
    along = [(place - 0.5) * strip.length for place in (max(0.0, first - half), min(1.0, last + half))]
    up = (-strip.height / 2, strip.height / 2)
    right, down = cos(radians(strip.climb)), sin(radians(strip.climb))
    xs = [_share(strip.x + a * right - b * down, size[0]) for a in along for b in up]
    ys = [_share(strip.y + a * down + b * right, size[1]) for a in along for b in up]
    return Word(
        text="".join(letter.text for letter in letters),
        confidence=prod(letter.confidence for letter in letters),
        left=min(xs),
        top=min(ys),
        width=max(xs) - min(xs),
        height=max(ys) - min(ys),
        page=page,
    )


def _share(place: float, side: int) -> float:
    return min(1.0, max(0.0, place / side))


def _lines(pieces: Iterator[_Piece]) -> list[Line]:
    paragraphs = in_reading_order(list(pieces))
    return [
        Line(tuple(word for piece in row if isinstance(piece, _Piece) for word in piece.words), number)
        for number, rows in enumerate(paragraphs)
        for row in rows
    ]

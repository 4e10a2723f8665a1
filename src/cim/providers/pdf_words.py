"""The words that a page of a PDF carries itself, believed where a person sees the same.

What a file says and what it shows are two things: text may be invisible, white, covered by a picture,
beside the page, or in a font whose letters mean something else. So the page is drawn small, with its
text and without it, and only words that make a difference count.
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium

from cim.ports.reading import Word
from cim.providers.letters import are_words, is_no_letter
from cim.providers.reading_order import Box, in_reading_order

__all__ = ["OwnText", "own_text"]

Shades = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]

# A page is drawn this many pixels large to see what its parts show.
_DRAWN_PIXELS = 500_000
_DRAWN_SIDE = 4_000
_DIFFERENT = 40
# Fewer letters beside a drawing or a picture of this share of the page are its caption or a stamp on it.
_CAPTION = 400
_LARGE_PICTURE = 0.3
# A small part of the page (in cells) with print in it is a logo, a larger one has to be read.
_CELL = 16
_INKY, _SOLID = 0.02, 0.45
_MUCH_PRINT = 0.1
_DEPTH = 6
# A page of print has a tenth of them; a drawing made of letters has no order that is worth its time.
_MANY_WORDS = 10_000
_FINE = 1 << 20
_WHITE, _GREY = 255, 128


@dataclass(frozen=True, slots=True)
class OwnText:
    """A page's own text, and its words: those of the text, split at blanks, in their order."""

    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    """A word as PDFium has it: `box` in shares of the page as shown, `font` by its address,
    `quarter` the turns of 90 degrees clockwise in which it is written, `line` its line there."""

    text: str
    box: tuple[float, float, float, float]
    font: int
    quarter: int
    line: int


def own_text(page: pypdfium2.PdfPage, number: int) -> OwnText | None:
    """The page's own text; None where it has none, or none that can be believed to be all that it shows."""
    tokens = _tokens(page)
    if sum(len(token.text) for token in tokens) < 2:
        return None
    whole, bare = _shades(page), _shades(page, _parts(page, pdfium.FPDF_PAGEOBJ_TEXT))
    tokens = [token for token in tokens if _is_seen(token, whole, bare)]
    letters = sum(map(str.isalnum, "".join(token.text for token in tokens)))
    if letters < 2 or not _is_legible(tokens) or _is_told_by_pictures(page, whole, bare, letters):
        return None
    tokens = [cleaned for token in tokens if (cleaned := _cleaned(token)).text]
    return _laid_out(tokens, page.get_size(), number)


def _tokens(page: pypdfium2.PdfPage) -> list[_Token]:
    textpage = page.get_textpage()
    try:
        characters = list(_characters(page, textpage))
    finally:
        textpage.close()
    tokens: list[_Token] = []
    line = 0
    for is_blank, run in groupby(characters, key=lambda one: one.text.isspace()):
        group = list(run)
        if is_blank:
            line += any(one.text in "\r\n" for one in group)
            continue
        boxes = [one.box for one in group]
        box = (
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )
        text = "".join(one.text for one in group)
        tokens.append(_Token(text, box, group[0].font, group[0].quarter, line))
    return tokens


def _characters(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage) -> Iterator[_Token]:
    fonts: dict[int, int] = {}
    codes = [pdfium.FPDFText_GetUnicode(textpage, index) for index in range(textpage.count_chars())]
    index = 0
    while index < len(codes):
        text, taken = _character(codes, index)
        if text.isspace():
            yield _Token(text, (0, 0, 0, 0), 0, 0, 0)
        else:
            font = _font(textpage, index, fonts)
            if pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1:
                text = "\N{REPLACEMENT CHARACTER}"
            yield _Token(text, _box(page, textpage, index), font, _quarter(page, textpage, index), 0)
        index += taken


def _character(codes: list[int], index: int) -> tuple[str, int]:
    code = codes[index]
    if code == 2:  # PDFium's sign for a hyphen at the end of a line
        return "-", 1
    if 0xD800 <= code < 0xDC00 and index + 1 < len(codes) and 0xDC00 <= codes[index + 1] < 0xE000:
        return chr(0x10000 + ((code - 0xD800) << 10) + codes[index + 1] - 0xDC00), 2
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return "\N{REPLACEMENT CHARACTER}", 1
    return chr(code), 1


def _font(textpage: pypdfium2.PdfTextPage, index: int, known: dict[int, int]) -> int:
    part = pdfium.FPDFText_GetTextObject(textpage, index)
    address = _address(part)
    if address and address not in known:
        known[address] = _address(pdfium.FPDFTextObj_GetFont(part))
    return known.get(address, 0)


def _address(pointer: object) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0  # type: ignore[arg-type]


def _box(
    page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, index: int
) -> tuple[float, float, float, float]:
    loose = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(textpage, index, loose)
    first = _shown(page, loose.left, loose.top)
    second = _shown(page, loose.right, loose.bottom)
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(first, second, strict=True))
    return left, top, right, bottom


def _shown(page: pypdfium2.PdfPage, x: float, y: float) -> tuple[float, float]:
    """A place on the page as it is shown, cropped and turned; may lie outside."""
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, _FINE, _FINE, 0, x, y, across, down)
    return across.value / _FINE, down.value / _FINE


def _quarter(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, index: int) -> int:
    angle = float(pdfium.FPDFText_GetCharAngle(textpage, index))
    return (int(page.get_rotation()) // 90 + round(angle / (np.pi / 2))) % 4


def _parts(page: pypdfium2.PdfPage, kind: int) -> list[pypdfium2.PdfObject]:
    return list(page.get_objects(filter=[kind], max_depth=_DEPTH))


def _shades(
    page: pypdfium2.PdfPage, without: Iterable[pypdfium2.PdfObject] = (), paper: int = _WHITE
) -> Shades:
    """The page drawn small in grey, without some of its parts."""
    width, height = page.get_size()
    scale = min((_DRAWN_PIXELS / (width * height)) ** 0.5, _DRAWN_SIDE / max(width, height))
    left_out = list(without)
    for part in left_out:
        pdfium.FPDFPageObj_SetIsActive(part, False)
    bitmap = page.render(scale=scale, grayscale=True, fill_color=(paper, paper, paper, 255))
    try:
        return np.asarray(bitmap.to_numpy(), dtype=np.int16).reshape(bitmap.height, bitmap.width)
    finally:
        bitmap.close()
        for part in left_out:
            pdfium.FPDFPageObj_SetIsActive(part, True)


def _is_seen(token: _Token, whole: Shades, bare: Shades) -> bool:
    """Whether the page would look different without it, where it stands."""
    height, width = whole.shape
    left, top, right, bottom = token.box
    if left >= 1 or top >= 1 or right <= 0 or bottom <= 0:
        return False
    rows = slice(max(0, int(top * height)), int(bottom * height) + 1)
    columns = slice(max(0, int(left * width)), int(right * width) + 1)
    return bool((np.abs(whole[rows, columns] - bare[rows, columns]) > _DIFFERENT).any())


def _is_legible(tokens: Iterable[_Token]) -> bool:
    # Each font has a mapping of its own, so each is judged by itself.
    by_font: defaultdict[int, list[str]] = defaultdict(list)
    for token in tokens:
        by_font[token.font].append(token.text)
    return all(are_words(texts) for texts in by_font.values())


def _print_share(ink: Mask) -> float:
    """The share of the page's cells that have some ink, as print has it, and not full of it as photos are."""
    rows, columns = (max(1, side // _CELL) for side in ink.shape)
    cells = ink[: rows * _CELL, : columns * _CELL]
    height, width = cells.shape[0] // rows, cells.shape[1] // columns
    shares = cells[: rows * height, : columns * width].reshape(rows, height, columns, width).mean((1, 3))
    return float(((shares > _INKY) & (shares < _SOLID)).mean())


def _is_told_by_pictures(page: pypdfium2.PdfPage, whole: Shades, bare: Shades, letters: int) -> bool:
    """Whether a good part of what the page says stands in its pictures or drawings, not in its text."""
    pictures = _parts(page, pdfium.FPDF_PAGEOBJ_IMAGE)
    if pictures and _print_share(whole - _shades(page, pictures) < -_DIFFERENT) > _MUCH_PRINT:
        return True
    if letters >= _CAPTION:
        return False
    if _print_share(bare < np.percentile(bare, 90) - _DIFFERENT) > _MUCH_PRINT:
        return True
    # On grey, the white paper of a scan shows, too.
    apart = _shades(page, paper=_GREY) - _shades(page, pictures, _GREY) if pictures else np.zeros(1)
    return float((np.abs(apart) > _DIFFERENT).mean()) > _LARGE_PICTURE


def _cleaned(token: _Token) -> _Token:
    # What is no letter, such as the bullet of a symbol font, and what splits at blanks elsewhere.
    kept = "".join(one for one in token.text if not is_no_letter(one) and not one.isspace())
    return replace(token, text=kept)


def _laid_out(tokens: list[_Token], size: tuple[float, float], number: int) -> OwnText:
    by_quarter: defaultdict[int, list[_Token]] = defaultdict(list)
    for token in tokens:
        by_quarter[token.quarter].append(token)
    parts: list[list[list[_Token]]] = []
    # What is written across the others, such as a note at the edge, comes after them.
    for quarter, group in sorted(by_quarter.items(), key=lambda item: -len(item[1])):
        as_it_is = len(group) > _MANY_WORDS or _is_right_to_left(group)
        parts += _own_order(group) if as_it_is else _read_order(group, size, quarter)
    text = "\n\n".join("\n".join(" ".join(t.text for t in row) for row in part) for part in parts)
    words = tuple(_word(token, number) for part in parts for row in part for token in row)
    return OwnText(text, words)


def _is_right_to_left(tokens: Iterable[_Token]) -> bool:
    letters = "".join(token.text for token in tokens)
    return sum("\u0590" <= one <= "\u08ff" for one in letters) > len(letters) / 4


def _own_order(tokens: list[_Token]) -> list[list[list[_Token]]]:
    return [[list(row) for _, row in groupby(tokens, key=lambda token: token.line)]]


def _read_order(tokens: list[_Token], size: tuple[float, float], quarter: int) -> list[list[list[_Token]]]:
    boxes = {id(token): _upright(token, size, quarter) for token in tokens}
    back = {id(boxes[id(token)]): token for token in tokens}
    return [
        [[back[id(box)] for box in row] for row in part] for part in in_reading_order(list(boxes.values()))
    ]


def _upright(token: _Token, size: tuple[float, float], quarter: int) -> Box:
    """Its box, in points, on the page turned so that it stands upright."""
    width, height = size
    left, top, right, bottom = token.box
    left, right, top, bottom = left * width, right * width, top * height, bottom * height
    turned = (
        (left, top, right, bottom),
        (top, width - right, bottom, width - left),
        (width - right, height - bottom, width - left, height - top),
        (height - bottom, left, height - top, right),
    )
    return Box(token.text, *turned[quarter])


def _word(token: _Token, number: int) -> Word:
    left, top, right, bottom = (min(1.0, max(0.0, edge)) for edge in token.box)
    return Word(token.text, 1.0, left, top, right - left, bottom - top, number)

"""Papers that nobody wrote: drawn documents to try a machine with, and what is true of each.

Everything is made up, drawn with Pillow's built-in font, and the same to the bit for the same
seed and Pillow.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from cim.testing import paper_texts as said

__all__ = ["Paper", "draw_papers"]

_A4 = (1240, 1754)
_SLIP = (640, 1180)
_INK = (34, 36, 42)
_FAINT = (120, 124, 132)
_QUICKLY = 3
"""zlib's level: on grain the higher ones take twice the time and save nothing."""

_Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Paper:
    """A drawn document and what is true of it.

    `date` is ISO 8601, `total` a decimal number without a currency; both, and `company`, are
    None where the paper tells none.
    """

    path: Path
    title: str
    kind: str
    date: str | None
    total: str | None
    company: str | None


def draw_papers(folder: Path, seed: int = 1) -> list[Paper]:
    """Draw nine documents into a folder: letters, till slips, an invoice, a complaint, reports.

    One slip is crooked and dirty, one report is a PDF of two pages with real text. The seed
    sets the dirt and the tone of each paper, never its words.
    """
    return list(draw_one_by_one(folder, seed))


def draw_one_by_one(folder: Path, seed: int = 1) -> Iterator[Paper]:
    """The same papers, each given when it is drawn: all of them take a second or two."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, title, kind, facts, draw) in enumerate(_PAPERS):
        path = folder / name
        draw(path, random.Random(seed * 1000 + number))
        yield Paper(path, title, kind, facts.date, facts.total, facts.company)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError(
            "this Pillow has no FreeType, so it can't draw letters of any size: install its wheel"
        )
    return font


class _Sheet:
    """A paper with a pen that moves down the page."""

    def __init__(self, size: tuple[int, int], accent: _Colour, margin: int) -> None:
        self.image = Image.new("RGB", size, (253, 252, 249))
        self.draw = ImageDraw.Draw(self.image)
        self.accent = accent
        self.margin = margin
        self.width = size[0]
        self.y = margin

    def write(
        self, text: str, size: int, *, x: int | None = None, anchor: str = "la", bold: bool = False,
        colour: _Colour = _INK,
    ) -> None:  # fmt: skip
        """Write one line where the pen is; the pen stays."""
        place = (self.margin if x is None else x, self.y)
        weight = max(1, size // 34) if bold else 0
        self.draw.text(place, text, colour, _font(size), anchor, stroke_width=weight, stroke_fill=colour)

    def lines(self, texts: Iterable[str], size: int, *, x: int | None = None, colour: _Colour = _INK) -> None:
        for text in texts:
            self.write(text, size, x=x, colour=colour)
            self.down(round(size * 1.5))

    def paragraph(self, text: str, size: int = 27) -> None:
        """Write running text, broken at the right margin."""
        font = _font(size)
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if font.getlength(longer) > self.width - 2 * self.margin:
                self.lines([line], size)
                longer = word
            line = longer
        self.lines([line], size)
        self.down(size // 2)

    def columns(self, cells: Sequence[str], rights: Sequence[int], size: int, *, bold: bool = False) -> None:
        """Write a row: the first cell at the left margin, the others ending at `rights`."""
        self.write(cells[0], size, bold=bold)
        for cell, right in zip(cells[1:], rights, strict=True):
            self.write(cell, size, x=right, anchor="ra", bold=bold)
        self.down(round(size * 1.55))

    def rule(self, colour: _Colour = _FAINT, width: int = 2) -> None:
        self.draw.line((self.margin, self.y, self.width - self.margin, self.y), colour, width)
        self.down(18)

    def dashes(self) -> None:
        for left in range(self.margin, self.width - self.margin, 16):
            self.draw.line((left, self.y, left + 8, self.y), _FAINT, 2)
        self.down(18)

    def down(self, pixels: int) -> None:
        self.y += pixels

    def save(self, path: Path, chance: random.Random) -> None:
        """Save the sheet as a scanner sees it: a little grain on the paper."""
        _grained(self.image, chance, 10).save(path, "PNG", dpi=(150, 150), compress_level=_QUICKLY)


def _letter(words: said.Letter) -> Callable[[Path, random.Random], None]:
    def draw(path: Path, chance: random.Random) -> None:
        sheet = _Sheet(_A4, words.accent, 120)
        _letterhead(sheet, words.head, words.address)
        sheet.lines([*words.to, ""], 26)
        sheet.lines([words.date], 26)
        sheet.down(30)
        sheet.write(words.subject, 29, bold=True)
        sheet.down(70)
        for paragraph in words.paragraphs:
            sheet.paragraph(paragraph)
        sheet.down(20)
        sheet.lines(words.closing, 27)
        sheet.save(path, chance)

    return draw


def _letterhead(sheet: _Sheet, company: str, address: str) -> None:
    sheet.draw.rectangle((0, 0, sheet.width, 26), sheet.accent)
    right = sheet.width - sheet.margin
    sheet.draw.ellipse((right - 84, 96, right, 180), sheet.accent)
    sheet.draw.ellipse((right - 62, 118, right - 22, 158), (253, 252, 249))
    sheet.write(company, 44, bold=True, colour=sheet.accent)
    sheet.down(64)
    sheet.write(address, 21, colour=_FAINT)
    sheet.down(56)
    sheet.rule(sheet.accent, 3)
    sheet.down(40)


def _slip(words: said.Slip, *, crooked: bool = False) -> Callable[[Path, random.Random], None]:
    def draw(path: Path, chance: random.Random) -> None:
        sheet = _Sheet(_SLIP, words.accent, 48)
        middle, right = sheet.width // 2, sheet.width - sheet.margin
        sheet.write(words.head, 34, x=middle, anchor="ma", bold=True, colour=words.accent)
        sheet.down(56)
        for line in words.address:
            sheet.write(line, 22, x=middle, anchor="ma")
            sheet.down(34)
        sheet.down(16)
        sheet.lines(words.about, 23)
        sheet.dashes()
        for item, price in words.items:
            sheet.columns((item, price), (right,), 25)
        sheet.dashes()
        for label, sum_, bold in words.sums:
            sheet.columns((label, sum_), (right,), 32 if bold else 25, bold=bold)
        sheet.dashes()
        for line in words.farewell:
            sheet.write(line, 23, x=middle, anchor="ma")
            sheet.down(36)
        _bars(sheet, chance)
        if crooked:
            _crooked(sheet.image, chance).save(path, "PNG", dpi=(150, 150), compress_level=_QUICKLY)
        else:
            sheet.save(path, chance)

    return draw


def _bars(sheet: _Sheet, chance: random.Random) -> None:
    sheet.down(20)
    left = sheet.margin + 60
    while left < sheet.width - sheet.margin - 66:
        width = chance.choice((2, 2, 4, 6))
        sheet.draw.rectangle((left, sheet.y, left + width - 1, sheet.y + 56), _INK)
        left += width + chance.choice((3, 5))


def _invoice(words: said.Invoice) -> Callable[[Path, random.Random], None]:
    def draw(path: Path, chance: random.Random) -> None:
        sheet = _Sheet(_A4, words.accent, 120)
        right = sheet.width - sheet.margin
        _letterhead(sheet, words.head, words.address)
        sheet.write("INVOICE", 52, bold=True)
        sheet.down(100)
        top = sheet.y
        sheet.lines(words.to, 26)
        sheet.y = top
        for line in words.about:
            sheet.write(line, 26, x=right, anchor="ra")
            sheet.down(39)
        sheet.down(60)
        rights = (right - 330, right - 170, right)
        sheet.columns(("Description", "Qty", "Price", "Amount"), rights, 25, bold=True)
        sheet.rule(words.accent, 3)
        for row in words.rows:
            sheet.columns(row, rights, 26)
        sheet.rule()
        for label, sum_, bold in words.sums:
            sheet.write(label, 30 if bold else 26, x=right - 180, anchor="ra", bold=bold)
            sheet.write(sum_, 30 if bold else 26, x=right, anchor="ra", bold=bold)
            sheet.down(52)
        sheet.down(60)
        sheet.paragraph(words.terms, 24)
        sheet.save(path, chance)

    return draw


def _report(words: said.Report) -> Callable[[Path, random.Random], None]:
    def draw(path: Path, chance: random.Random) -> None:
        sheet = _Sheet(_A4, words.accent, 120)
        _letterhead(sheet, words.head, words.date)
        sheet.write(words.title, 42, bold=True)
        sheet.down(100)
        for heading, text in words.sections:
            sheet.write(heading, 31, bold=True, colour=words.accent)
            sheet.down(58)
            sheet.paragraph(text)
            sheet.down(14)
        _chart(sheet, words.bars)
        sheet.save(path, chance)

    return draw


def _chart(sheet: _Sheet, bars: Sequence[tuple[str, int]]) -> None:
    sheet.down(20)
    base, wide = sheet.y + 260, 150
    for number, (label, height) in enumerate(bars):
        left = sheet.margin + number * (wide + 60)
        sheet.draw.rectangle((left, base - height, left + wide, base), sheet.accent)
        sheet.y = base + 16
        sheet.write(label, 24, x=left + wide // 2, anchor="ma")


def _text_pdf(words: said.Report) -> Callable[[Path, random.Random], None]:
    def draw(path: Path, chance: random.Random) -> None:
        path.write_bytes(_pdf([said.pdf_page(words, sections) for sections in words.pages()]))

    return draw


def _pdf(pages: Sequence[Sequence[tuple[int, str]]]) -> bytes:
    """A PDF whose pages hold lines of (size, text) in Helvetica, from the top of A4 down."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in enumerate(pages):
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>"
        )
        drawn = "BT 72 770 Td\n"
        for size, text in lines:
            escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            drawn += f"/F1 {size} Tf ({escaped}) Tj 0 -{round(size * 1.6)} Td\n"
        objects.append(f"<< /Length {len(drawn) + 2} >>\nstream\n{drawn}ET\nendstream")
    content = "%PDF-1.4\n"
    places: list[int] = []
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    trailer = f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    return f"{content}xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode("latin-1")


def _grained(image: Image.Image, chance: random.Random, strength: int) -> Image.Image:
    grain = Image.frombytes("L", image.size, chance.randbytes(image.width * image.height))
    grain = grain.point([value * strength // 255 for value in range(256)])
    return ImageChops.subtract(image, Image.merge("RGB", (grain, grain, grain)))


def _crooked(image: Image.Image, chance: random.Random) -> Image.Image:
    """The sheet lying 4 degrees askew on a grey lid, soft, shaded and full of specks."""
    turned = image.rotate(4, Image.Resampling.BICUBIC, expand=True, fillcolor=(186, 184, 178))
    pen = ImageDraw.Draw(turned)
    for _ in range(300):
        x, y = chance.randrange(turned.width), chance.randrange(turned.height)
        tone = chance.randrange(60, 180)
        pen.ellipse((x, y, x + chance.randrange(3), y + chance.randrange(3)), (tone, tone, tone))
    shade = Image.linear_gradient("L").resize(turned.size).point([value * 50 // 255 for value in range(256)])
    shaded = ImageChops.subtract(turned, Image.merge("RGB", (shade, shade, shade)))
    return _grained(shaded.filter(ImageFilter.GaussianBlur(0.6)), chance, 30)


_PAPERS: tuple[tuple[str, str, str, said.Facts, Callable[[Path, random.Random], None]], ...] = (
    ("letter-offer.png", "An offer for garden paths", "letter", said.OFFER.facts, _letter(said.OFFER)),
    ("letter-thanks.png", "Thanks from the harbour", "letter", said.THANKS.facts, _letter(said.THANKS)),
    ("receipt-bakery.png", "Bread for the week", "receipt", said.BAKERY.facts, _slip(said.BAKERY)),
    ("receipt-hardware.png", "Screws and a lamp", "receipt", said.HARDWARE.facts, _slip(said.HARDWARE)),
    ("receipt-crooked.png", "Lunch for two", "receipt", said.LUNCH.facts, _slip(said.LUNCH, crooked=True)),
    ("invoice-studio.png", "Invoice for the new sign", "invoice", said.SIGN.facts, _invoice(said.SIGN)),
    ("complaint-oven.png", "The oven that will not heat", "complaint", said.OVEN.facts, _letter(said.OVEN)),
    ("report-bees.png", "How the bees came through winter", "report", said.BEES.facts, _report(said.BEES)),
    (
        "report-water.pdf",
        "Water quality of the north lakes",
        "report",
        said.LAKES.facts,
        _text_pdf(said.LAKES),
    ),
)

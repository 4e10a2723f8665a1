"""PDF files by PDFium (Chromium's PDF engine, through pypdfium2)."""

from __future__ import annotations

import io
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2
import pypdfium2.raw as pdfium

from cim.domain.errors import Failure
from cim.ports.reading import Page

__all__ = ["Pdfium"]

_POINTS_AN_INCH = 72.0
_NO_PAGES = re.compile(rb"/Count\s+0\b")
_A_PAGE = re.compile(rb"/Type\s*/Page\b")
# A page without a single word of two letters says nothing, or not in letters.
_TWO_LETTERS = re.compile(r"\w\w")

# PDFium is not thread-safe, anywhere, so the whole process has one lock. It can be taken
# again by its own thread, because the garbage collector may close a forgotten file there.
_one_at_a_time = threading.RLock()


class Pdfium:
    """Text and pictures of PDF pages; fulfils `cim.ports.reading.Pdf`.

    dpi:         resolution of the pictures that `pages` makes for reading.
    pixel_limit: a larger page is pictured at a lower resolution.
    page_limit:  a file with more pages is refused, by a `Failure`.
    """

    def __init__(self, *, dpi: int = 300, pixel_limit: int = 16_000_000, page_limit: int = 1_000) -> None:
        self._dpi = dpi
        self._pixel_limit = pixel_limit
        self._page_limit = page_limit

    def pages(self, content: bytes) -> Iterator[Page]:
        """The pages in their order; the lock is free between two of them."""
        with _opened(content) as document:
            count = len(document)
            if count > self._page_limit:
                raise Failure(
                    f"The PDF has {count} pages; {self._page_limit} are the limit. "
                    "Split it and hand in the parts."
                )
            for number in range(1, count + 1):
                with _page(document, number) as page:
                    text = _text(page)
                    made = Page(number, text, None if text else self._scan(page))
                yield made

    def picture(self, content: bytes, page: int, width: int) -> bytes:
        """A PNG of one page, `width` pixels wide unless that passes the pixel limit."""
        if width < 1:
            raise ValueError(f"width is {width}: give the pixels, 1 or more")
        with _opened(content) as document:
            if not 1 <= page <= len(document):
                raise Failure(f"The PDF has no page {page}: it has {len(document)}.")
            with _page(document, page) as opened:
                return self._picture(opened, width / opened.get_width())

    def _scan(self, page: pypdfium2.PdfPage) -> bytes:
        return self._picture(page, self._dpi / _POINTS_AN_INCH)

    def _picture(self, page: pypdfium2.PdfPage, scale: float) -> bytes:
        width, height = page.get_size()
        scale = min(scale, math.sqrt(self._pixel_limit / (width * height)))
        bitmap = page.render(scale=scale, grayscale=False, may_draw_forms=True)
        try:
            png = io.BytesIO()
            # Level 1: the picture is read once; time counts for more than bytes.
            bitmap.to_pil().save(png, "PNG", compress_level=1)
            return png.getvalue()
        finally:
            bitmap.close()


@contextmanager
def _opened(content: bytes) -> Iterator[pypdfium2.PdfDocument]:
    with _one_at_a_time:
        try:
            document = pypdfium2.PdfDocument(content)
            count = len(document)
        except pypdfium2.PdfiumError as error:
            raise Failure(_cause(error, content)) from error
    try:
        if count == 0:
            raise Failure("The PDF has no pages. Export it again.")
        yield document
    finally:
        with _one_at_a_time:
            document.close()


@contextmanager
def _page(document: pypdfium2.PdfDocument, number: int) -> Iterator[pypdfium2.PdfPage]:
    with _one_at_a_time:
        try:
            page = document[number - 1]
        except pypdfium2.PdfiumError as error:
            raise Failure(f"Page {number} of the PDF is damaged. Export it again.") from error
        try:
            if min(page.get_size()) <= 0:
                raise Failure(f"Page {number} of the PDF has no size. Export it again.")
            yield page
        except pypdfium2.PdfiumError as error:
            raise Failure(f"Page {number} of the PDF can't be drawn. Export it again.") from error
        finally:
            page.close()


def _text(page: pypdfium2.PdfPage) -> str:
    """The page's own text; "" where there is none that a person would see the same way."""
    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range()
        if not _TWO_LETTERS.search(text) or _is_mostly_picture(page, text):
            return ""
        return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()
    finally:
        textpage.close()


def _is_mostly_picture(page: pypdfium2.PdfPage, text: str) -> bool:
    # A scan with a typed caption or stamp: the caption alone would hide what the scan says.
    if len(text) > 400:
        return False
    area = math.prod(page.get_size())
    covered = 0.0
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4):
        left, bottom, right, top = item.get_bounds()
        covered += abs(right - left) * abs(top - bottom)
    return bool(covered > area * 0.3)


def _cause(error: pypdfium2.PdfiumError, content: bytes) -> str:
    # A file without pages is refused with whatever error the process met before, so the
    # content is asked first, and again before a password is blamed.
    if _NO_PAGES.search(content) and not _A_PAGE.search(content):
        return "The PDF has no pages. Export it again."
    code = getattr(error, "err_code", None)
    if code == pdfium.FPDF_ERR_PASSWORD and b"/Encrypt" in content:
        return "The PDF is encrypted. Hand in a copy without a password."
    if code == pdfium.FPDF_ERR_SECURITY and b"/Encrypt" in content:
        return "The PDF is locked in a way that is not supported. Print it to a new PDF."
    return "The PDF is damaged or is no PDF at all. Export it again."

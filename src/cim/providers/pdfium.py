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
from cim.providers.pdf_words import own_text

__all__ = ["Pdfium"]

_POINTS_AN_INCH = 72.0
_NO_PAGES = re.compile(rb"/Count\s+0\b")
_A_PAGE = re.compile(rb"/Type\s*/Page\b")
# What reads pictures can't take a longer side.
_LONGEST_SIDE = 16_000

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
                yield self._made(document, number)

    def picture(self, content: bytes, page: int, width: int) -> bytes:
        """A PNG of one page, `width` pixels wide unless that passes the pixel limit."""
        if width < 1:
            raise ValueError(f"width is {width}: give the pixels, 1 or more")
        with _opened(content) as document:
            if not 1 <= page <= len(document):
                raise Failure(f"The PDF has no page {page}: it has {len(document)}.")
            with _page(document, page) as opened:
                return self._picture(opened, width / opened.get_width())

    def _made(self, document: pypdfium2.PdfDocument, number: int) -> Page:
        with _page(document, number) as page:
            own = own_text(page, number)
            if own is None:
                return Page(number, "", self._scan(page))
            return Page(number, own.text, None, own.words)

    def _scan(self, page: pypdfium2.PdfPage) -> bytes:
        return self._picture(page, self._dpi / _POINTS_AN_INCH)

    def _picture(self, page: pypdfium2.PdfPage, scale: float) -> bytes:
        width, height = page.get_size()
        most = math.sqrt(self._pixel_limit / (width * height))
        scale = min(scale, most, _LONGEST_SIDE / max(width, height))
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
            page = _with_its_notes(document, number)
        except pypdfium2.PdfiumError as error:
            raise Failure(f"Page {number} of the PDF is damaged. Export it again.") from error
        try:
            if not all(0 < side < math.inf for side in page.get_size()):
                raise Failure(f"Page {number} of the PDF has no size. Export it again.")
            yield page
        except pypdfium2.PdfiumError as error:
            raise Failure(f"Page {number} of the PDF can't be drawn. Export it again.") from error
        finally:
            page.close()


def _with_its_notes(document: pypdfium2.PdfDocument, number: int) -> pypdfium2.PdfPage:
    """The page, with what is filled into its form or noted on it made part of it."""
    page = document[number - 1]
    if pdfium.FPDFPage_GetAnnotCount(page) > 0:
        changed = pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        if changed == pdfium.FLATTEN_SUCCESS:
            page.close()
            page = document[number - 1]
    return page


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

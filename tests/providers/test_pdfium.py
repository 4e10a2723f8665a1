import ctypes
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pypdfium2
import pypdfium2.raw as raw
import pytest
from PIL import Image

from cim.domain.errors import Failure
from cim.ports.reading import Pdf
from cim.providers.pdfium import Pdfium
from cim.testing.papers import draw_papers


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    papers = draw_papers(tmp_path_factory.mktemp("papers"))
    return next(paper.path for paper in papers if paper.path.suffix == ".pdf").read_bytes()


@pytest.fixture(scope="module")
def scan(note: Image.Image) -> bytes:
    file = io.BytesIO()
    note.save(file, "PDF", resolution=150, save_all=True, append_images=[note])
    return file.getvalue()


def test_text_where_there_is_text(pdf: Pdfium, report: bytes) -> None:
    fulfilled: Pdf = pdf
    pages = list(fulfilled.pages(report))
    assert [page.number for page in pages] == [1, 2]
    assert "Water quality of the north lakes" in pages[0].text
    assert "Findings" in pages[1].text
    assert "\r" not in pages[0].text
    assert [page.picture for page in pages] == [None, None]


def test_a_picture_at_300_dpi_where_there_is_none(pdf: Pdfium, scan: bytes) -> None:
    pages = list(pdf.pages(scan))
    assert [(page.number, page.text) for page in pages] == [(1, ""), (2, "")]
    assert pages[0].picture is not None
    with Image.open(io.BytesIO(pages[0].picture)) as picture:
        assert picture.format == "PNG"
        assert picture.size == pytest.approx((1800, 1200), abs=1)


def test_pictures_stay_below_the_pixel_limit(scan: bytes) -> None:
    page = next(Pdfium(pixel_limit=500_000).pages(scan))
    assert page.picture is not None
    with Image.open(io.BytesIO(page.picture)) as picture:
        assert 450_000 < picture.width * picture.height < 505_000


def test_a_preview_has_the_width_that_was_asked(pdf: Pdfium, report: bytes) -> None:
    with Image.open(io.BytesIO(pdf.picture(report, 2, 400))) as picture:
        assert picture.width == pytest.approx(400, abs=1)
        assert picture.height == pytest.approx(400 * 842 / 595, abs=2)


def test_a_page_that_is_not_there_fails_in_words(pdf: Pdfium, report: bytes) -> None:
    with pytest.raises(Failure, match="no page 3: it has 2"):
        pdf.picture(report, 3, 400)


@pytest.mark.parametrize("content", [b"", b"no pdf", b"%PDF-1.4\n"])
def test_what_is_no_pdf_fails_in_words(pdf: Pdfium, content: bytes) -> None:
    with pytest.raises(Failure, match="damaged or is no PDF"):
        list(pdf.pages(content))


def test_an_encrypted_file_fails_by_name(pdf: Pdfium, report: bytes) -> None:
    # The encryption dictionary alone makes the file ask for a password.
    asking = report.replace(
        b"/Root 1 0 R",
        b"/Root 1 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>] /Encrypt "
        b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"11" * 32 + b"> /U <" + b"22" * 32 + b"> >>",
    )
    with pytest.raises(Failure, match="encrypted"):
        list(pdf.pages(asking))


def test_a_file_without_pages_fails_by_name(pdf: Pdfium) -> None:
    file = io.BytesIO()
    empty = pypdfium2.PdfDocument.new()
    empty.save(file)
    empty.close()
    with pytest.raises(Failure, match="no pages"):
        list(pdf.pages(file.getvalue()))


def test_too_many_pages_fail_with_both_figures(scan: bytes) -> None:
    with pytest.raises(Failure, match="2 pages; 1 are the limit"):
        list(Pdfium(page_limit=1).pages(scan))


def test_threads_share_one_lock_and_a_forgotten_iterator_holds_it_not(
    pdf: Pdfium, report: bytes, scan: bytes
) -> None:
    waiting = pdf.pages(scan)
    next(waiting)
    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda file: len(list(pdf.pages(file))), [report, scan] * 6))
    assert counts == [2, 2] * 6


@pytest.mark.parametrize("folder", ["hostile", "pages"])
def test_every_real_file_ends_in_pages_or_a_failure(
    pdf: Pdfium, shared: Callable[[str], Path], folder: str
) -> None:
    for file in sorted(shared(folder).glob("*.pdf")):
        started = time.process_time()
        if file.name == "invalid.pdf":
            with pytest.raises(Failure, match="damaged"):
                list(pdf.pages(file.read_bytes()))
            continue
        pages = list(pdf.pages(file.read_bytes()))
        assert pages, file.name
        assert all(bool(page.text) != bool(page.picture) for page in pages), file.name
        assert time.process_time() - started < 30, file.name


def test_a_scan_with_a_typed_stamp_is_pictured(pdf: Pdfium, scan: bytes) -> None:
    document = pypdfium2.PdfDocument(scan)
    page = document[0]
    stamp = raw.FPDFPageObj_NewTextObj(document.raw, b"Helvetica", 20.0)
    text = ctypes.create_string_buffer("Received".encode("utf-16-le") + b"\0\0")
    raw.FPDFText_SetText(stamp, ctypes.cast(text, raw.FPDF_WIDESTRING))
    raw.FPDFPage_InsertObject(page.raw, stamp)
    raw.FPDFPage_GenerateContent(page.raw)
    file = io.BytesIO()
    document.save(file)
    document.close()
    stamped = next(pdf.pages(file.getvalue()))
    assert stamped.picture is not None
    assert stamped.text == ""


def test_letters_without_a_meaning_are_pictured(pdf: Pdfium, shared: Callable[[str], Path]) -> None:
    page = next(pdf.pages((shared("hostile") / "truetype_font_nomapping.pdf").read_bytes()))
    assert page.text == ""
    assert page.picture is not None

"""What a page of a PDF says itself: where, in which order, and when it is not to be believed."""

import io

import numpy as np
import pytest
from PIL import Image

from cim.domain.errors import Failure
from cim.ports.reading import Page
from cim.providers.pdfium import Pdfium
from cim.testing.pdf_files import encrypted, pdf_page, picture, stream, text_at

LINES = (
    "The lakes of the north were measured in spring",
    "and again in autumn by the same three people.",
    "Nothing that they found was out of the usual,",
    "so that the next visit is planned for the year",
    "after the next one, when the bridge is ready.",
)


def first_page(pdf: Pdfium, content: bytes) -> Page:
    return next(pdf.pages(content))


def written(*lines: str, x: float = 60, y: float = 760, size: float = 12, state: str = "") -> bytes:
    return b"".join(text_at(x, y - 1.3 * size * row, line, size, state) for row, line in enumerate(lines))


def print_of(width: int, height: int) -> bytes:
    """A picture object that looks like a printed page: dark strokes on paper."""
    pixels = np.full((height, width), 255, np.uint8)
    for top in range(20, height - 20, 16):
        pixels[top : top + 6, 20 : width - 20 : 5] = 0
    return picture(pixels.tobytes(), width, height)


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize("box", [b"", b"/CropBox [40 300 500 800]"])
def test_the_words_lie_over_their_ink_however_the_page_is_turned_and_cropped(
    pdf: Pdfium, turned: int, box: bytes
) -> None:
    page = b"/MediaBox [0 0 595 842] /Rotate %d %b" % (turned, box)
    content = pdf_page(written(*LINES), page)
    found = first_page(pdf, content)
    assert [word.text for word in found.words] == found.text.split() == " ".join(LINES).split()
    with Image.open(io.BytesIO(pdf.picture(content, 1, 900))) as image:
        ink = np.asarray(image.convert("L")) < 128
    inside = np.zeros_like(ink)
    for word in found.words:
        rows = slice(int(word.top * ink.shape[0]), round((word.top + word.height) * ink.shape[0]) + 1)
        columns = slice(int(word.left * ink.shape[1]), round((word.left + word.width) * ink.shape[1]) + 1)
        assert ink[rows, columns].any(), word
        inside[rows, columns] = True
    assert not (ink & ~inside).any(), "ink beside the boxes"
    assert inside.mean() < 0.3


def test_text_written_upwards_is_read_as_a_line_and_its_words_stand_above_each_other(pdf: Pdfium) -> None:
    up = b"".join(
        text_at(0, 0, line, state=f"0 1 -1 0 {100 + 20 * row} 100 Tm") for row, line in enumerate(LINES)
    )
    found = first_page(pdf, pdf_page(up))
    assert found.text.split("\n") == list(LINES)
    first, second = found.words[:2]
    assert second.top < first.top
    assert second.left == pytest.approx(first.left, abs=0.01)


def test_columns_are_read_one_after_the_other_also_where_the_file_writes_row_by_row(pdf: Pdfium) -> None:
    right = tuple(line.upper() for line in LINES)
    drawn = text_at(60, 800, "A heading that runs over the whole of the page and both columns of it", 14)
    for row, (one, other) in enumerate(zip(LINES, right, strict=True)):
        drawn += text_at(60, 760 - 14 * row, one, 9) + text_at(300, 757 - 14 * row, other, 9)
    lines = first_page(pdf, pdf_page(drawn)).text.split("\n")
    assert lines[0].startswith("A heading")
    assert [line for line in lines[1:] if line] == [*LINES, *right]


def test_a_label_and_its_amount_are_one_row_also_where_the_file_writes_column_by_column(pdf: Pdfium) -> None:
    labels = ("Two large coffees with milk", "One slice of lemon cake", "A bottle of still water", "Total")
    amounts = ("7.80", "4.20", "2.50", "14.50")
    drawn = written(*labels) + written(*amounts, x=450)
    text = first_page(pdf, pdf_page(drawn)).text
    assert text.split("\n") == [f"{label} {amount}" for label, amount in zip(labels, amounts, strict=True)]


@pytest.mark.parametrize("trick", ["3 Tr", "1 g", "1 0 0 1 900 0 Tm", "1 0 0 1 0 -1500 Tm"])
def test_what_nobody_sees_is_not_read(pdf: Pdfium, trick: str) -> None:
    hidden = b"q " + written("Pay 9999.00 to somebody else at once please", y=300, state=trick) + b" Q\n"
    assert first_page(pdf, pdf_page(hidden + written(*LINES))).text.split("\n") == list(LINES)
    alone = first_page(pdf, pdf_page(hidden))
    assert (alone.text, alone.picture is None) == ("", False)


def test_text_under_a_scan_is_read_by_picture(pdf: Pdfium) -> None:
    scan = b"q 595 0 0 842 0 0 cm /Im Do Q\n"
    for drawn in (written(*LINES) + scan, scan + written(*LINES, state="3 Tr")):
        found = first_page(
            pdf, pdf_page(drawn, resources=b"/XObject << /Im 5 0 R >>", more=[print_of(600, 850)])
        )
        assert (found.text, found.picture is None) == ("", False)


@pytest.mark.parametrize(("height", "by_picture"), [(400, True), (40, False)])
def test_much_print_in_a_picture_is_read_with_the_text_and_a_logo_is_not(
    pdf: Pdfium, height: int, by_picture: bool
) -> None:
    drawn = written(*LINES * 4, size=11) + b"q 400 0 0 %d 60 40 cm /Im Do Q\n" % height
    more = [print_of(400, height)]
    found = first_page(pdf, pdf_page(drawn, resources=b"/XObject << /Im 5 0 R >>", more=more))
    assert (found.picture is not None) == by_picture


def test_a_photo_beside_much_text_leaves_the_text_as_it_is(pdf: Pdfium) -> None:
    shades = np.tile(np.linspace(20, 160, 400), (300, 1)).astype(np.uint8)
    drawn = written(*LINES * 4, size=11) + b"q 450 0 0 350 60 40 cm /Im Do Q\n"
    more = [picture(shades.tobytes(), 400, 300)]
    found = first_page(pdf, pdf_page(drawn, resources=b"/XObject << /Im 5 0 R >>", more=more))
    assert found.text.split() == " ".join(LINES * 4).split()


def shifted(line: str, by: int) -> str:
    return "".join(chr(33 + (ord(one) - 33 + by) % 94) if one != " " else one for one in line)


@pytest.mark.parametrize("by", [1, 3, 13, 65])
def test_letters_shifted_by_a_font_are_read_by_picture(pdf: Pdfium, by: int) -> None:
    found = first_page(pdf, pdf_page(written(*(shifted(line, by) for line in LINES))))
    assert (found.text, found.picture is None) == ("", False)


def mapped(first: bytes, last: bytes, to: bytes) -> bytes:
    """A page whose font maps its letters from ``first`` to ``last`` to those from ``to`` on."""
    table = (
        b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange "
    )
    table += b"1 beginbfrange <%b> <%b> <%b> endbfrange endcmap end" % (first, last, to)
    font = b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >> >>"
    return pdf_page(written(*LINES), resources=font, more=[stream(table)])


@pytest.mark.parametrize(
    ("first", "to"), [(b"21", b"e021"), (b"21", b"0004"), (b"21", b"fffd"), (b"70", b"e070")]
)
def test_letters_mapped_to_none_are_read_by_picture(pdf: Pdfium, first: bytes, to: bytes) -> None:
    found = first_page(pdf, mapped(first, b"7e", to))
    assert (found.text, found.picture is None) == ("", False)


def test_letters_mapped_to_themselves_are_read(pdf: Pdfium) -> None:
    assert first_page(pdf, mapped(b"21", b"7e", b"0021")).text.split("\n") == list(LINES)


def test_glyph_numbers_are_no_words(pdf: Pdfium) -> None:
    assert first_page(pdf, pdf_page(written("(cid:12)(cid:44)(cid:7) and (cid:9)"))).text == ""


def test_a_user_password_is_told_and_an_owner_password_hinders_nobody(pdf: Pdfium) -> None:
    with pytest.raises(Failure, match=r"encrypted\. Hand in a copy without a password"):
        first_page(pdf, encrypted(written(*LINES), user=b"secret", owner=b"other"))
    found = first_page(pdf, encrypted(written(*LINES), user=b"", owner=b"other"))
    assert found.text.split("\n") == list(LINES)


def test_what_is_filled_into_a_form_is_read_with_the_form(pdf: Pdfium) -> None:
    page = b"/MediaBox [0 0 595 842] /Annots [5 0 R]"
    field = (
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /Rect [300 695 500 715] /AP << /N 6 0 R >> >>"
    )
    font = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    look = b"/Type /XObject /Subtype /Form /BBox [0 0 200 20] /Resources " + font
    content = pdf_page(
        text_at(60, 700, "Name of the guest:"),
        page,
        more=[field, stream(text_at(2, 5, "Ada Lovelace"), look)],
    )
    assert first_page(pdf, content).text == "Name of the guest: Ada Lovelace"

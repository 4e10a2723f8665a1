"""PDFs with bytes changed, lost or doubled: each ends in pages or in a failure, and no process crashes.

``benches/harmed_pdfs.py`` does the same with any folder of files, and many more ways.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from cim.testing.pdf_files import encrypted, pdf_page, picture, stream, text_at
from harmed_pdfs import AT_ONCE, run_in_process

LINES = b"".join(text_at(60, 760 - 16 * row, f"Line {row} of a page of print") for row in range(30))
FIELD = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /Rect [60 60 300 90] /AP << /N 6 0 R >> >>"
LOOK = b"/Type /XObject /Subtype /Form /BBox [0 0 240 30]"
FILES = {
    "text": pdf_page(LINES),
    "form": pdf_page(
        LINES, b"/MediaBox [0 0 595 842] /Annots [5 0 R]", more=[FIELD, stream(b"0 0 99 9 re f", LOOK)]
    ),
    "locked": encrypted(LINES, user=b"", owner=b"owner"),
    "scan": pdf_page(
        b"595 0 0 842 0 0 cm /Im Do",
        resources=b"/XObject << /Im 5 0 R >>",
        more=[picture(bytes(range(256)) * 100, 160, 160)],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_harmed_file_is_read_or_fails(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.pdf"
    file.write_bytes(FILES[name])
    ends, _ = run_in_process(file, range(AT_ONCE))
    assert ends["failure"] + ends["text"] + ends["picture"] == AT_ONCE, ends
    assert ends["failure"] < AT_ONCE, "harm that leaves nothing tries nothing"


@pytest.mark.parametrize("name", ["tagged.pdf", "vector.pdf", "skew.pdf"])
def test_a_real_file_harmed_is_read_or_fails(shared: Callable[[str], Path], name: str) -> None:
    ends, _ = run_in_process(shared("pages") / name, range(12))
    assert set(ends) <= {"failure", "text", "picture"}, ends

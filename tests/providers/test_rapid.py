from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from cim.domain.errors import Failure
from cim.ports.reading import Ocr

if TYPE_CHECKING:
    from cim.providers.rapid import Rapid

LINES = ["Harbour Coffee Ltd", "Two large coffees", "Total 12.40"]
LEFT = (
    "Every harbour keeps a",
    "ledger of the boats that",
    "came in during the night",
    "and went out at dawn.",
)
RIGHT = (
    "The keeper of the ledger",
    "writes down each of them",
    "by name and by cargo so",
    "that nothing is lost.",
)


def as_file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def lines_of(body: str) -> list[str]:
    return [line for line in body.splitlines() if line]


def test_reads_lines_with_their_places(rapid: Rapid, note_file: bytes) -> None:
    fulfilled: Ocr = rapid
    reading = fulfilled.read(note_file)
    assert lines_of(reading.body) == LINES
    assert reading.confidence > 0.85
    total = next(word for word in reading.words if word.text == "Total")
    assert total.page == 1
    assert total.left == pytest.approx(80 / 900, abs=0.02)
    assert total.top == pytest.approx(310 / 600, abs=0.03)
    assert 0.08 < total.width < 0.16
    assert all(0 <= word.confidence <= 1 for word in reading.words)


@pytest.mark.parametrize("degrees", [90, 180, 270, 4, -25])
def test_turns_a_page_upright_and_tells_places_on_the_page_as_it_came(
    rapid: Rapid, note: Image.Image, degrees: int
) -> None:
    turned = note.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    reading = rapid.read(as_file(turned))
    assert lines_of(reading.body) == LINES
    total = next(word for word in reading.words if word.text == "Total")
    there = Image.new("L", note.size, 0)
    there.paste(255, (80, 310, 200, 350))
    mark = there.rotate(degrees, expand=True).getbbox()
    assert mark is not None
    assert total.left == pytest.approx(mark[0] / turned.width, abs=0.04)
    assert total.top == pytest.approx(mark[1] / turned.height, abs=0.04)


def test_a_price_far_from_its_name_stands_in_its_line(rapid: Rapid) -> None:
    image = Image.new("L", (900, 500), 255)
    pen, letters = ImageDraw.Draw(image), ImageFont.load_default(30)
    for row, (name, price) in enumerate((("Bread", "2.50"), ("Butter", "3.80"), ("Total", "6.30"))):
        pen.text((60, 80 + 90 * row), name, 0, letters)
        pen.text((760, 80 + 90 * row), price, 0, letters)
    tilted = image.rotate(3, Image.Resampling.BICUBIC, fillcolor=255)
    assert lines_of(rapid.read(as_file(tilted)).body) == ["Bread 2.50", "Butter 3.80", "Total 6.30"]


def test_columns_of_running_text_are_read_one_after_the_other(rapid: Rapid) -> None:
    image = Image.new("L", (1000, 500), 255)
    pen, letters = ImageDraw.Draw(image), ImageFont.load_default(32)
    gutter = 40 + max(letters.getlength(line) for line in LEFT) + 50
    for row, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)):
        pen.text((40, 100 + 60 * row), left, 0, letters)
        pen.text((gutter, 100 + 60 * row), right, 0, letters)
    assert rapid.read(as_file(image)).body.split() == " ".join([*LEFT, *RIGHT]).split()


@pytest.mark.parametrize("turn", [0, 90])
def test_a_long_roll_is_read_in_slices_and_no_line_twice(rapid: Rapid, turn: int) -> None:
    image = Image.new("L", (400, 3600), 255)
    pen, letters = ImageDraw.Draw(image), ImageFont.load_default(40)
    expected = [f"Bread {number}.50" for number in range(100, 140)]
    for row, text in enumerate(expected):
        pen.text((40, 50 + 88 * row), text, 0, letters)
    assert lines_of(rapid.read(as_file(image.rotate(turn, expand=True))).body) == expected


def test_reads_all_pages_of_a_tiff(rapid: Rapid, note: Image.Image) -> None:
    blank = Image.new("RGB", (300, 200), "white")
    file = as_file(note, "TIFF", save_all=True, append_images=[blank, note])
    reading = rapid.read(file)
    assert [word.page for word in reading.words] == [1] * 8 + [3] * 8
    assert [word.text for word in reading.words] == reading.body.split()


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (400, 300)])
def test_a_blank_paper_has_no_words(rapid: Rapid, size: tuple[int, int]) -> None:
    reading = rapid.read(as_file(Image.new("L", size, 255)))
    assert (reading.body, reading.confidence, reading.words) == ("", 0, ())


@pytest.mark.parametrize("content", [b"", b"Dear Sir, I am no picture"])
def test_what_is_no_picture_fails_with_a_cause(rapid: Rapid, content: bytes) -> None:
    with pytest.raises(Failure, match="picture"):
        rapid.read(content)


def test_threads_read_at_once_what_one_reads_alone(rapid: Rapid, note: Image.Image) -> None:
    files = [as_file(note.crop((0, 0, 900 - 90 * cut, 600))) for cut in range(4)]
    alone = [rapid.read(file) for file in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(rapid.read, files * 2)) == alone * 2


def test_the_words_of_real_receipts_are_those_of_the_body(
    rapid: Rapid, shared: Callable[[str], Path]
) -> None:
    for scan in sorted(shared("receipts").glob("*.page.jpg"))[::10]:
        reading = rapid.read(scan.read_bytes())
        assert [word.text for word in reading.words] == reading.body.split()
        truth = scan.with_name(scan.name.replace("page.jpg", "box.csv")).read_text(encoding="utf-8")
        true = " ".join(line.split(",", 8)[8] for line in truth.splitlines()).upper().split()
        found = set(reading.body.upper().split())
        assert sum(word in found for word in true) > 0.6 * len(true), scan.name


ALONE = """
import re, sys
reached = []
sys.addaudithook(lambda name, told: reached.append((name, told)) if name.startswith("socket.") else None)
from cim.providers.rapid import Rapid
print(Rapid().read(open(sys.argv[1], "rb").read()).body)
assert not reached, reached
assert "rapidocr" not in sys.modules, "only its weights are wanted"
# Not ru_maxrss: a child inherits that of the process that started it.
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.usefixtures("needs_rapid")
def test_a_roll_of_16_megapixels_is_read_within_900_megabytes_and_without_the_net(tmp_path: Path) -> None:
    page = Image.new("L", (1000, 16000), 255)
    pen, letters = ImageDraw.Draw(page), ImageFont.load_default(40)
    expected = [f"Paragraph {row} of a long roll" for row in range(8)]
    for row, text in enumerate(expected):
        pen.text((100, 300 + 1800 * row), text, 0, letters)
    page.save(tmp_path / "page.png")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, tmp_path / "page.png"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    *body, peak = lines_of(done.stdout)
    assert body == expected
    assert int(peak) < 900

import io
import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from cim.domain.errors import Failure
from cim.ports.reading import Ocr, Word
from cim.providers.calibration import TESSERACT, Calibration
from cim.providers.tesseract import Tesseract

TEXT = "Harbour Coffee Ltd Two large coffees Total 12.40"


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_reads_lines_with_their_places(ocr: Tesseract, note_file: bytes) -> None:
    fulfilled: Ocr = ocr
    reading = fulfilled.read(note_file)
    assert reading.body.split() == TEXT.split()
    assert reading.confidence > 0.85
    total = next(word for word in reading.words if word.text == "Total")
    assert total.page == 1
    assert total.left == pytest.approx(80 / 900, abs=0.02)
    assert total.top == pytest.approx(310 / 600, abs=0.03)
    assert 0.05 < total.width < 0.2
    assert all(0 <= word.confidence <= 1 for word in reading.words)


@pytest.mark.parametrize("degrees", [90, 180, 270, 4, -5, 94])
def test_turns_a_page_upright_and_tells_places_on_the_page_as_it_came(
    ocr: Tesseract, note: Image.Image, degrees: int
) -> None:
    turned = note.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    reading = ocr.read(saved(turned))
    assert "Harbour Coffee Ltd" in reading.body
    assert "Total 12.40" in reading.body
    total = next(word for word in reading.words if word.text == "Total")
    there = Image.new("L", note.size, 0)
    there.paste(255, (80, 310, 200, 350))
    mark = there.rotate(degrees, expand=True).getbbox()
    assert mark is not None
    assert total.left == pytest.approx(mark[0] / turned.width, abs=0.04)
    assert total.top == pytest.approx(mark[1] / turned.height, abs=0.04)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "I;16", "F"])
def test_reads_every_mode_of_picture(ocr: Tesseract, note: Image.Image, mode: str) -> None:
    if mode == "I;16":
        image = note.convert("I").point(lambda value: value * 200).convert("I;16")
    else:
        image = note.convert(mode)
    assert "Total 12.40" in ocr.read(saved(image, "TIFF")).body


def test_what_is_transparent_is_paper(ocr: Tesseract, note: Image.Image) -> None:
    ink = note.convert("L").point([255 - value for value in range(256)])
    drawn = Image.new("RGBA", note.size, (0, 0, 0, 0))
    drawn.putalpha(ink)
    assert "Total 12.40" in ocr.read(saved(drawn)).body


def test_honours_the_orientation_that_a_camera_noted(ocr: Tesseract, note: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    reading = ocr.read(saved(note.rotate(90, expand=True), "JPEG", exif=exif))
    total = next(word for word in reading.words if word.text == "Total")
    assert total.left == pytest.approx(80 / 900, abs=0.02)


def test_reads_all_pages_of_a_tiff(ocr: Tesseract, note: Image.Image) -> None:
    reading = ocr.read(saved(note, "TIFF", save_all=True, append_images=[note]))
    assert {word.page for word in reading.words} == {1, 2}
    assert reading.body.count("Total 12.40") == 2


def test_a_dark_lid_does_not_hide_faint_print(ocr: Tesseract, note: Image.Image) -> None:
    faint = note.convert("L").point([160 + value // 3 for value in range(256)])
    lid = Image.new("L", (1020, 760), 4)
    lid.paste(faint, (60, 80))
    assert "Total 12.40" in ocr.read(saved(lid)).body


def test_reads_light_print_on_dark_ground(ocr: Tesseract, note: Image.Image) -> None:
    assert "Total 12.40" in ocr.read(saved(ImageOps.invert(note))).body


def test_a_blank_page_says_nothing(ocr: Tesseract) -> None:
    for size in ((600, 800), (1, 1), (3, 2000)):
        reading = ocr.read(saved(Image.new("L", size, 255)))
        assert (reading.body, reading.confidence, reading.words) == ("", 0.0, ())


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"", "empty"), (b"no picture", "no picture"), (b"\x89PNG\r\n\x1a\nrest", "no picture")],
)
def test_what_is_no_picture_fails_in_words(ocr: Tesseract, content: bytes, cause: str) -> None:
    with pytest.raises(Failure, match=cause):
        ocr.read(content)


def test_a_cut_off_picture_fails_in_words(ocr: Tesseract, note_file: bytes) -> None:
    with pytest.raises(Failure, match="damaged"):
        ocr.read(note_file[: len(note_file) // 2])


def test_a_picture_over_the_limit_fails_with_both_figures(note_file: bytes) -> None:
    with pytest.raises(Failure, match=r"900 x 600 pixels; 0\.4 million"):
        Tesseract(pixel_limit=400_000).read(note_file)


def test_a_bomb_is_refused_before_it_is_unpacked(ocr: Tesseract) -> None:
    with pytest.raises(Failure, match="too large"):
        ocr.read(saved(Image.new("1", (20_000, 20_000))))


def test_threads_read_at_once(ocr: Tesseract, note_file: bytes) -> None:
    with ThreadPoolExecutor(4) as threads:
        bodies = list(threads.map(lambda _: ocr.read(note_file).body, range(8)))
    assert len(set(bodies)) == 1


def test_a_language_without_pinned_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="tlh"):
        Tesseract(language="tlh")


def test_columns_are_read_one_after_the_other(ocr: Tesseract, shared: Callable[[str], Path]) -> None:
    pages = shared("pages")
    body = ocr.read((pages / "linn.png").read_bytes()).body
    true = set((pages / "linn.txt").read_text(encoding="utf-8").split())
    assert len(true & set(body.split())) > 0.9 * len(true)
    assert body.index("FAST FORWARD") < body.index("unwanted sections")
    assert "RECORD and PLAY,\nthen play" in body


def test_words_are_those_of_the_body_in_their_order(ocr: Tesseract, shared: Callable[[str], Path]) -> None:
    scans = sorted(shared("receipts").glob("*.page.jpg"))
    for scan in [*scans[::8], shared("pages") / "linn.png"]:
        reading = ocr.read(scan.read_bytes())
        assert [word.text for word in reading.words] == reading.body.split(), scan.name


def test_large_letters_are_read_as_well_as_small_ones(ocr: Tesseract, shared: Callable[[str], Path]) -> None:
    scan = shared("receipts") / "087.page.jpg"
    with Image.open(scan) as image:
        large = image.convert("L").resize((image.width * 3, image.height * 3), Image.Resampling.BICUBIC)
    true, read = (Counter(ocr.read(content).body.split()) for content in (scan.read_bytes(), saved(large)))
    assert (true & read).total() > 0.85 * true.total()


@pytest.mark.parametrize("degrees", [95, 170])
def test_a_page_is_turned_upright_and_made_level_and_its_words_stand_where_they_are_seen(
    ocr: Tesseract, shared: Callable[[str], Path], degrees: int
) -> None:
    scan = shared("receipts") / "563.page.jpg"
    with Image.open(scan) as image:
        turned = image.convert("L").rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
        size = image.size
    level, found = ocr.read(scan.read_bytes()), ocr.read(saved(turned))
    true, read = (Counter(reading.body.split()) for reading in (level, found))
    assert (true & read).total() > 0.7 * true.total()
    once = [word for word in level.words if true[word.text] == read[word.text] == 1]
    where = {word.text: middle(word, turned.size) for word in found.words}
    apart = [
        math.dist(seen_turned(middle(word, size), size, turned.size, degrees), where[word.text])
        for word in once
    ]
    assert len(apart) > 20
    assert max(apart) < 0.02 * max(turned.size), "in pixels"


def middle(word: Word, size: tuple[int, int]) -> tuple[float, float]:
    return (word.left + word.width / 2) * size[0], (word.top + word.height / 2) * size[1]


def seen_turned(
    place: tuple[float, float], size: tuple[int, int], turned: tuple[int, int], degrees: float
) -> tuple[float, float]:
    """Where a place of a page is seen after the page was turned counter-clockwise about its middle."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = place[0] - size[0] / 2, place[1] - size[1] / 2
    return across * cos + down * sin + turned[0] / 2, down * cos - across * sin + turned[1] / 2


def test_white_print_on_black_is_read_too(ocr: Tesseract, shared: Callable[[str], Path]) -> None:
    scan = shared("receipts") / "563.page.jpg"
    with Image.open(scan) as image:
        inverse = ImageOps.invert(image.convert("L"))
    true, read = (Counter(ocr.read(content).body.split()) for content in (scan.read_bytes(), saved(inverse)))
    assert (true & read).total() > 0.9 * true.total()


def test_confidence_goes_through_the_calibration(ocr: Tesseract, note_file: bytes) -> None:
    raw = Tesseract(calibration=Calibration(((0.0, 0.0), (1.0, 1.0)))).read(note_file)
    halved = Tesseract(calibration=Calibration(((0.0, 0.0), (1.0, 0.5)))).read(note_file)
    assert [word.confidence for word in halved.words] == pytest.approx(
        [word.confidence / 2 for word in raw.words]
    )
    assert halved.confidence == pytest.approx(raw.confidence / 2)
    assert [word.confidence for word in ocr.read(note_file).words] == pytest.approx(
        [TESSERACT(word.confidence) for word in raw.words]
    )

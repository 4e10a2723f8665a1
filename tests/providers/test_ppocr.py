from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

LETTERS = ["", "N", "o", "7", " "]

pytestmark = pytest.mark.usefixtures("needs_rapid")


def said(*columns: dict[str, float]) -> str:
    """What is read from columns that each name the chances of some letters."""
    from cim.providers.ppocr import decoded

    chances = np.zeros((len(columns), len(LETTERS)), np.float32)
    for row, column in zip(chances, columns, strict=True):
        for letter, chance in column.items():
            row[LETTERS.index(letter)] = chance
    return "".join(letter.text for letter in decoded(chances, LETTERS, len(columns)))


def test_a_letter_over_two_columns_is_one_and_over_a_gap_two() -> None:
    assert said({"N": 0.9}, {"o": 0.9}, {"o": 0.8}, {"": 0.9}, {"o": 0.9}) == "Noo"


def test_a_blank_that_was_nearly_seen_is_one() -> None:
    assert said({"o": 0.9}, {"": 0.6, " ": 0.35}, {"7": 0.9}) == "o 7"
    assert said({"o": 0.9}, {"": 0.9, " ": 0.05}, {"7": 0.9}) == "o7"
    assert said({"o": 0.9}, {" ": 0.9}, {"7": 0.6, " ": 0.3}) == "o 7"


def test_finds_a_line_with_its_climb_and_reads_its_letters_where_they_stand() -> None:
    from cim.providers.ppocr import Finder, Reader
    from cim.providers.rapid import _folder

    line = Image.new("L", (640, 320), 255)
    ImageDraw.Draw(line).text((120, 140), "Total 12.40", 0, ImageFont.load_default(40))
    page = np.asarray(line.rotate(10, Image.Resampling.BICUBIC, fillcolor=255))
    (strip,) = Finder(_folder() / "PP-OCRv6_det_small.onnx").strips(page)
    assert strip.climb == pytest.approx(-10, abs=2)
    assert 180 < strip.length < 320
    level = np.asarray(line)[130:195, 115:345]
    letters = Reader(_folder() / "PP-OCRv6_rec_small.onnx", all_letters=False).letters(level)
    assert "".join(letter.text for letter in letters) == "Total 12.40"
    places = [letter.place for letter in letters]
    assert places == sorted(places)
    assert places[0] == pytest.approx(15 / 230, abs=0.06)
    assert places[-1] == pytest.approx(205 / 230, abs=0.06)


def test_other_weights_are_refused_before_they_are_loaded(tmp_path: Path) -> None:
    from cim.providers.ppocr import Finder

    other = tmp_path / "PP-OCRv6_det_small.onnx"
    other.write_bytes(b"not the network")
    with pytest.raises(ValueError, match=r"PP-OCRv6_det_small\.onnx has SHA-256"):
        Finder(other)

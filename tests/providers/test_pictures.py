import numpy as np
import pytest
from PIL import Image, ImageOps

from cim.providers.pictures import dark_on_light, even_light, inked_part, resized, tilt_of, without_grain


@pytest.mark.parametrize("degrees", [-12, -5, -2, 3, 6])
def test_the_tilt_of_a_page_is_told(note: Image.Image, degrees: int) -> None:
    turned = note.convert("L").rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    assert tilt_of(turned) == pytest.approx(-degrees, abs=0.5)


def test_a_level_page_and_a_blank_one_are_left_alone(note: Image.Image) -> None:
    assert tilt_of(note.convert("L")) == 0.0
    assert tilt_of(Image.new("L", (400, 300), 255)) == 0.0
    assert tilt_of(Image.new("L", (1, 1), 255)) == 0.0


def test_shaded_paper_becomes_white_and_print_stays_dark(note: Image.Image) -> None:
    shade = Image.linear_gradient("L").resize(note.size).point([110 + value // 2 for value in range(256)])
    shaded = Image.fromarray(np.asarray(note.convert("L")) // 2 + np.asarray(shade) // 2)
    even = np.asarray(even_light(shaded))
    assert np.median(even) > 240
    assert even.min() < 170


def test_the_lid_around_the_paper_becomes_white() -> None:
    scan = Image.new("L", (800, 800), 5)
    scan.paste(230, (160, 160, 640, 640))
    assert np.asarray(even_light(scan))[8:100, 8:792].min() > 250


def test_only_grainy_pictures_are_smoothed(note: Image.Image) -> None:
    clean = note.convert("L")
    assert without_grain(clean) is clean
    grain = np.random.default_rng(1).integers(0, 60, (600, 900))
    noisy = Image.fromarray(np.clip(np.asarray(clean) - grain, 0, 255).astype(np.uint8))
    assert np.asarray(without_grain(noisy)).std() < np.asarray(noisy).std()
    little = Image.fromarray(np.clip(np.asarray(clean) - grain // 10, 0, 255).astype(np.uint8))
    assert without_grain(little) is little


def test_nothing_becomes_smaller_than_a_pixel() -> None:
    assert resized(Image.new("L", (1, 900)), 0.1).size == (1, 90)


def test_a_shadow_is_no_lid() -> None:
    scan = Image.new("L", (800, 800), 230)
    scan.paste(105, (0, 400, 800, 800))
    scan.paste(30, (300, 600, 500, 620))
    even = np.asarray(even_light(scan))
    assert even[605:615, 310:490].max() < 120
    assert even[700:780, 20:780].min() > 240


def test_the_sample_of_a_page_lies_where_its_print_is() -> None:
    page = Image.new("L", (1000, 1000), 255)
    page.paste(0, (40, 900, 300, 960))
    sample = inked_part(page)
    assert sample.size == (600, 600)
    assert np.count_nonzero(np.asarray(sample) == 0) == 260 * 60
    assert inked_part(Image.new("L", (1, 1), 255)).size == (1, 1)


def test_white_print_on_black_is_turned_about_and_a_page_on_a_dark_table_is_not(note: Image.Image) -> None:
    grey = note.convert("L")
    assert dark_on_light(grey) is grey
    assert np.array_equal(np.asarray(dark_on_light(ImageOps.invert(grey))), np.asarray(grey))
    table = Image.new("L", (note.width * 3, note.height * 3), 20)
    table.paste(grey, (note.width, note.height))
    assert dark_on_light(table) is table

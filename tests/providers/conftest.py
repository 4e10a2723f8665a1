"""The providers, each made once: loading takes longer than most tests."""

from __future__ import annotations

import io
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw, ImageFont

from cim.providers.minilm import MiniLM
from cim.providers.pdfium import Pdfium
from cim.providers.tesseract import Tesseract

if TYPE_CHECKING:
    from cim.providers.rapid import Rapid


@pytest.fixture(scope="session")
def ocr() -> Tesseract:
    return Tesseract()


@pytest.fixture(scope="session")
def needs_rapid() -> None:
    """Skips by name where the extra is not installed; in CI the test goes on, and fails."""
    if find_spec("rapidocr") is None and os.environ.get("CI") != "true":
        pytest.skip("needs the extra: install composable-information-machine[rapidocr]")


@pytest.fixture(scope="session")
def rapid(needs_rapid: None) -> Rapid:
    from cim.providers.rapid import Rapid

    return Rapid()


@pytest.fixture(scope="session")
def pdf() -> Pdfium:
    return Pdfium()


@pytest.fixture(scope="session")
def embedding() -> MiniLM:
    return MiniLM()


@pytest.fixture(scope="session")
def note() -> Image.Image:
    """A drawn note of three lines, 900 x 600 pixels."""
    image = Image.new("RGB", (900, 600), "white")
    pen = ImageDraw.Draw(image)
    for row, text in enumerate(("Harbour Coffee Ltd", "Two large coffees", "Total 12.40")):
        pen.text((80, 120 + 90 * row), text, (20, 20, 20), ImageFont.load_default(48))
    return image


def as_file(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="session")
def note_file(note: Image.Image) -> bytes:
    return as_file(note)

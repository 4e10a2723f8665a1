"""The providers, each made once: loading takes longer than most tests."""

import io

import pytest
from PIL import Image, ImageDraw, ImageFont

from cim.providers.minilm import MiniLM
from cim.providers.pdfium import Pdfium
from cim.providers.tesseract import Tesseract


@pytest.fixture(scope="session")
def ocr() -> Tesseract:
    return Tesseract()


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

"""Contracts for reading: words from a picture, pages from a PDF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from cim.domain.capability import Capability

__all__ = ["PIXEL_LIMIT", "Ocr", "Page", "Pdf", "Reading", "Word"]

PIXEL_LIMIT = 60_000_000
"""Pixels that a page of a picture may have: A4 at 600 dpi is 35 million. More costs memory that a small
host does not have."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, and where it stands on its page.

    `confidence` runs from 0 to 1 and is calibrated: of many words with 0.9, nine in ten are
    read right. `left`, `top`, `width` and `height` are shares of the
    page, 0 to 1, from its upper left corner, so that they hold at every size the page is
    shown in. `page` counts from 1.
    """

    text: str
    confidence: float
    left: float
    top: float
    width: float
    height: float
    page: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a picture says.

    `body` is the text in reading order, a line of the paper a line of the body, an empty
    line between paragraphs; a blank paper has the body "". `words` are those of the body,
    split at blanks, in their order. `confidence` runs from 0 to 1: the mean over the words,
    each weighed by its length; 0 for a blank paper.
    """

    body: str
    confidence: float
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a PDF: its text where it carries text, else a picture of it.

    `number` counts from 1. `words` are those of `text`, split at blanks, in their order, each
    with its place; empty where their places can't be told. `picture` is a PNG, and there only
    where the text is missing or can't be trusted; then it is the picture that has to be read.
    """

    number: int
    text: str
    picture: bytes | None
    words: tuple[Word, ...] = ()


class Ocr(Capability, Protocol):
    """Reads printed words from pictures.

    Safe to call from several threads at once.
    """

    def read(self, picture: bytes) -> Reading:
        """The words in a picture file (JPEG, PNG, TIFF, WebP, ...), all its pages.

        Raises `Failure` when the picture can't be read, with a cause for a person.
        """
        ...


class Pdf(Capability, Protocol):
    """Opens PDF files.

    Safe to call from several threads at once.
    """

    def pages(self, content: bytes) -> Iterator[Page]:
        """The pages of a PDF in their order, one at a time.

        Raises `Failure`, while it is iterated, when the file can't be read: it is
        encrypted, broken, or has no pages.
        """
        ...

    def picture(self, content: bytes, page: int, width: int) -> bytes:
        """A PNG of one page, `width` pixels wide; `page` counts from 1.

        Raises `Failure` when the file or the page can't be read.
        """
        ...

"""Where each word of a text stands, as content that is kept beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from cim.ports.reading import Word

__all__ = ["MEDIA", "packed", "unpacked"]

MEDIA = "application/json"


def packed(words: Iterable[Word]) -> bytes:
    """The words as a JSON array, each ``[text, confidence, left, top, width, height, page]``.

    Places are shares of the page to four digits: half a millimetre on a page of five metres.
    """
    rows = [[word.text, *(round(share, 4) for share in _shares(word)), word.page] for word in words]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def unpacked(content: bytes) -> tuple[Word, ...]:
    """The words that :func:`packed` wrote."""
    return tuple(Word(*row) for row in json.loads(content))


def _shares(word: Word) -> tuple[float, ...]:
    return word.confidence, word.left, word.top, word.width, word.height

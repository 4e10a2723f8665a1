"""Whether letters can be what they say: a font without a mapping gives letters that no language has."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Iterable

__all__ = ["are_words", "is_no_letter"]

# How often a letter stands in text of the languages of Europe, in a thousand, rounded: high enough for
# each of them, as it is only to tell text from letters put at random or shifted.
_OFTEN = {
    **{"e": 130, "a": 90, "i": 75, "n": 75, "r": 65, "s": 65, "t": 65, "o": 65, "l": 45, "d": 42, "u": 42},
    **{"m": 30, "c": 30, "p": 27, "g": 22, "h": 28, "k": 18, "b": 16, "v": 14, "f": 13, "z": 11, "w": 11},
    **{"y": 12, "j": 6, "q": 4, "x": 4},
}
_SURPRISE = {letter: -math.log(often / 1000) for letter, often in _OFTEN.items()}
# The mean of text is about 2.85, of letters put at random 3.7.
_TOO_STRANGE = 3.3
_ENOUGH = 40
_COMMON_SIGNS = ".,:;-'()/%\"_"
_MANY_SIGNS = 0.15
# Some bullets of a symbol font do no harm.
_NO_LETTERS = 0.1
_REPEATED = re.compile(r"(.)\1{2,}")
_GLYPH_NUMBER = re.compile(r"\(cid:\d+\)")


def is_no_letter(character: str) -> bool:
    """Whether it is none that can be read: private use, control, unassigned, or the sign for "unknown"."""
    return character == "\N{REPLACEMENT CHARACTER}" or unicodedata.category(character) in (
        "Cc",
        "Co",
        "Cn",
        "Cs",
    )


def are_words(tokens: Iterable[str]) -> bool:
    """Whether tokens, all of one font, can be text that a person wrote.

    Letters other than Latin ones are taken as they are.
    """
    # A row of dots or dashes leads the eye and says nothing.
    whole = _REPEATED.sub(r"\1", "".join(tokens))
    if not whole:
        return True
    if _GLYPH_NUMBER.search(whole):
        return False
    if sum(map(is_no_letter, whole)) > _NO_LETTERS * len(whole):
        return False
    signs = sum(one in string.punctuation and one not in _COMMON_SIGNS for one in whole)
    if len(whole) >= _ENOUGH and signs > _MANY_SIGNS * len(whole):
        return False
    return _strangeness(whole) < _TOO_STRANGE


def _strangeness(whole: str) -> float:
    """The mean surprise at its Latin letters; 0 where they are too few to tell."""
    plain = unicodedata.normalize("NFKD", whole).casefold()
    surprises = [_SURPRISE[letter] for letter in plain if letter in _SURPRISE]
    return sum(surprises) / len(surprises) if len(surprises) >= _ENOUGH else 0.0

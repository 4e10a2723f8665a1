"""The label words of business papers, recognised through the mistakes of OCR."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["read_words"]

# Words that decide something; long enough ones are recognised with one letter wrong.
_KNOWN = frozenset({
    "TOTAL", "SUBTOTAL", "GRAND", "PAYABLE", "AMOUNT", "BALANCE", "ROUNDED", "ROUNDING", "CHANGE",
    "CASHIER", "QUANTITY", "ITEMS", "DISCOUNT", "SUMMARY", "EXCLUDING", "EXCLUSIVE", "INCLUDING",
    "INCLUSIVE", "INCLUDED", "INCLUDES", "SAVINGS", "TENDERED", "TENDER", "PAYMENT", "RECEIVED",
    "MASTERCARD", "MASTER", "ADJUSTMENT", "SUPPLIES", "POINTS", "INVOICE", "RECEIPT", "SALES", "SERVICE",
    "PRINTED", "DELIVERY", "EXPIRY",
})  # fmt: skip
_SAME = {"NET": "NETT", "TOTALS": "TOTAL", "AMOUNTS": "AMOUNT"}
_AS_LETTER = str.maketrans("015843|!$", "OISBAEIIS")
_WORD = re.compile(r"[A-Za-z0-9!$][A-Za-z0-9|!$'-]*")


def read_words(line: str) -> frozenset[str]:
    """The words of a line in capitals, label words put right: "T0TAI:" gives TOTAL."""
    return frozenset(_read_word(word) for word in _WORD.findall(line))


@lru_cache(maxsize=4096)
def _read_word(word: str) -> str:
    plain = word.upper().replace("-", "").replace("'", "")
    if plain.isdigit():
        return plain
    plain = plain.translate(_AS_LETTER) if any(letter.isalpha() for letter in plain) else plain
    plain = _SAME.get(plain, plain)
    if len(plain) < 5 or plain in _KNOWN:
        return plain
    return next((known for known in sorted(_KNOWN) if _is_one_edit_away(plain, known)), plain)


def _is_one_edit_away(word: str, known: str) -> bool:
    """Whether one letter put in, left out or changed makes the one of the other."""
    if abs(len(word) - len(known)) > 1:
        return False
    same = 0
    while same < min(len(word), len(known)) and word[same] == known[same]:
        same += 1
    longer = max(len(word), len(known))
    tail = longer - same - 1
    if len(word) == len(known):
        return word[same + 1 :] == known[same + 1 :]
    long, short = (word, known) if len(word) > len(known) else (known, word)
    return tail <= 0 or long[same + 1 :] == short[same:]

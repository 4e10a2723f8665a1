"""Sums of money in a line of text, read through the mistakes of OCR."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

__all__ = ["find_amounts", "find_torn_amount"]

_CURRENCY = r"(?:R[MNHK]|MYR|USD|EUR|GBP|SGD|CHF|AUD|CAD|[$€£¥])"
# Thousands may be grouped by a point, a comma, an apostrophe or a blank; before the cents
# stands a point or a comma, and OCR likes to put blanks around it.
_AMOUNT = re.compile(
    rf"""(?:{_CURRENCY}\s?|(?<![\d.,/:\#%]))
    (?P<sign>[-(]\s?)?(?:{_CURRENCY}\s?)?
    (?P<whole>\d{{1,3}}(?P<group>[,.' ])\d{{3}}(?!\d)(?:(?P=group)\d{{3}}(?!\d))*|\d{{1,7}}|(?=[.,]\d))
    \s?[.,]\s?(?P<cents>\d{{2}})
    (?!\d|[.,/:]\d|\s?%)""",
    re.VERBOSE | re.IGNORECASE,
)
_WHOLE = re.compile(
    rf"{_CURRENCY}\s?(?P<whole>\d{{1,3}}(?:[,']\d{{3}})+|\d{{1,7}})(?![\d.,/:%-])", re.IGNORECASE
)
_TORN = re.compile(r"(?<![\d.,/:#%-])(?P<whole>\d{1,4}) ?(?P<cents>\d{2})\W*$")
# Letters that were digits, only where a digit or a decimal point is next to them.
_LETTER = re.compile(r"(?<=[\d.,])[OoQDlI|SB](?=[\d.,]|\b)|(?<![A-Za-z])[OoIl|](?=[.,]\d\d\b)")
_AS_DIGIT = str.maketrans("OoQDlI|SB", "000011158")


def find_amounts(line: str) -> Iterator[Decimal]:
    """The sums on a line from left to right, "RM80. 90" as 80.90; below zero where a minus stands.

    Sums without cents count only with a currency before them, and only where no sum has
    cents.
    """
    line = _LETTER.sub(lambda match: match.group().translate(_AS_DIGIT), line)
    found = False
    for match in _AMOUNT.finditer(line):
        found = True
        value = Decimal(f"{_digits(match['whole']) or '0'}.{match['cents']}")
        yield -value if match["sign"] else value
    if not found:
        for match in _WHOLE.finditer(line):
            yield Decimal(_digits(match["whole"]))


def find_torn_amount(line: str) -> Decimal | None:
    """The sum at the end of a line whose decimal point was not read: "92 80" or "9280" as 92.80."""
    match = _TORN.search(_LETTER.sub(lambda letter: letter.group().translate(_AS_DIGIT), line))
    return Decimal(f"{match['whole']}.{match['cents']}") if match else None


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)

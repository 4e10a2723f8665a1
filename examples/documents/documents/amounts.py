"""Sums of money in a line of text, read through the mistakes of OCR."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["Amount", "find_amounts", "find_torn_amount", "find_whole_amounts"]


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum and where it stands in its line.

    `torn`: where its cents begin was guessed. `whole`: no cents are printed.
    """

    value: Decimal
    start: int
    end: int
    torn: bool = False
    whole: bool = False


_CURRENCY = (
    r"(?:(?<![A-Za-z])(?:R[MNHKAE]|MYR|USD|EUR|GBP|SGD|CHF|AUD|CAD|NZD|INR|IDR|Rp|Rs|JPY|THB|PHP|HKD|CNY|SEK"
    r"|NOK|DKK|PLN|Fr)\.?|[$€£¥₹₩₱฿])"
)
# Thousands may be grouped by a point, a comma, an apostrophe or a blank; before the cents
# stands a point or a comma, and OCR likes to put blanks around it.
_AMOUNT = re.compile(
    rf"""(?:{_CURRENCY}\s?|(?<![\d.,/\#%])(?<!\d:))
    (?P<sign>[-(~]\s?)?(?:{_CURRENCY}\s?)?
    (?P<whole>\d{{1,3}}(?P<group>[,.' ])\d{{3}}(?!\d)(?:(?P=group)\d{{3}}(?!\d))*|\d{{1,7}}|(?=[.,]\d))
    \s?[.,]\s?(?P<cents>\d{{2}})
    (?!\d|[.,/:]\d|\s?%)""",
    re.VERBOSE | re.IGNORECASE,
)
_WHOLE = r"(?P<whole>\d{1,3}(?:[,'.]\d{3})+|\d{1,8})"
_WHOLE_OF_A_CURRENCY = re.compile(
    rf"{_CURRENCY}\s?{_WHOLE}(?![\d.,/:%-])|(?<![\d.,/:#%-]){_WHOLE.replace('whole', 'before')}\s?"
    r"(?:[€円元₫]|EUR|USD|KR|FT|K[CČ]|DH)(?![A-Z])",
    re.IGNORECASE,
)
_WHOLE_ALONE = re.compile(rf"(?<![\w.,/:#%-]){_WHOLE}(?![\w.,/:%-]|\s?%)")
_TORN = re.compile(
    r"(?<![\d.,/:#%-])(?P<whole>\d{1,4})[ :;_*~'\"\u00ab\u00b0\u00b7\u2019\u2022-]{0,2}(?P<cents>\d{2})\W*$"
)
# Letters that were digits, only where a digit or a decimal point is next to them, or in what
# is a number but for them.
_LETTER = re.compile(r"(?<=[\d.,])[OoQDlI|SB](?=[\d.,]|\b)|(?<![A-Za-z])[OoIl|](?=[.,]\d\d\b)")
_NUMBER = re.compile(
    rf"(?:(?<![A-Za-z0-9])|{_CURRENCY})(?P<digits>[\dOoQDUlIi|!SsBZzGgbq]{{1,6}}"
    r"[.,]\s?[\dOoQDUlIi|!SsBZzGgq]{2})(?![A-Za-z0-9])"
)
_AS_DIGIT = str.maketrans("OoQDUlIi|!SsBZzGgbq", "0000011111558226969")


def find_amounts(line: str) -> Iterator[Amount]:
    """The sums on a line from left to right, "RM80. 90" as 80.90; below zero where a minus stands.

    Sums without cents count only with a currency beside them, and only where no sum has
    cents.
    """
    line = _with_digits(line)
    found = False
    for match in _AMOUNT.finditer(line):
        found = True
        value = Decimal(f"{_digits(match['whole']) or '0'}.{match['cents']}")
        yield Amount(-value if match["sign"] else value, *match.span())
    if not found:
        for match in _WHOLE_OF_A_CURRENCY.finditer(line):
            yield Amount(Decimal(_digits(match["whole"] or match["before"])), *match.span(), whole=True)


def find_torn_amount(line: str) -> Amount | None:
    """The sum at the end of a line whose decimal point was not read: "92 80" or "9280" as 92.80."""
    start = max(0, len(line) - 60)
    match = _TORN.search(_with_digits(line[start:]))
    if match is None:
        return None
    value = Decimal(f"{match['whole']}.{match['cents']}")
    return Amount(value, start + match.start("whole"), start + match.end("cents"), torn=True)


def find_whole_amounts(line: str) -> Iterator[Amount]:
    """The numbers of a line as sums, for papers whose currency has no cents."""
    for match in _WHOLE_ALONE.finditer(line):
        yield Amount(Decimal(_digits(match["whole"])), *match.span(), whole=True)


def _with_digits(line: str) -> str:
    line = _NUMBER.sub(_as_number, line)
    return _LETTER.sub(lambda match: match.group().translate(_AS_DIGIT), line)


def _as_number(match: re.Match[str]) -> str:
    text = match.group()
    digits = match["digits"]
    sure = sum(char.isdigit() for char in digits)
    if sure * 2 < len(digits) - 1 and not set(digits) <= set("OoQD., "):
        return text
    return text[: len(text) - len(digits)] + digits.translate(_AS_DIGIT)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)

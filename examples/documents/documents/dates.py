"""Dates on paper, in the ways that people and tills write them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator

from .wording import read_words

__all__ = ["find_date"]

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[A-Z]*"
_D = r"[0-9OIL|]"
_YEAR = rf"(?P<year>[12]{_D}{{3}}|{_D}{{2}})(?!\d)"
_GAP = r"[\s\-/.,']{0,3}"

_DAY = rf"(?<!\d)(?P<day>{_D}{{1,2}})"
_DAY_OF_TWO = rf"(?<!\d)(?P<day>{_D}{{2}})"
_NTH = r"(?:ST|ND|RD|TH)?"
_IN_NUMBERS = rf"(?P<month>{_D}{{1,2}})"

# Each way with what it counts for.
_WAYS: tuple[tuple[float, re.Pattern[str]], ...] = (
    (2.0, re.compile(rf"{_DAY}{_NTH}{_GAP}{_MONTH}{_GAP}{_YEAR}")),
    (2.0, re.compile(rf"\b{_MONTH}{_GAP}(?P<day>{_D}{{1,2}}){_NTH}{_GAP}{_YEAR}")),
    (
        2.0,
        re.compile(
            rf"(?<!\d)(?P<year>[12]{_D}{{3}})\s?([-/.])\s?{_IN_NUMBERS}\s?\2\s?(?P<day>{_D}{{1,2}})(?!\d)"
        ),
    ),
    (2.0, re.compile(rf"{_DAY}\s?([-/.])\s?{_IN_NUMBERS}\s?\2\s?{_YEAR}")),
    # One stroke of two was read as another sign: 25/12-2018, 25/12.18, 25112/2018.
    (
        0.5,
        re.compile(rf"{_DAY_OF_TWO}[-/.\\: ](?P<month>{_D}{{2}})[-/.\\: 71](?P<year>20{_D}{{2}})(?!\d)"),
    ),
    (0.5, re.compile(rf"{_DAY_OF_TWO}[71](?P<month>{_D}{{2}})[-/.71](?P<year>20{_D}{{2}})(?!\d)")),
    (0.5, re.compile(r"(?<!\d)(?P<year>20\d{2})(?P<month>[01]\d)(?P<day>[0-3]\d)(?!\d)")),
)
_AS_DIGIT = str.maketrans("OIL|", "0111")
_TIME = re.compile(r"\b\d{1,2}[:.]\d{2}(?:[:.]\d{2})?\s?(?:[AP]M\b|\b)")
_OTHER_DATES = {
    "DUE",
    "EXPIRY",
    "EXPIRES",
    "VALID",
    "UNTIL",
    "BIRTH",
    "DELIVERY",
    "BEFORE",
    "SINCE",
    "FROM",
    "RETURN",
}


def find_date(lines: Iterable[str]) -> str | None:
    """The day that a paper was made, as ISO 8601; None where it names none.

    Numbers are read day first; what is no day of the calendar so is tried month first,
    then skipped.
    """
    best = 0.0
    found: str | None = None
    after_label = False
    for number, line in enumerate(lines):
        words = read_words(line)
        labelled = "DATE" in words or any(word.endswith("DATE") for word in words)
        hint = (
            2.0 * (labelled or after_label)
            + 1.0 * bool(_TIME.search(line))
            - 3.0 * bool(words & _OTHER_DATES)
        )
        for sure, day in _dates(line):
            score = 2.0 + sure + hint - min(number, 60) * 0.01
            if score > best:
                best, found = score, day.isoformat()
        after_label = labelled
    return found


def _dates(line: str) -> Iterator[tuple[float, datetime.date]]:
    text = line.upper()
    for sure, way in _WAYS:
        for match in way.finditer(text):
            day = _day(match)
            if day is not None:
                yield sure, day


def _day(match: re.Match[str]) -> datetime.date | None:
    parts = match.groupdict()
    year, day = (_number(parts[name]) for name in ("year", "day"))
    month = _MONTHS.index(parts["name"]) + 1 if parts.get("name") else _number(parts["month"])
    if year < 100:
        year += 2000 if year < 70 else 1900
    for asked_month, asked_day in ((month, day), (day, month)):
        try:
            return datetime.date(year, asked_month, asked_day)
        except ValueError:
            if parts.get("name"):
                return None
    return None


def _number(digits: str) -> int:
    return int(digits.translate(_AS_DIGIT))

"""Every day that a paper names, with all the readings that its figures allow."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .months import month_of, nearest_month

__all__ = ["DAY_FIRST", "MONTH_FIRST", "YEAR_FIRST", "Mention", "find_mentions"]

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day", "month", "year"


@dataclass(frozen=True, slots=True)
class Mention:
    """Figures that name a day: where they stand in their line, and what they may mean.

    `readings` has, for each order of the figures that makes a day of the calendar, that day;
    a month in letters leaves one. `sure` grows with the care that the way of writing allows:
    2 where nothing was guessed.
    """

    start: int
    end: int
    readings: dict[str, datetime.date]
    sure: float

    @property
    def days(self) -> set[datetime.date]:
        """The days that it may mean."""
        return set(self.readings.values())


_D = "[0-9OIL|]"
_E = "[0-9OILQDSBZGUAT|!]"
_GAP = r"[\s\-/.,']{0,3}"
_BREAK = r"[\s\-/.,']{1,3}"
_OF = r"(?:(?:OF|DEL?|DI)\s{1,2})?"
_NAME = r"(?P<name>[A-Z0][A-Z01]{2,10})(?![A-Z])"
# Behind the year may stand the time, with no blank between.
_YEAR = rf"(?P<year>[12]{_D}{{3}}(?=\d{{1,2}}[:.]\d\d|(?!\d))|{_D}{{2}}(?!\d|:\d|[A-SU-Z!]\d))"
_DAY = rf"(?<![\d])(?P<day>{_D}{{1,2}})"
_MONTH = rf"(?P<month>{_D}{{1,2}})"
_TWO = rf"(?P<month>{_D}{{2}})"
_LONG_YEAR = rf"(?P<year>20{_D}{{2}})(?=\d{{1,2}}[:.]\d\d|(?!\d))"

_IN_LETTERS = (
    re.compile(rf"{_DAY}(?:ST|ND|RD|TH|ER|E|O|\u00ba|\u00b0)?{_GAP}{_OF}{_NAME}{_GAP}{_OF}{_YEAR}"),
    re.compile(rf"(?<![A-Z0-9]){_NAME}{_GAP}(?P<day>{_D}{{1,2}})(?:ST|ND|RD|TH)?{_BREAK}{_YEAR}"),
    re.compile(rf"(?<!\d)(?P<year>[12]{_D}{{3}}){_GAP}{_NAME}{_GAP}(?P<day>{_D}{{1,2}})(?!\d|:\d)"),
)
_IN_FIGURES: tuple[tuple[float, re.Pattern[str]], ...] = (
    (
        2.0,
        re.compile(
            r"(?<!\d)(?P<year>\d{4}) ?[\u5e74\ub144] ?(?P<month>\d{1,2}) ?[\u6708\uc6d4] ?(?P<day>\d{1,2})"
        ),
    ),
    (
        2.0,
        re.compile(
            rf"(?<![\d.])(?P<year>[12]{_D}{{3}})\s?([-/.])\s?{_MONTH}\s?\2\s?(?P<day>{_D}{{1,2}})(?![\d])"
        ),
    ),
    (2.0, re.compile(rf"(?<!\d[-/.]){_DAY}\s?([-/])\s?{_MONTH}\s?\2\s?{_YEAR}(?![-/]\d)")),
    # Amounts have points and blanks, too: "07. 23.60".
    (2.0, re.compile(rf"(?<!\d[-/.]){_DAY}\.{_MONTH}\.{_YEAR}(?![-/]\d)")),
    (2.0, re.compile(rf"(?<!\d[-/.]){_DAY}\s?\.\s?{_MONTH}\s?\.\s?{_LONG_YEAR}")),
    # The blank is the reader's: no time follows.
    (
        2.1,
        re.compile(
            rf"(?<![\d])(?<!\d[-/.]){_DAY}([-/.]){_MONTH}\2(?P<year>20 ?[0-3]\d|2 0[0-3]\d)"
            r"(?![\d:.H]| ?[AP]M)"
        ),
    ),
    # One stroke of two was read as another sign, or not at all: 25/12-2018, 25112/2018, 2512/2018.
    (0.5, re.compile(rf"(?<!\d)(?P<day>{_D}{{2}})[-/.\\:, _~]{_TWO}[-/.\\:, _~71]{_LONG_YEAR}")),
    (0.5, re.compile(rf"(?<!\d)(?P<day>{_D}{{2}})[71]{_TWO}[-/.71]{_LONG_YEAR}")),
    (
        0.4,
        re.compile(
            rf"(?<!\d)(?P<day>{_D}{{2}})(?:[-/.]{_TWO}|{_TWO.replace('month', 'other')}[-/.]){_LONG_YEAR}"
        ),
    ),
    (1.0, re.compile(r"(?<!\d)(?P<year>20\d{2})(?P<month>[01]\d)(?P<day>[0-3]\d)(?!\d)")),
    # A blank or a letter amid the figures.
    (
        0.4,
        re.compile(
            rf"(?<![A-Z0-9])(?P<day>{_E}{{1,2}}) ?[-/.] ?(?P<month>{_E}{{1,2}}) ?[-/.] ?"
            rf"(?P<year>[2Z] ?{_E} ?{_E} ?{_E})(?![A-Z0-9:])"
        ),
    ),
    (
        0.3,
        re.compile(
            rf"(?<![A-Z0-9.])(?P<day>{_E}{{2}})(?P<sign>[-/.]){_TWO.replace(_D, _E)}(?P=sign)"
            rf"(?P<year>{_E}{{2}})(?![A-Z0-9:])"
        ),
    ),
    (
        0.3,
        re.compile(
            r"(?<![A-Z0-9])(?P<day>\d ?\d) ?[-/] ?(?P<month>\d ?\d) ?[-/] ?(?P<year>20 ?\d ?\d)(?![A-Z0-9:])"
        ),
    ),
)
_AS_DIGIT = str.maketrans("OQDUIL|!SBZGAT", "00001111582647")
_FIGURE = re.compile(r"[0-9]")
_DOTTED = re.compile(r"\d{1,2}\.\d\d\.\d\d")
_HALF = re.compile(r"\s?[AP]\.?M\b")
_EARLIEST, _LATEST = 1900, 2099


def find_mentions(text: str) -> list[Mention]:
    """The days that a line in capitals names, from left to right; where two overlap, the surer one."""
    if len(_FIGURE.findall(text[:4000])) < 3:
        return []
    found = sorted(_all(text), key=lambda mention: (-mention.sure, mention.start))
    kept: list[Mention] = []
    taken: set[int] = set()
    for mention in found:
        places = range(mention.start, mention.end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(mention)
    kept.sort(key=lambda mention: mention.start)
    return [mention for place, mention in enumerate(kept) if not _is_time(text, mention, kept[:place])]


def _is_time(text: str, mention: Mention, before: list[Mention]) -> bool:
    """Whether it is the time of day behind a date: "06/01/18 12.17.26", "12.17.26 PM"."""
    if not _DOTTED.fullmatch(text, mention.start, mention.end):
        return False
    return bool(_HALF.match(text, mention.end)) or (
        bool(before) and not text[before[-1].end : mention.start].strip(" -,/")
    )


def _all(text: str) -> Iterator[Mention]:
    for way in _IN_LETTERS:
        yield from _in_letters(way, text)
    for sure, pattern in _IN_FIGURES:
        for match in pattern.finditer(text):
            readings = _readings(match, sure)
            if readings:
                yield Mention(*match.span(), readings, sure)


def _in_letters(way: re.Pattern[str], text: str) -> Iterator[Mention]:
    match = way.search(text)
    while match:
        month, sure = month_of(match["name"]), 2.0
        if month is None and len(match["year"]) == 4:
            month, sure = nearest_month(match["name"]), 0.4
        day = month and _day(_year(match["year"]), month, _number(match["day"]))
        if day:
            yield Mention(*match.span(), {DAY_FIRST: day}, sure)
        # Where it was no month, a day may begin amid what matched.
        match = way.search(text, match.end() if day else match.start() + 1)


def _readings(match: re.Match[str], sure: float) -> dict[str, datetime.date]:
    parts = match.groupdict()
    if sure < 1 and sum(letter.isdigit() for letter in match.group()) < 4:
        return {}
    first, second = parts["day"], parts["month"] or parts["other"]
    year, day, month = _year(parts["year"]), _number(first), _number(second)
    if match.start("year") < match.start("day"):
        orders = {YEAR_FIRST: _day(year, month, day)}
    else:
        orders = {DAY_FIRST: _day(year, month, day), MONTH_FIRST: _day(year, day, month)}
        # With strokes, two figures of a year do not come first.
        if len(parts["year"]) == 2 and len(first) == 2 and sure > 1 and "/" not in match.group():
            orders[YEAR_FIRST] = _day(_year(first), month, _number(parts["year"]))
    return {order: day for order, day in orders.items() if day}


def _day(year: int, month: int, day: int) -> datetime.date | None:
    if not _EARLIEST <= year <= _LATEST:
        return None
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


def _year(digits: str) -> int:
    year = _number(digits)
    return year if year > 99 else year + (2000 if year < 70 else 1900)


def _number(digits: str) -> int:
    return int(digits.replace(" ", "").translate(_AS_DIGIT))

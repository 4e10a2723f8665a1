"""The day that a paper was made, of all the days that it names."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .lines import Finding, Span
from .mentions import DAY_FIRST, MONTH_FIRST, YEAR_FIRST, Mention, find_mentions
from .months import weekday_of
from .wording import in_capitals, read_words

__all__ = ["find_date"]

_LABEL = re.compile(r"\b(?:[DOQ0][A4][T7IL1][EF]|[A-Z]{2,8}DATE|DATED?|ISSUED|[DO]ATE\w?)\b")
_TIME = re.compile(r"(?<!\d)\d{1,2}[:.]\d{2}(?:[:.]\d{2})?\s?(?:[AP]M\b|\b)")
_OTHER_DATES = frozenset({
    "DUE", "EXPIRY", "EXPIRES", "EXPIRED", "EXP", "VALID", "UNTIL", "BIRTH", "BORN", "DELIVERY", "BEFORE",
    "SINCE", "FROM", "RETURN", "RETURNS", "ACT", "ESTABLISHED", "PERIOD", "RENEWAL",
})  # fmt: skip
_DUE = frozenset({"DUE", "EXPIRY", "EXPIRES", "VALID", "UNTIL"})
# A ZIP code behind its state, a telephone of North America, and its taxes.
_AMERICAN = re.compile(
    r",\s?(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]"
    r"|UT|V[AT]|W[AIVY])\.?\s+\d{5}(?:-\d{4})?\b|\bSALES\s+TAX\b|\bU\.?S\.?A\b"
    r"|(?<![\d-])(?:\+1[\s.-]?|1-)?(?:\([2-9]\d{2}\)\s?|[2-9]\d{2}[.-])[2-9]\d{2}[.-]\d{4}(?![\d-])"
)
_ELSEWHERE = re.compile(
    r"[\u00a3\u20ac]|\bRM\s?\d|\b(?:MYR|GBP|EUR|SGD|AUD|NZD|CHF|GST|SST|VAT|MWST|UST|TVA|IVA|BTW|PPN|ABN"
    r"|SDN|BHD|GMBH|PTY|PTE|LTD|S\.?A\.?R\.?L|S\.?R\.?L|B\.V)\b|\+[2-9]\d"
)
_FORM = re.compile(r"\S{1,2}\s?([-/.])\s?\S{1,2}\s?[-/.]\s?(\S{2,4})")
_DEFAULT = 1.0
_SAME_FORM, _AMERICA, _OTHER_LANDS, _IN_A_NUMBER = 3.5, 3.5, 2.0, 3.0
# What one reading must have ahead of another to need no doubt.
_AHEAD = 2.0
_ORDERS = {DAY_FIRST: "day first", MONTH_FIRST: "month first", YEAR_FIRST: "year first"}
_MOST = 400
_LONG = 20


@dataclass(frozen=True, slots=True)
class _Named:
    """A mention with its line, what speaks for its being the paper's own day, and its words."""

    mention: Mention
    line: int
    weight: float
    due: bool
    weekday: int | None
    text: str


def find_date(lines: Sequence[str]) -> Finding | None:
    """The day that a paper was made, as ISO 8601; None where it names none.

    Figures that may be read in two orders are told apart by the rest of the paper: other
    days in the same form, the same day in letters or in a number, the weekday beside it,
    the day it is due, the country. Where nothing tells, the day is taken to stand first,
    and a doubt names the other reading.
    """
    named = list(_named(lines))
    if not named:
        return None
    times = Counter(day for entry in named for day in entry.mention.days)
    first = min(min(entry.mention.days) for entry in named).year
    best = max(
        named,
        key=lambda entry: (
            entry.weight + 0.5 * min(_times(entry, times) - 1, 3) - 2.0 * _is_far_off(entry, first)
        ),
    )
    if best.weight <= 0:
        return None
    votes = _votes(lines, named, _form(best))
    scores = {order: votes[order] + _own(best, order, named) for order in best.mention.readings}
    chosen = max(scores, key=lambda order: scores[order])
    day = best.mention.readings[chosen]
    span = Span(best.line, best.mention.start, best.mention.end)
    backed = sum(day in entry.mention.days for entry in named) > 1 or best.weekday == day.weekday()
    return Finding(day.isoformat(), (span,), _doubt(best, chosen, scores), backed)


def _is_far_off(entry: _Named, first: int) -> bool:
    """Whether a day lies so long after another of the paper that its year was read wrongly."""
    return min(entry.mention.days).year - first > _LONG and not entry.due


def _times(entry: _Named, times: Counter[datetime.date]) -> int:
    return max(times[day] for day in entry.mention.days)


def _named(lines: Sequence[str]) -> Iterator[_Named]:
    count = 0
    above = ""
    for number, line in enumerate(lines):
        text = in_capitals(line)
        mentions = find_mentions(text)
        before = 0
        for place, mention in enumerate(mentions):
            count += 1
            if count > _MOST:
                return
            label = _label_of(text, above, before, mention, place)
            before = mention.end
            yield _weighed(mention, number, text, label)
        above = "" if mentions else text


def _label_of(text: str, above: str, before: int, mention: Mention, place: int) -> str:
    """The words that say what day it is: those before it, else all of the line and the line above."""
    own = text[max(before, mention.start - 80) : mention.start]
    if _LABEL.search(own) or read_words(own) & _OTHER_DATES:
        return own
    if len(above) < 80 and _LABEL.search(above):
        heads = re.split(r"(?=\b(?:DUE|EXPIRY|VALID)\b)", above)
        return heads[min(place, len(heads) - 1)]
    return text[max(0, mention.start - 80) : mention.end + 40] if not place or not before else own


def _weighed(mention: Mention, number: int, text: str, label: str) -> _Named:
    words = read_words(label)
    labelled = "DATE" in words or bool(_LABEL.search(label))
    near = text[max(0, mention.start - 60) : mention.end + 40]
    rest = text[max(0, mention.start - 60) : mention.start] + " " + text[mention.end : mention.end + 40]
    weight = (
        2.0
        + mention.sure
        + 2.0 * labelled
        + 1.0 * bool(_TIME.search(rest))
        - 3.0 * bool(words & _OTHER_DATES)
        - min(number, 60) * 0.01
    )
    weekdays = [day for word in re.findall(r"[A-Z]{3,10}", near) if (day := weekday_of(word)) is not None]
    return _Named(
        mention,
        number,
        weight,
        bool(words & _DUE),
        weekdays[0] if len(set(weekdays)) == 1 else None,
        text[mention.start : mention.end],
    )


def _votes(lines: Sequence[str], named: Sequence[_Named], form: tuple[str, int] | None) -> dict[str, float]:
    """How much the whole paper speaks for each order of figures of this form."""
    votes = {DAY_FIRST: _DEFAULT, MONTH_FIRST: 0.0, YEAR_FIRST: 0.0}
    for entry in named:
        if len(entry.mention.readings) == 1 and form and _form(entry) == form:
            votes[next(iter(entry.mention.readings))] += _SAME_FORM
    text = in_capitals("\n".join(lines[:400]))[:40_000]
    votes[MONTH_FIRST] += _AMERICA * bool(_AMERICAN.search(text))
    votes[DAY_FIRST] += _OTHER_LANDS * bool(_ELSEWHERE.search(text))
    for entry in named:
        for order, day in entry.mention.readings.items():
            if len(entry.mention.days) > 1 and _stands_in_a_number(day, text):
                votes[order] += _IN_A_NUMBER
    return votes


def _form(entry: _Named) -> tuple[str, int] | None:
    """The sign between the figures and how many the year has; None for what is not day, month, year."""
    parts = _FORM.fullmatch(entry.text)
    return (parts[1], len(parts[2])) if parts and entry.mention.sure > 1 else None


def _stands_in_a_number(day: datetime.date, text: str) -> bool:
    """Whether a number of the paper, such as the receipt's, holds the day: 20180605, 05062018."""
    return f"{day:%Y%m%d}" in text or f"{day:%d%m%Y}" in text


def _own(best: _Named, order: str, named: Sequence[_Named]) -> float:
    """How much speaks for one reading of a mention: its weekday, other mentions of that day, what is due."""
    day = best.mention.readings[order]
    score = 5.0 * (best.weekday == day.weekday())
    for entry in named:
        if entry is best:
            continue
        if len(entry.mention.days) == 1:
            score += 5.0 * (day in entry.mention.days)
        if entry.due and not best.due:
            # Nothing is due before it is made; both are written in the same order.
            due = entry.mention.readings.get(order) or max(entry.mention.days)
            score -= 4.0 * (day > due)
    return score


def _doubt(best: _Named, chosen: str, scores: dict[str, float]) -> str | None:
    day = best.mention.readings[chosen]
    others = {best.mention.readings[order] for order in scores if scores[order] > scores[chosen] - _AHEAD}
    others.discard(day)
    if others:
        also = " or ".join(sorted(other.isoformat() for other in others))
        return f"{best.text} is read as {day.isoformat()}, {_ORDERS[chosen]}; it could also be {also}"
    if best.weekday is not None and best.weekday != day.weekday():
        return f"{day.isoformat()} is a {day:%A}, but the paper names another day of the week beside it"
    if best.mention.sure < 1:
        return f"{best.text} was not read clearly"
    return None

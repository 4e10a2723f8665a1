"""Date, total and company of a business paper, by the words that stand around them.

The text comes from OCR: letters and digits are mixed up, a line may be torn in two. So every
hint adds to a score, and the best candidate wins; nothing is found by one pattern alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cim import Record
from cim.ports.reading import Word

from .dates import find_date
from .letterhead import find_company
from .lines import lines_of, words_within
from .totals import find_total

__all__ = ["Doubt", "Found", "Place", "find_facts"]

# Of the words that are less sure than this, half are read wrongly.
_UNSURE = 0.5
# What stands further on in a line without an end is not looked at.
_LONGEST = 20_000


class Place(Record):
    """Where a fact stands: a box around its words, in shares of the page from its upper left corner.

    `fact` is "date", "total" or "company"; `page` counts from 1.
    """

    fact: str
    page: int
    left: float
    top: float
    width: float
    height: float


class Doubt(Record):
    """Why a fact may be wrong, as a sentence for a person; `fact` is "date", "total" or "company"."""

    fact: str
    why: str


@dataclass(frozen=True)
class Found:
    """What a paper says of itself; None where nothing was found.

    `date` is ISO 8601, such as "2018-12-25". `total` is a decimal number with two places and
    no currency, such as "80.90". `places` are those of the facts whose words have one; a fact
    that was put right has the place of what is printed.
    """

    date: str | None
    total: str | None
    company: str | None
    places: tuple[Place, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def find_facts(body: str, words: Sequence[Word] = ()) -> Found:
    """The date, the total and the company of a paper, from its text. Never raises.

    `words` are those of the body, split at blanks, in their order; where they are others,
    there are no places.
    """
    lines = [line[:_LONGEST] for line in lines_of(body)]
    found = {"date": find_date(lines), "total": find_total(lines), "company": find_company(lines)}
    told = {fact: finding for fact, finding in found.items() if finding}
    places: list[Place] = []
    doubts = {fact: finding.doubt for fact, finding in told.items() if finding.doubt}
    if _fit(body, words):
        for fact, finding in told.items():
            here = [words[number] for number in words_within(lines_of(body), finding.spans)]
            places.append(_box(fact, here))
            worst = min(word.confidence for word in here)
            if fact not in doubts and not finding.backed and fact != "company" and worst < _UNSURE:
                doubts[fact] = f"it was read with a confidence of {worst:.0%}, and nothing else says the same"
    values = {fact: finding.value for fact, finding in told.items()}
    return Found(
        values.get("date"),
        values.get("total"),
        values.get("company"),
        places=tuple(places),
        doubts=tuple(Doubt(fact, why) for fact, why in doubts.items()),
    )


def _fit(body: str, words: Sequence[Word]) -> bool:
    return bool(words) and [word.text for word in words] == body.split()


def _box(fact: str, words: Sequence[Word]) -> Place:
    """The box around the words, as far as they stand on the page of the first."""
    page = words[0].page
    here = [word for word in words if word.page == page]
    left, top = min(word.left for word in here), min(word.top for word in here)
    right = max(word.left + word.width for word in here)
    bottom = max(word.top + word.height for word in here)
    sides = (round(share, 5) for share in (left, top, right - left, bottom - top))
    return Place(fact, page, *sides)

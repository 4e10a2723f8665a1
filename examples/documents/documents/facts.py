"""Date, total and company of a business paper, by the words that stand around them.

The text comes from OCR: letters and digits are mixed up, a line may be torn in two. So every
hint adds to a score, and the best candidate wins; nothing is found by one pattern alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from .dates import find_date
from .letterhead import find_company
from .totals import find_total

__all__ = ["Found", "find_facts"]


@dataclass(frozen=True)
class Found:
    """What a paper says of itself; None where nothing was found.

    `date` is ISO 8601, such as "2018-12-25". `total` is a decimal number with two places and
    no currency, such as "80.90".
    """

    date: str | None
    total: str | None
    company: str | None


def find_facts(body: str) -> Found:
    """The date, the total and the company of a paper, from its text. Never raises."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    return Found(date=find_date(lines), total=find_total(lines), company=find_company(lines))

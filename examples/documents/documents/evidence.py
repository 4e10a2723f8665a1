"""What the other sums of a paper say about its total: what was paid, what the lines add up to.

Each way of reckoning is independent of the label beside the total. A misread digit breaks it,
so that two ways that agree are worth more than any label.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain, combinations, product

from .sums import BARE, CARD, CASH, COUNT, INCLUSIVE, LABELS, TAX, Sum

__all__ = ["CHARGED", "PAID", "TAXED", "Evidence", "gather", "repeated"]

PAID = "the cash less the change"
CHARGED = "the payment by card"
_CASH_ALONE = "the cash"
TAXED = "the sum before tax and what is added to it"
_ITEMS = "the amounts above"
_SUMMARY = "the tax summary"
_PARTS = "the totals of its parts"
_WEIGHTS = {_PARTS: 2.0, PAID: 4.0, CHARGED: 3.0, _CASH_ALONE: 1.5, TAXED: 2.5, _ITEMS: 2.5, _SUMMARY: 2.0}
_MOST = 40
_FEW = 8
_CHARGES = frozenset({"SERVICE", "TIP", "SHIPPING"})
_PRICED = re.compile(r"@|\d\s?[xX*]\s?(?:\D{0,4}\d|$)|\bPRICE\b", re.IGNORECASE)


class Evidence:
    """Which values the other sums make, by which ways of reckoning."""

    def __init__(self) -> None:
        self._ways: dict[Decimal, set[str]] = {}

    def add(self, way: str, values: Iterable[Decimal]) -> None:
        for value in values:
            if value > 0:
                self._ways.setdefault(value, set()).add(way)

    def ways(self, value: Decimal) -> list[str]:
        """The ways of reckoning that make the value, the strongest first."""
        return sorted(self._ways.get(value, ()), key=lambda way: (-_WEIGHTS[way], way))

    def weight(self, value: Decimal, *, but: str = "") -> float:
        """How much speaks for the value, leaving out one way."""
        return sum(_WEIGHTS[way] for way in self._ways.get(value, ()) if way != but)

    def made_by(self, way: str) -> list[Decimal]:
        """The values that one way of reckoning makes."""
        return [value for value, ways in self._ways.items() if way in ways]

    def values(self) -> Iterable[Decimal]:
        """All values that were reckoned."""
        return self._ways


def gather(sums: Sequence[Sum], below: Sequence[Sum]) -> Evidence:
    """What the sums make; `below` are those of the tax summary under the total."""
    evidence = Evidence()
    handed = [entry for entry in sums if entry.has(CASH) and "CHANGE" not in entry.words]
    back = [entry for entry in sums if "CHANGE" in entry.words]
    pairs = product(_distinct(handed), _change(back))
    evidence.add(PAID, (given - change for given, change in pairs if 0 < change < given))
    evidence.add(_CASH_ALONE, _distinct(handed))
    evidence.add(CHARGED, _distinct(entry for entry in sums if entry.has(CARD)))
    evidence.add(TAXED, _with_additions(sums))
    evidence.add(_PARTS, _parts(sums))
    evidence.add(_ITEMS, _sums_of_items(sums))
    evidence.add(_SUMMARY, _summary(below))
    return evidence


def _distinct(entries: Iterable[Sum]) -> list[Decimal]:
    return list(dict.fromkeys(entry.value for entry in entries if not entry.partial))[-_FEW:]


def _change(back: Sequence[Sum]) -> list[Decimal]:
    # "RM 40" where the point before the cents was not read.
    cents = [entry.value / 100 for entry in back if entry.whole and 10 <= entry.value < 100]
    return [*_distinct(back), *cents[-_FEW:]]


def _with_additions(sums: Sequence[Sum]) -> set[Decimal]:
    """Sums before tax together with any of the taxes, charges, discounts and roundings."""
    bare = _distinct(entry for entry in sums if _is_bare(entry))
    totals = _distinct(entry for entry in sums if "TOTAL" in entry.words and not _is_bare(entry))
    rounding = [
        sign * abs(entry.value)
        for entry in sums
        if "ROUNDING" in entry.words and abs(entry.value) < Decimal("0.5") and not entry.partial
        for sign in ((1, -1) if entry.value > 0 else (-1,))
    ][-4:]
    added = list(dict.fromkeys(chain(_taxes(sums), rounding)))[-7:]
    some = {sum(part, Decimal(0)) for size in range(1, 5) for part in combinations(added, size)}
    made = {base + more for base, more in product(bare, some) if abs(more) * 2 < base and more}
    charges = _distinct(entry for entry in sums if entry.has(_CHARGES) and "TOTAL" not in entry.words)[-4:]
    return made | {base + more for base, more in product(totals, [*rounding, *charges])}


def _parts(sums: Sequence[Sum]) -> set[Decimal]:
    """Two totals of parts, such as the goods of two rates of tax, make one."""
    parts = _distinct(entry for entry in sums if "TOTAL" in entry.words and not entry.is_subtotal)
    return {one + other for one, other in combinations(parts, 2)}


def _is_bare(entry: Sum) -> bool:
    """Whether taxes and charges may come on top: a subtotal, "Net", or the sum beside "Total Qty"."""
    net = "NETT" in entry.words and not entry.has(frozenset({"TOTAL", "AMOUNT", "PAYABLE"}))
    counted = "TOTAL" in entry.words and entry.has(COUNT) and not entry.torn
    return entry.is_subtotal or entry.has(BARE) or net or counted


def _taxes(sums: Sequence[Sum]) -> list[Decimal]:
    """What comes on top of a sum before tax: taxes and charges; discounts are below zero."""
    found = []
    for entry in sums:
        tax = entry.has(TAX) and not entry.has(BARE | INCLUSIVE) and "INVOICE" not in entry.words
        own = "TOTAL" not in entry.words
        if tax or (entry.has(_CHARGES) and own):
            found.append(entry.value)
        elif "DISCOUNT" in entry.words and own:
            found.append(-abs(entry.value))
    return found


def _sums_of_items(sums: Sequence[Sum]) -> set[Decimal]:
    """What the last lines of goods above the first total make, for each number of lines."""
    first = next((place for place, entry in enumerate(sums) if entry.has(LABELS) and place), len(sums))
    goods = [entry for entry in sums[:first] if entry.last and not entry.has(LABELS)][-_MOST:]
    priced = [entry for entry in goods if not _PRICED.search(entry.line)]
    return _running(goods) | _running(priced)


def _running(entries: Sequence[Sum]) -> set[Decimal]:
    made, whole = set(), Decimal(0)
    for count, entry in enumerate(reversed(entries), start=1):
        whole += entry.value
        if count > 1:
            made.add(whole)
    return made


def _summary(below: Sequence[Sum]) -> set[Decimal]:
    """A line of a tax summary tells a sum and its tax; lines of several rates add up."""
    lines: dict[int, list[Decimal]] = {}
    for entry in below:
        lines.setdefault(entry.span.line, []).append(entry.value)
    made = [sum(values[-2:], Decimal(0)) for values in lines.values() if len(values) > 1][:_MOST]
    singles = [values[0] for values in lines.values() if len(values) == 1][:_MOST]
    return {*made, sum(made, Decimal(0)), *(a + b for a in made for b in singles)}


def repeated(sums: Iterable[Sum]) -> Counter[Decimal]:
    """How often each value is printed."""
    return Counter(entry.value for entry in sums if not entry.partial)

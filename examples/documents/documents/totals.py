"""What there is to pay: the sum that the labels, and the other sums, speak for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from .amounts import find_amounts, find_torn_amount
from .wording import read_words

__all__ = ["find_total"]

_ASKED = frozenset({"TOTAL", "PAYABLE", "DUE", "BALANCE", "ROUNDED", "NETT", "ROUNDING", "SUBTOTAL"})
_OTHER_TOTAL = frozenset({
    "QTY", "QUANTITY", "ITEM", "ITEMS", "SAVING", "SAVINGS", "DISCOUNT", "EXCLUDING", "EXCL", "EXCLUSIVE",
    "POINTS", "TENDERED", "PAID", "DEPOSIT", "LOADING", "SUPPLIES", "PAX", "BEFORE", "GROSS", "REDEEMED",
})  # fmt: skip
_COUNT = frozenset({"QTY", "QUANTITY", "ITEM", "ITEMS", "PAX", "POINTS"})
_EXCLUSIVE = frozenset({"EXCLUDING", "EXCL", "EXCLUSIVE", "SUBTOTAL", "BEFORE"})
_INCLUSIVE = frozenset({"INCL", "INCLUDING", "INCLUSIVE", "INCLUDES", "INC", "INCLUDED"})
_TAX = frozenset({"TAX", "GST", "VAT", "SST", "SERVICE"})
_CASH = frozenset({"CASH", "TENDERED", "TENDER", "RECEIVED", "PAYMENT", "PAID"})
_CARD = frozenset({"VISA", "MASTER", "MASTERCARD", "DEBIT", "CARD", "AMEX"})
_STRONG = frozenset({"GRAND", "PAYABLE", "ROUNDED", "NETT", "AMOUNT", "AMT", "DUE", "PAY"})
_ADJUSTING = frozenset({"ADJ", "ADJUSTMENT", "DIFF"})
_TILL = frozenset({"CASHIER", "QTY", "RECEIPT", "INVOICE", "GST", "TAX", "CASH", "CHANGE", "ITEM", "ITEMS"})
# Where there are no smaller coins, sums are rounded to five cents.
_ROUNDING = Decimal("0.05")
_LABELS = _ASKED | _CASH | _CARD | _TAX | {"CHANGE"}


@dataclass(frozen=True)
class _Sum:
    """An amount with the words that speak for it; `torn`: its decimal point was not read."""

    value: Decimal
    words: frozenset[str]
    line: str
    number: int
    last: bool = True
    torn: bool = False


def find_total(lines: Iterable[str]) -> str | None:
    """What there is to pay, with two places: "80.90"; None where no line asks for money."""
    kept = _before_tax_summary([line for line in lines if line.strip()])
    sums = list(_sums(kept))
    paid, reckoned = _paid(sums), _reckoned(sums)
    times = Counter(entry.value for entry in sums)
    weighed = [
        (
            weight
            + 4.0 * (entry.value in paid)
            + 2.0 * (entry.value in reckoned)
            + _repeated(times[entry.value]),
            entry,
        )
        for entry in sums
        if (weight := _weight(entry)) > 0
    ]
    if not weighed:
        value = _largest_of_a_till(kept, sums, paid)
        return None if value is None else f"{value:.2f}"
    _, best = max(weighed, key=lambda pair: (pair[0], pair[1].number))
    return f"{_put_right(best.value, sums, paid | reckoned):.2f}"


def _before_tax_summary(lines: list[str]) -> list[str]:
    # Below the sum, tills list the taxes once more, with totals of their own.
    for number, line in enumerate(lines):
        words = read_words(line)
        if number > 4 and "SUMMARY" in words and words & _TAX:
            return lines[:number]
    return lines


def _sums(lines: list[str]) -> Iterator[_Sum]:
    waiting: frozenset[str] = frozenset()
    for number, line in enumerate(lines):
        words = read_words(line)
        values = list(find_amounts(line))
        torn = find_torn_amount(line) if not values and words & _ASKED and not words & _COUNT else None
        if torn:
            values = [torn]
        # A label alone on its line speaks for the amount on the next one.
        spoken = words if words & _LABELS else words | waiting
        for place, value in enumerate(values, start=1):
            if value > 0:
                yield _Sum(value, spoken, line, number, last=place == len(values), torn=bool(torn))
        waiting = words & _LABELS if not values else frozenset()


def _weight(entry: _Sum) -> float:
    """How much the words say that this is the sum to pay; 0: they don't."""
    words = entry.words
    if not words & _ASKED or "CHANGE" in words or words & _COUNT:
        return 0.0
    if "SUBTOTAL" in words or {"SUB", "TOTAL"} <= words:
        score = 2.0
    elif "ROUNDING" in words and "TOTAL" not in words:
        # Some tills print the sum after rounding beside the bare word.
        score = 7.0 if entry.value >= 1 and not words & _ADJUSTING else 0.0
    elif words & _ADJUSTING or (words & _OTHER_TOTAL and not words & _INCLUSIVE) or _is_share_of_tax(entry):
        score = 0.5
    elif "TOTAL" in words:
        score = 6.0 + 2.0 * bool(words & _STRONG) - 0.5 * bool(words & _INCLUSIVE) - 1.0 * ("SALES" in words)
    elif words & {"PAYABLE", "NETT", "ROUNDED"} or {"DUE"} <= words:
        score = 6.0
    else:
        score = 1.0
    return max(0.1, score - 1.0 * (not entry.last) - 2.0 * entry.torn) if score else 0.0


def _is_share_of_tax(entry: _Sum) -> bool:
    """Whether the line tells the tax: "Total GST", "GST included in total", "(Total included GST: 1.09)"."""
    words = entry.words
    if not words & _TAX or words & {"ROUNDED", "PAYABLE"}:
        return False
    first = entry.line.upper().find("TOTAL")
    before = read_words(entry.line[: max(first, 0)]) & _TAX
    return not words & _INCLUSIVE or bool(before) or entry.line.startswith("(")


def _repeated(times: int) -> float:
    return 0.5 * min(times - 1, 3)


def _paid(sums: list[_Sum]) -> set[Decimal]:
    """What was paid: each sum handed over less each one given back, and each sum on a card."""
    handed = {entry.value for entry in sums if entry.words & _CASH and "CHANGE" not in entry.words}
    back = {entry.value for entry in sums if "CHANGE" in entry.words}
    card = {entry.value for entry in sums if entry.words & _CARD}
    return card | {
        given - change for given, change in product(handed, back or {Decimal(0)}) if given > change
    }


def _reckoned(sums: list[_Sum]) -> set[Decimal]:
    """What the sums without tax and the taxes make together."""
    bare = {entry.value for entry in sums if entry.words & _EXCLUSIVE or {"SUB", "TOTAL"} <= entry.words}
    taxes = {
        entry.value
        for entry in sums
        if entry.words & _TAX and not entry.words & (_EXCLUSIVE | _INCLUSIVE) and "INVOICE" not in entry.words
    }
    return {amount + tax for amount, tax in product(bare, taxes) if tax * 3 < amount}


def _put_right(value: Decimal, sums: list[_Sum], others: set[Decimal]) -> Decimal:
    """The value, or what the other sums make of it where a single digit is read otherwise.

    A value that stands on the paper twice, but for rounding, is right as it is.
    """
    printed = sum(abs(entry.value - value) <= _ROUNDING for entry in sums)
    close = {other for other in others if _is_one_digit_off(value, other) and abs(other - value) > _ROUNDING}
    return close.pop() if printed < 2 and value not in others and len(close) == 1 else value


def _is_one_digit_off(first: Decimal, second: Decimal) -> bool:
    one, other = f"{first:.2f}", f"{second:.2f}"
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _largest_of_a_till(lines: list[str], sums: list[_Sum], paid: set[Decimal]) -> Decimal | None:
    """Where no label was readable: a sum that was paid and is printed, else a till slip's largest."""
    words = frozenset().union(*(read_words(line) for line in lines))
    if len(words & _TILL) < 2:
        return None
    plain = [entry.value for entry in sums if not entry.words & (_CASH | _COUNT | {"CHANGE"})]
    agreed = [value for value in plain if value in paid]
    return max(agreed or plain or paid, default=None)

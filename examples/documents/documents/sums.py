"""The sums on a paper, each with the words that say what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .amounts import Amount, find_amounts, find_torn_amount, find_whole_amounts
from .lines import Span
from .wording import read_words

__all__ = ["ASKED", "BARE", "CARD", "CASH", "COUNT", "INCLUSIVE", "LABELS", "TAX", "Sum", "read_sums"]

ASKED = frozenset({
    "TOTAL", "PAYABLE", "DUE", "BALANCE", "ROUNDED", "NETT", "ROUNDING", "SUBTOTAL", "AMOUNT",
})  # fmt: skip
COUNT = frozenset({"QTY", "QUANTITY", "ITEM", "ITEMS", "PAX", "POINTS", "PIECES", "PCS", "COUNT"})
BARE = frozenset({"EXCLUDING", "EXCL", "EXCLUSIVE", "EXC", "SUBTOTAL", "BEFORE", "GROSS"})
INCLUSIVE = frozenset({"INCL", "INCLUDING", "INCLUSIVE", "INCLUDES", "INC", "INCLUDED"})
TAX = frozenset({"TAX", "GST", "VAT", "SST"})
CASH = frozenset({"CASH", "TENDERED", "TENDER", "RECEIVED", "PAYMENT", "PAID", "PAY"})
CARD = frozenset({"VISA", "MASTER", "MASTERCARD", "DEBIT", "CARD", "AMEX"})
_ADDED = frozenset({"SERVICE", "TIP", "DISCOUNT", "SHIPPING", "ROUNDING", "SAVING", "SAVINGS"})
LABELS = ASKED | CASH | CARD | TAX | _ADDED | {"CHANGE"}
# The head of a column says "Amount", too, and asks for nothing.
_TELLING = LABELS - {"AMOUNT"}
_WORDLESS = re.compile(r"[^A-Za-z]*(?:[A-Za-z]{1,3}[^A-Za-z]*)?")
_PARTIAL = re.compile(r"(?<![\d.,])(\d{1,4})[.,]\s?\S{0,3}\W*$")
_BLOCK = 12


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount with the words that speak for it.

    `last`: none follows on its line. `torn`: its decimal point was not read. `whole`: no cents
    are printed. `partial`: only
    the figures before its point were. `own`: the words stand on its own line.
    """

    value: Decimal
    words: frozenset[str]
    line: str
    span: Span
    last: bool = True
    torn: bool = False
    whole: bool = False
    partial: bool = False
    own: bool = True

    @property
    def is_subtotal(self) -> bool:
        """Whether its words say that something is still to be added."""
        return "SUBTOTAL" in self.words or {"SUB", "TOTAL"} <= self.words

    def has(self, words: frozenset[str]) -> bool:
        """Whether one of the words speaks for it."""
        return not self.words.isdisjoint(words)


@dataclass(slots=True)
class _Line:
    text: str
    words: frozenset[str]
    amounts: list[Amount]
    borrowed: frozenset[str] = frozenset()


def read_sums(lines: Sequence[str]) -> list[Sum]:
    """The sums of a paper in its order, none of them 0 and only roundings below it."""
    read = [_Line(line, read_words(line), list(find_amounts(line))) for line in lines]
    if not any(amount.value % 1 for line in read for amount in line.amounts):
        _read_whole(read)
    for line in read:
        if not line.amounts and line.words & ASKED and not line.words & COUNT:
            torn = find_torn_amount(line.text)
            line.amounts = [torn] if torn else []
    _lend_labels(read)
    return [entry for number, line in enumerate(read) for entry in _sums_of(line, number)]


def _read_whole(read: list[_Line]) -> None:
    """No sum has cents: the currency may have none."""
    asked = [line for line in read if line.words & (_TELLING - {"ROUNDING"}) and not line.words & COUNT]
    for line in asked:
        if not line.amounts and not re.search(r"\d[ .,:]\d\d\W*$", line.text[-40:]):
            line.amounts = list(find_whole_amounts(line.text))[-1:]


def _lend_labels(read: list[_Line]) -> None:
    """A label alone on its line speaks for the amount on the next one, or, failing that, on the last."""
    at = 0
    while at < len(read):
        labels = _run(read, at, _is_label)
        if not labels:
            at += 1
            continue
        after = _run(read, at + labels, _is_bare_amount)
        if after >= labels > 1:
            # A column of labels, then the column of their amounts.
            for place in range(labels):
                read[at + labels + place].borrowed = read[at + place].words & LABELS
        elif at + labels < len(read) and read[at + labels].amounts and not read[at + labels].words & _TELLING:
            read[at + labels].borrowed = read[at + labels - 1].words & LABELS
        elif at and labels == 1 and _is_bare_amount(read[at - 1]) and not read[at - 1].borrowed:
            read[at - 1].borrowed = read[at].words & LABELS
        at += labels


def _run(read: list[_Line], at: int, kind: object) -> int:
    assert callable(kind)
    length = 0
    while length < _BLOCK and at + length < len(read) and kind(read[at + length]):
        length += 1
    return length


def _is_label(line: _Line) -> bool:
    alone = not line.amounts and bool(line.words & _TELLING) and len(line.text) < 60
    return alone and not _PARTIAL.search(line.text)


def _is_bare_amount(line: _Line) -> bool:
    """Whether nothing but an amount stands on the line."""
    if len(line.amounts) != 1 or len(line.text) > 30:
        return False
    amount = line.amounts[0]
    return bool(_WORDLESS.fullmatch(line.text[: amount.start] + line.text[amount.end :]))


def _sums_of(line: _Line, number: int) -> Iterator[Sum]:
    spoken = _words_of_each(line)
    for place, (amount, words) in enumerate(zip(line.amounts, spoken, strict=True), start=1):
        value = amount.value
        if value < 0 and words & (CASH | CARD):
            value = -value
        entry = Sum(
            value,
            words | line.borrowed,
            line.text,
            Span(number, amount.start, amount.end),
            last=place == len(line.amounts),
            torn=amount.torn,
            whole=amount.whole,
            own=not line.borrowed,
        )
        if value > 0 or (value < 0 and entry.has(_ADDED)):
            yield entry
    if not line.amounts and line.words & ASKED and not line.words & COUNT:
        yield from _partial(line, number)


def _partial(line: _Line, number: int) -> Iterator[Sum]:
    start = max(0, len(line.text) - 40)
    match = _PARTIAL.search(line.text[start:])
    if match:
        span = Span(number, start + match.start(1), len(line.text))
        yield Sum(Decimal(match[1]), line.words, line.text, span, partial=True)


def _words_of_each(line: _Line) -> list[frozenset[str]]:
    """The words for each amount: those before it since the last one, where each has its own label."""
    if len(line.amounts) < 2 or len(line.text) > 200:
        return [line.words] * len(line.amounts)
    ends = [0, *(amount.end for amount in line.amounts)]
    parts = [
        read_words(line.text[end : amount.start]) for end, amount in zip(ends, line.amounts, strict=False)
    ]
    labelled = [part & _TELLING for part in parts]
    return parts if all(labelled) else [line.words] * len(line.amounts)

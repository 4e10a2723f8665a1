"""What there is to pay: the sum that the labels, and the other sums, speak for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from .evidence import CHARGED, PAID, TAXED, Evidence, gather, repeated
from .lines import Finding
from .sums import ASKED, CARD, CASH, COUNT, INCLUSIVE, LABELS, TAX, Sum, read_sums
from .wording import read_words

__all__ = ["find_total"]

_OTHER_TOTAL = frozenset({
    "SAVING", "SAVINGS", "DISCOUNT", "EXCLUDING", "EXCL", "EXCLUSIVE", "EXC", "POINTS", "TENDERED", "PAID",
    "DEPOSIT", "LOADING", "SUPPLIES", "BEFORE", "GROSS", "REDEEMED", "PREVIOUS",
})  # fmt: skip
_STRONG = frozenset({"GRAND", "PAYABLE", "ROUNDED", "NETT", "AMOUNT", "DUE", "PAY"})
_ADJUSTING = frozenset({"ADJ", "ADJUSTMENT", "DIFF", "DIFFERENCE"})
_TILL = frozenset({"CASHIER", "QTY", "RECEIPT", "INVOICE", "GST", "TAX", "CASH", "CHANGE", "ITEM", "ITEMS"})
# Where there are no smaller coins, sums are rounded to five cents.
_ROUNDING = Decimal("0.05")
# What a sum without any label needs of other evidence, to be taken for the total.
_UNLABELLED = 4.0
# Of a paper with more sums, the first and the last of them.
_MOST = 1000
# What speaks so strongly for another sum that a person should look.
_TELLING = 2.0


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A value that may be the total, where it stands, and how much speaks for it."""

    value: Decimal
    entry: Sum
    weight: float


def find_total(lines: Sequence[str]) -> Finding | None:
    """What there is to pay, with two places: "80.90"; None where no line asks for money.

    Labels speak for a sum, and so do the other sums: cash less change, the lines above, the
    sum before tax and the tax. Where they make a value that differs from the printed one in a
    single figure, and two of them agree, that one is given, with a doubt that says so.
    """
    sums = read_sums(lines)
    sums = [*sums[:_MOST], *sums[max(_MOST, len(sums) - _MOST) :]]
    end = _end_of_sums(lines)
    above = [entry for entry in sums if entry.span.line < end]
    below = [entry for entry in sums if entry.span.line >= end]
    evidence = gather(above, below)
    found = _candidates(above, evidence)
    if not any(_weight(candidate.entry) > 0.5 for candidate in found):
        found += _of_a_till(lines, above, evidence) or _candidates(below, Evidence())
    if not found:
        return None
    best = max(found, key=lambda candidate: (candidate.weight, candidate.entry.span.line))
    return _told(_put_right(best, above, evidence), above, evidence)


def _end_of_sums(lines: Sequence[str]) -> int:
    # Below the sum, tills list the taxes once more, with totals of their own.
    for number, line in enumerate(lines):
        if number > 4 and len(line) < 60:
            words = read_words(line)
            if "SUMMARY" in words and words & (TAX | {"AMOUNT"}):
                return number
    return len(lines)


def _candidates(sums: Sequence[Sum], evidence: Evidence) -> list[_Candidate]:
    times = repeated(sums)
    before = _before_rounding(sums, evidence)
    found = []
    for entry in sums:
        label = _weight(entry)
        if entry.partial:
            found += _completed(entry, label, times, evidence)
            continue
        # A payment by card is no witness for itself.
        own = CHARGED if entry.has(CARD) else ""
        more = max(evidence.weight(entry.value, but=own), before.get(entry.value, 0.0)) + 0.5 * min(
            times[entry.value] - 1, 3
        )
        plain = label == 0 and not entry.has(LABELS) and not entry.has(COUNT)
        if label > 0 or (plain and more >= _UNLABELLED):
            found.append(_Candidate(entry.value, entry, label + more))
        if label > 2:
            found += _rounded(entry, label, sums, evidence)
    return found + _reckoned(sums, evidence)


def _before_rounding(sums: Sequence[Sum], evidence: Evidence) -> dict[Decimal, float]:
    """What speaks for a sum that a till rounded, whatever of the rounding itself was read."""
    if not any("ROUNDING" in entry.words for entry in sums):
        return {}
    weights: dict[Decimal, float] = {}
    for value in evidence.values():
        rounded = (value / _ROUNDING).quantize(Decimal(1), ROUND_HALF_UP) * _ROUNDING
        weights[rounded] = max(weights.get(rounded, 0.0), evidence.weight(value))
    return weights


def _rounded(entry: Sum, label: float, sums: Sequence[Sum], evidence: Evidence) -> list[_Candidate]:
    """A total in single cents together with the rounding that the paper prints."""
    if entry.value % _ROUNDING == 0:
        return []
    made = {value for value in evidence.values() if 0 < abs(value - entry.value) < _ROUNDING}
    steps = {abs(other.value) for other in sums if "ROUNDING" in other.words}
    found = []
    for value in made:
        if value % _ROUNDING == 0 and abs(value - entry.value) in steps:
            printed = next((other for other in sums if other.value == value and other.has(ASKED)), entry)
            weight = max(evidence.weight(value), evidence.weight(entry.value))
            found.append(_Candidate(value, printed, label + weight + 0.5))
    return found


def _reckoned(sums: Sequence[Sum], evidence: Evidence) -> list[_Candidate]:
    """What was handed over less what was given back, where it is printed nowhere or beside no label."""
    handed = next((entry for entry in sums if entry.has(CASH) and "CHANGE" not in entry.words), None)
    if handed is None or any(entry.whole for entry in sums if "CHANGE" in entry.words):
        return []
    return [_Candidate(value, handed, evidence.weight(value) - 1.5) for value in evidence.made_by(PAID)]


def _completed(entry: Sum, label: float, times: Counter[Decimal], evidence: Evidence) -> list[_Candidate]:
    """A total of which only "20." was read is one of the other values that begin so."""
    whole = [value for value in {*times, *evidence.values()} if value // 1 == entry.value and value % 1]
    return [_Candidate(value, entry, label - 2.0 + evidence.weight(value)) for value in whole[:4]]


def _weight(entry: Sum) -> float:
    """How much the words say that this is the sum to pay; 0: they don't."""
    words = entry.words
    if "CHANGE" in words or words & COUNT or entry.value <= 0:
        return 0.0
    if not words & ASKED:
        # What was charged to a card is the total, if nothing else is.
        return 2.5 if words & CARD and not words & (TAX | CASH) else 0.0
    if entry.is_subtotal:
        score = 2.0
    elif "ROUNDING" in words and "TOTAL" not in words:
        # Some tills print the sum after rounding beside the bare word.
        score = 7.0 if entry.value >= 1 and not words & _ADJUSTING else 0.0
    elif words & _ADJUSTING or (words & _OTHER_TOTAL and not words & INCLUSIVE) or _is_share_of_tax(entry):
        score = 0.5
    elif "TOTAL" in words:
        score = 6.0 + 2.0 * bool(words & _STRONG) - 0.5 * bool(words & INCLUSIVE) - 1.0 * ("SALES" in words)
    elif words & {"PAYABLE", "NETT", "ROUNDED", "DUE"}:
        score = 6.0
    else:
        score = 1.0
    return max(0.1, score - 1.0 * (not entry.last) - 2.0 * entry.torn) if score else 0.0


def _is_share_of_tax(entry: Sum) -> bool:
    """Whether the line tells the tax: "Total GST", "GST included in total", "(Total included GST: 1.09)"."""
    words = entry.words
    if not words & TAX or "ROUNDED" in words:
        return False
    if "PAYABLE" in words:
        return not words & (INCLUSIVE | {"TOTAL", "AMOUNT", "NETT"})
    first = entry.line.upper().find("TOTAL")
    before = read_words(entry.line[: max(first, 0)]) & TAX
    return not words & INCLUSIVE or bool(before) or entry.line.startswith(("(", "{"))


def _of_a_till(lines: Sequence[str], sums: Sequence[Sum], evidence: Evidence) -> list[_Candidate]:
    """Where no label was readable: the sum of a till slip that most speaks for, else its largest."""
    words = frozenset().union(*(read_words(line) for line in lines[:200]))
    if len(words & _TILL) < 2:
        return []
    full = [entry for entry in sums if not entry.partial and entry.value > 0]
    full = [entry for entry in full if not entry.whole] or full
    plain = [entry for entry in full if not entry.has(CASH | COUNT | CARD | {"CHANGE"})]
    paid = [entry for entry in full if entry.has(CASH | CARD) and "CHANGE" not in entry.words]
    begun = {entry.value for entry in sums if entry.partial and _weight(entry) > 2}
    if begun:
        # The total was read in part: what does not begin so is not the total.
        plain = paid = [entry for entry in plain if entry.value // 1 in begun]
    times = repeated(plain or paid)
    return [
        _Candidate(entry.value, entry, _support(entry.value, times, evidence) + float(entry.value) * 1e-9)
        for entry in plain or paid
    ]


def _support(value: Decimal, times: Counter[Decimal], evidence: Evidence) -> float:
    """What speaks for a sum without a label; one that is nearly what was paid has a witness, too."""
    nearly = any(_is_misread(value, other) for other in evidence.made_by(PAID))
    return evidence.weight(value) + 0.5 * min(times[value] - 1, 3) + 3.0 * nearly


def _put_right(best: _Candidate, sums: Sequence[Sum], evidence: Evidence) -> _Candidate:
    """The candidate, or what the other sums make of it where a single figure was read otherwise.

    A value that stands on the paper twice, but for rounding, is right as it is.
    """
    printed = sum(abs(entry.value - best.value) <= _ROUNDING for entry in sums)
    if printed > 1 or evidence.ways(best.value) or not _weight(best.entry):
        return best
    times = repeated(sums)
    close = {
        value
        for value in evidence.values()
        if _is_misread(best.value, value) and (times[value] > 1 or _is_reliable(evidence.ways(value)))
    }
    ranked = sorted(close, key=evidence.weight, reverse=True)
    if not ranked or (len(ranked) > 1 and evidence.weight(ranked[0]) == evidence.weight(ranked[1])):
        return best
    return _Candidate(ranked[0], best.entry, best.weight)


def _is_reliable(ways: Sequence[str]) -> bool:
    return len(ways) > 1 or ways[0] in (PAID, TAXED)


def _is_misread(printed: Decimal, other: Decimal) -> bool:
    one, two = f"{printed:.2f}", f"{other:.2f}"
    if printed == other * 100:
        return True
    return (
        abs(printed - other) > _ROUNDING
        and len(one) == len(two)
        and sum(a != b for a, b in zip(one, two, strict=True)) == 1
    )


def _told(best: _Candidate, sums: Sequence[Sum], evidence: Evidence) -> Finding:
    doubt = _doubt(best, sums, evidence)
    backed = not doubt and bool(evidence.ways(best.value))
    return Finding(f"{best.value:.2f}", (best.entry.span,), doubt, backed)


def _doubt(best: _Candidate, sums: Sequence[Sum], evidence: Evidence) -> str | None:
    ways = evidence.ways(best.value)
    entry = best.entry
    if best.value != entry.value:
        printed = entry.line[entry.span.start : entry.span.end].strip()
        by = " and ".join(ways) or "another sum on the paper"
        return f"the paper has {printed} here; by {by}, it is {best.value:.2f}"
    if ways:
        return None
    if not _weight(entry):
        return "no label says that this is the total"
    strong = [value for value in evidence.values() if evidence.weight(value) >= _TELLING]
    near = any(abs(value - best.value) < _ROUNDING for value in strong)
    if strong and not near and repeated(sums)[best.value] < 2:
        other = max(strong, key=evidence.weight)
        return f"by {evidence.ways(other)[0]}, it would be {other:.2f}"
    return "its decimal point was not read" if entry.torn else None

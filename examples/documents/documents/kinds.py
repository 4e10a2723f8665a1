"""What kinds of documents there are: the definitions are the model that sorts them.

A definition is one line. Before its colon it says what the kind is; after it come words that
such papers carry. The definition of "other" lists what else there may be, and each of these is
compared too. Another glossary, written in the same way, is sorted by the same functions.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from cim.ports.judging import Embedding

__all__ = ["GLOSSARY", "OTHER", "gist", "nearest", "signs"]

OTHER = "other"

GLOSSARY: dict[str, str] = {
    "invoice": (
        "An invoice or bill that asks a customer to pay for goods or services: invoice number, bill to, "
        "quantity, price, amount due, VAT, payment terms, bank account."
    ),
    "receipt": (
        "A receipt for what was bought and paid: items, quantity, subtotal, total, tax, rounding, cash, "
        "card, change, paid, cashier, till, thank you, please come again."
    ),
    "letter": (
        "A letter or message from one person or business to another, that tells, asks, thanks, confirms or "
        "invites: dear sir or madam, hello, we have received your, thank you for your, yours sincerely, "
        "faithfully, kind regards, best wishes, love, enclosed, looking forward."
    ),
    "complaint": (
        "A complaint that what was ordered or paid for came late, incomplete or damaged, does not work or is "
        "not what was promised, or that nobody helped, and that asks for a refund, a repair or an apology: "
        "complain, dissatisfied, disappointed, unacceptable, refund, compensation, apology, fault, delay, "
        "dear sir or madam, yours sincerely, faithfully, kind regards, best wishes."
    ),
    "report": (
        "A report of what was examined, measured, done or reached, and what was found: summary, method, "
        "results, findings, cause, status, key figures, assessment, conclusions, recommendations, risks, "
        "next steps."
    ),
    OTHER: (
        "A document of another kind: a recipe, a poem, a story, a novel, a news article, a curriculum "
        "vitae, a contract, a licence, a manual with instructions, a description of a product, an "
        "advertisement, a leaflet, an invitation to an event, a timetable, a menu, a form, an encyclopedia "
        "entry, a text in a foreign language."
    ),
}

# How much each piece of evidence counts, in nats: nearness, words in lines of form, words in the
# rest, the chance of "other". They were fitted on the development half of benches/judged, so that
# the scores are shares of right answers; benches/judging.py measures it.
_NEAR, _FORM, _TOLD, _OTHER = 12.2, 2.35, 1.05, 0.9
# Two texts that have nothing to do with each other are about as near as this.
_UNRELATED = 0.15
_HEAD, _TAIL = 500, 200
_SHORT = 6
_STEM = 6


def nearest(body: str, glossary: Mapping[str, str], embedding: Embedding) -> tuple[str, float]:
    """The kind that a text is most likely of, and how likely: from 0 to 1.

    The score is a confidence: of many texts with 0.8, about eight in ten are of the kind told.
    It weighs how near the text lies to each definition (the cosine of the vectors) and which of
    a definition's words stand in it. Where there is nothing to go by, no words or no kinds, it is
    "other" with the score 0.
    """
    kinds = [kind for kind in glossary if kind != OTHER]
    if not kinds or not _lines(body):
        return OTHER, 0.0
    told = {kind: signs(kind, glossary[kind]) for kind in kinds}
    others = _others(glossary.get(OTHER, ""))
    vector, *found = embedding.embed([gist(body, told), *(glossary[kind] for kind in kinds), *others])
    near = [sum(a * b for a, b in zip(vector, other, strict=True)) for other in found]
    words = _evidence(body, told)
    evidence = {kind: _NEAR * cosine + words[kind] for kind, cosine in zip(kinds, near, strict=False)}
    evidence[OTHER] = _NEAR * max([_UNRELATED, *near[len(kinds) :]]) + _OTHER
    return _likeliest(evidence)


def gist(body: str, told: Mapping[str, Iterable[str]]) -> str:
    """The part of a text that tells its kind: lines of form, the beginning and the end.

    What a letter is about says little of its being a letter; its salutation says it. A line of
    form is a short one with a word that the definitions name (`told`, from `signs`). Lines
    without words hold only numbers, say nothing of the kind, and drown what does.
    """
    lines = _lines(body)
    named = {word for words in told.values() for word in words}
    form = [line for line in lines if _is_short(line) and not named.isdisjoint(_stems(line))]
    text = " ".join(lines)
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]} ... {text[-_TAIL:]}"
    return f"{'. '.join(form[:8])}. {text}" if form else text


def signs(kind: str, definition: str) -> frozenset[str]:
    """The words, cut to their stems, that a definition says its papers carry: its own name too."""
    before, _, after = definition.partition(":")
    return frozenset(_stems(f"{kind} {after or before}"))


def _others(definition: str) -> list[str]:
    """What else there may be, one by one."""
    return [other.strip(" .") for other in definition.partition(":")[2].split(",") if other.strip(" .")]


def _evidence(body: str, told: Mapping[str, frozenset[str]]) -> dict[str, float]:
    """What the words of a text say for each kind; a word that many kinds share says little."""
    lines = _lines(body)
    form = {stem for line in lines if _is_short(line) for stem in _stems(line)}
    rest = {stem for line in lines for stem in _stems(line)} - form
    shared = Counter(word for words in told.values() for word in words)
    most = math.log(len(told)) or 1.0
    weight = {word: 1 - math.log(count) / most for word, count in shared.items()}
    return {
        kind: _FORM * math.log1p(math.fsum(weight[word] for word in words & form))
        + _TOLD * math.log1p(math.fsum(weight[word] for word in words & rest))
        for kind, words in told.items()
    }


def _likeliest(evidence: Mapping[str, float]) -> tuple[str, float]:
    best = max(evidence, key=lambda kind: evidence[kind])
    return best, 1 / sum(math.exp(value - evidence[best]) for value in evidence.values())


def _lines(body: str) -> Sequence[str]:
    """The lines that hold words, without what is no word."""
    worded = (
        [word for word in line.split() if re.search(r"[^\W\d_]{2}", word)] for line in body.splitlines()
    )
    return [" ".join(words) for words in worded if any(len(word) > 2 for word in words)]


def _is_short(line: str) -> bool:
    return len(line.split()) <= _SHORT


def _stems(text: str) -> Iterable[str]:
    """The words of three letters and more, in small letters, cut so that "complain" meets "complaint"."""
    return (word.rstrip("s")[:_STEM] for word in re.findall(r"[^\W\d_]{3,}", text.lower()))

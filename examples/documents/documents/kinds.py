"""What kinds of documents there are: the definitions are the model that sorts them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["GLOSSARY", "OTHER", "gist", "nearest"]

OTHER = "other"

GLOSSARY: dict[str, str] = {
    "invoice": "An invoice that asks a customer to pay for goods or services: invoice number, bill to, "
    "amount due, payment terms.",
    "receipt": "A receipt from a shop till for a sale that was paid: items, quantity, total, cash, change, "
    "cashier, thank you.",
    "letter": "A letter that one person or business writes to another, with Dear Sir or Madam at the "
    "beginning and yours sincerely, kind regards at the end.",
    "complaint": "A complaint by an unhappy customer who tells what was broken, late or wrong and demands "
    "a refund or an apology.",
    "report": "A report that tells results and findings in sections: summary, method, results, "
    "conclusions, recommendations.",
    OTHER: "Any document of another kind.",
}

_FLOOR = 0.15
_HEAD, _TAIL = 500, 200
# Words of form. A till prints "tax invoice" on a receipt, so neither of the two is here.
_FORM = re.compile(
    r"\b(dear|to whom|sincerely|faithfully|regards|wishes|yours|love|enclosed|subject|complain\w*|report"
    r"|summary|results?|findings|conclusions?|recommendations?)\b",
    re.IGNORECASE,
)


def nearest(
    vector: Sequence[float], definitions: Mapping[str, Sequence[float]], floor: float = _FLOOR
) -> tuple[str, float]:
    """The kind whose definition lies nearest, and how near: the cosine, from -1 to 1.

    All vectors have unit length. Where nothing reaches the floor, it is "other", with the
    score of what came nearest; the definition of "other" itself is never compared.
    """
    scores = {
        kind: sum(a * b for a, b in zip(vector, other, strict=True))
        for kind, other in definitions.items()
        if kind != OTHER
    }
    kind = max(scores, key=lambda name: scores[name], default=OTHER)
    score = scores.get(kind, 0.0)
    return (kind, score) if score >= floor else (OTHER, score)


def gist(body: str) -> str:
    """The part of a text that tells its kind: words of form, the beginning and the end.

    What a letter is about says little of its being a letter; its salutation says it. Lines
    without words and numbers say nothing of the kind, and drown what does.
    """
    lines = [line for line in map(_words_of, body.splitlines()) if line]
    form = [line for line in lines if len(line.split()) <= 6 and _FORM.search(line)]
    text = " ".join(lines)
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]} ... {text[-_TAIL:]}"
    return f"{'. '.join(form[:8])}. {text}" if form else text


def _words_of(line: str) -> str:
    words = [word for word in line.split() if re.search(r"[A-Za-z]{2}", word) or word in ("A", "a", "I")]
    return " ".join(words) if any(len(word) > 2 for word in words) else ""

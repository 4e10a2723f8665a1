"""The company that a paper comes from, by its letterhead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .lines import Finding, Span
from .wording import read_words

__all__ = ["find_company"]

_HEAD = 14
_LONGEST = 200
_SUFFIX = re.compile(
    r"\b(?:SDN\.? BHD|S/B|BERHAD|ENTERPRISES?|TRADING|LTD|LIMITED|LLC|LLP|PLC|INC|CORP|CORPORATION|COMPANY"
    r"|GMBH|AG|KG|S\.?A\.?R\.?L|B\.V|N\.V|PTY|PTE|HOLDINGS?|RESTAURANT|RESTORAN|HARDWARE|SUPERMARKET"
    r"|HYPERMARKET|STORES?|BAKERY|BAKERIES|PHARMACY|STATION|HOTEL|SUPPLIES|SERVICES|PERNIAGAAN|& SONS|& CO"
    r"|ASSOCIATION|INSTITUTE)\b\.?",
    re.IGNORECASE,
)
_LEGAL = re.compile(r"\b(?:SDN\.? BHD|S/B|BERHAD|LTD|LIMITED|LLC|LLP|PLC|INC|GMBH)\b\.?", re.I)
_NOT_A_NAME = {
    "INVOICE", "RECEIPT", "TEL", "FAX", "GST", "DATE", "TAX", "EMAIL", "BILL", "JALAN", "JLN", "LOT", "ROAD",
    "STREET", "AVENUE", "LANE", "TAMAN", "TOTAL", "CASHIER", "CASH", "WELCOME", "THANK", "DEAR", "PAGE", "NO",
    "PHONE", "WWW", "REG", "BOX", "REPORT", "STATEMENT", "COPY", "POSTED", "OPERATED", "SUBJECT", "FLOOR",
    "QTY", "AMOUNT", "TABLE", "TIME", "YOUR", "OUR", "ORDER", "DESCRIPTION", "REFUNDABLE", "GOODS", "PLEASE",
    "SOLD", "RETURNABLE", "EXCHANGEABLE", "AGAIN", "VISIT",
}  # fmt: skip
# What OCR makes of dirt at the edges: "i The Copper Kettle a".
_SPECK = re.compile(r"^(?:[^A-Z0-9\s]{1,2}\s+)+|(?:\s+[^A-Z0-9\s])+$")
_REGISTRATION = re.compile(r"[\[({][^)\]}]{0,24}\d{3}.*$|\s[-\u2013]?\s*\(?\d{4,}[-\s]?[A-Z]?\)?.*$")
# Legal forms as OCR leaves them, and as they are.
_MISREAD = (
    (re.compile(r"\b[S5$]\S{1,3}?[.,]?\s?[B8][HN][DO0]\b"), "SDN BHD"),
    (re.compile(r"\b[Ss]\S{1,3}?[.,]?\s?Bh[do]\b"), "Sdn Bhd"),
    (re.compile(r"(?<=[A-Z] )[S5$]/[B852RD]$"), "S/B"),
    (re.compile(r"(?<=[A-Za-z])\?(?=[A-Za-z])"), "'"),
)
_EDGES = " \t.,:;-_~*=+@'\"`|\\/<>#()[]{}\u00ab\u00bb\u201c\u201d\u2018\u2019\u2014\u2013\u00b0\u2022"


def find_company(lines: Sequence[str]) -> Finding | None:
    """The company that made the paper, as its head has it; None where no line looks like a name.

    A line with a company's legal form ("... Sdn Bhd", "... Ltd") beats one that only stands
    first.
    """
    head = [line[:_LONGEST].strip() for line in lines[:_HEAD]]
    best = 0.0
    found: Finding | None = None
    for number, line in enumerate(head):
        parts = _parts(head, number)
        name = " ".join(_trim(head[part]) for part in parts)
        score = _likeness(line, name) - number * 0.25
        if score > best:
            best, found = score, Finding(name, tuple(_span(head, part) for part in parts))
    return found


def _parts(head: Sequence[str], number: int) -> tuple[int, ...]:
    """The lines of the name: a legal form that begins its line ends the name of the line above."""
    name = _trim(head[number])
    rest = _SUFFIX.sub("", name).strip(_EDGES)
    if (
        number
        and _LEGAL.search(name)
        and len(re.findall(r"\w{2,}", _LEGAL.sub("", name))) <= 1
        and len(rest) < 12
    ):
        above = _trim(head[number - 1])
        if above and not read_words(above) & _NOT_A_NAME and not re.search(r"\d{3}", above):
            return number - 1, number
    return (number,)


def _span(head: Sequence[str], number: int) -> Span:
    """Where the name stands in its line: from its first word to its last."""
    words = _trim(head[number]).split()
    line = head[number]
    start = max(line.find(words[0]), 0)
    end = line.rfind(words[-1])
    return Span(number, start, end + len(words[-1]) if end >= start else len(line))


def _trim(line: str) -> str:
    text = " ".join(line.split())
    cut = _REGISTRATION.sub("", text)
    text = cut if re.search(r"[A-Za-z]{3}", cut) else text
    text = _SPECK.sub("", text.strip(_EDGES.replace("(", "").replace(")", "")))
    for misread, right in _MISREAD:
        text = misread.sub(right, text)
    # What a logo left behind the legal form: "Hartwell & Finch Ltd @)".
    ends = [match.end() for match in _LEGAL.finditer(text)]
    if ends and len(re.findall(r"[A-Za-z]", text[ends[-1] :])) < 3:
        text = text[: ends[-1]]
    # The like of it behind what a company is: "The Copper Kettle Restaurant 4".
    kinds = [match.end() for match in _SUFFIX.finditer(text)]
    if kinds and re.fullmatch(r"\s+[\da-z]", text[kinds[-1] :]):
        text = text[: kinds[-1]]
    while text.count("(") < text.count(")") and text.endswith(")"):
        text = text[:-1].strip(_EDGES)
    return text


def _likeness(line: str, name: str) -> float:
    """How much a line of the head looks like a company's name; 0 or less: not at all."""
    words = read_words(name)
    letters = sum(char.isalpha() for char in name)
    legal = bool(_LEGAL.search(name))
    if (
        letters < 4
        or letters < 0.6 * len(name.replace(" ", ""))
        or re.search(r"\w@\w", line)
        or "www." in line.lower()
    ):
        return 0.0
    if words & _NOT_A_NAME and not legal:
        return 0.0
    long_words = sum(len(word) > 2 for word in words)
    if not legal and len(words) > 4 and long_words < 0.6 * len(words):
        return 0.0
    score = 3.0 + 2.5 * bool(_SUFFIX.search(name)) + 1.5 * legal + 0.5 * (long_words >= 2)
    return score - 1.0 * (name.count(",") > 0) - 1.5 * bool(words & _NOT_A_NAME)

"""What a person may say of a document, in the form in which the machine keeps it."""

from __future__ import annotations

import datetime
import re

from cim import Reject

from .kinds import GLOSSARY

__all__ = ["checked"]

_SUM = re.compile(r"\d+\.\d{2}")


def checked(
    date: str | None, total: str | None, company: str | None, kind: str | None
) -> tuple[str | None, str | None, str | None, str | None]:
    """The four without blanks around them; raises :class:`Reject` naming what is not well-formed.

    None says nothing of a fact, an empty text says that there is none.
    """
    date, total, company, kind = (
        None if said is None else said.strip() for said in (date, total, company, kind)
    )
    if date and not _is_day(date):
        raise Reject(f"date {date!r} is no day: write it as 2018-12-25")
    if total and not _SUM.fullmatch(total):
        raise Reject(f"total {total!r} is no sum: write it with two places and no currency, as 80.90")
    if kind and kind not in GLOSSARY:
        raise Reject(f"kind {kind!r} is not known: choose one of {', '.join(GLOSSARY)}")
    return date, total, company, kind


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False

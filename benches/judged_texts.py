"""The texts of benches/judged: written for this project, in two halves, and what is true of each.

`development` is what definitions, weights and thresholds were chosen on. `held_out` is only
measured. A file is named after the kind of its documents; each begins with a line
`=== mood M`, where M is what its writer felt about it on the raters' scale, -4 to 4. Documents
are never trained on. `sentences.tsv` holds single sentences of letters, and `words.tsv` words
and phrases, each with such a mood: those of `development` join the training of the sentiment.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["HALVES", "JUDGED", "Judged", "Mood", "documents", "moods"]

JUDGED = Path(__file__).with_name("judged")
Half = Literal["development", "held_out"]
HALVES: tuple[Half, ...] = ("development", "held_out")
_SCALE = 4


@dataclass(frozen=True)
class Judged:
    """A document: its text, its kind, and its mood from -1 to 1."""

    kind: str
    mood: float
    body: str

    @property
    def label(self) -> str:
        """The mood by name; up to half a step of the raters' scale is neutral."""
        if abs(self.mood) <= 0.5 / _SCALE:
            return "neutral"
        return "positive" if self.mood > 0 else "negative"


@dataclass(frozen=True)
class Mood:
    """A short text and how it feels, from -1 to 1."""

    text: str
    rating: float


def documents(half: Half) -> list[Judged]:
    """The documents of a half, kind by kind."""
    found = []
    for path in sorted((JUDGED / half).glob("*.txt")):
        for part in re.split(r"^=== mood ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            mood, _, body = part.partition("\n")
            found.append(Judged(path.stem, float(mood) / _SCALE, body.strip()))
    return found


def moods(path: Path) -> list[Mood]:
    """The rated texts of a table with a column of ratings, named `..._-4_to_4`, and one of texts."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        column = next(name for name in rows.fieldnames or () if name.endswith("_-4_to_4"))
        return [Mood(row["text"], float(row[column]) / _SCALE) for row in rows]

"""Train the weights of cim/providers/ridge.json and tell how good they are.

    uv run python benches/train_sentiment.py [--folder ../shared/data/sentiment] [--write]

The data (MIT) is not the project's own: it is read where it lies. Quality is told on texts
that were held back: by five folds over all texts, and from each source to the other.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cim.providers.minilm import MiniLM

SENTIMENT = Path(__file__).parents[2] / "shared" / "data" / "sentiment"
WEIGHTS = Path(__file__).parents[1] / "src" / "cim" / "providers" / "ridge.json"
SOURCES = ("amazonReviewSnippets.tsv", "nytEditorialSnippets.tsv")
# The best of 0.3, 1, 3, 10 and 30 on held-out texts; the neighbours lose about .01.
PENALTY = 3.0
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rated:
    """Texts as vectors (n, 384), and what people felt, from -1 to 1 (n)."""

    vectors: Vector
    ratings: Vector


@dataclass(frozen=True)
class Head:
    """What a ridge regression learnt."""

    weights: Vector
    bias: float

    def __call__(self, vectors: Vector) -> Vector:
        return np.clip(vectors @ self.weights + self.bias, -1.0, 1.0)


def load(folder: Path, sources: Iterable[str] = SOURCES) -> Rated:
    """The rated texts of some sources, ratings scaled from -4..4 to -1..1."""
    rows: list[list[str]] = []
    for source in sources:
        with (folder / source).open(encoding="utf-8", newline="") as file:
            rows += list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    vectors = np.array(MiniLM().embed([row[2] for row in rows]))
    return Rated(vectors, np.array([float(row[1]) / 4 for row in rows]))


def train(rated: Rated, penalty: float = PENALTY) -> Head:
    """Ridge regression in closed form; the bias is not held down."""
    mean, middle = rated.vectors.mean(axis=0), float(rated.ratings.mean())
    centred = rated.vectors - mean
    squares = centred.T @ centred + penalty * np.eye(centred.shape[1])
    weights = np.linalg.solve(squares, centred.T @ (rated.ratings - middle))
    return Head(weights, middle - float(mean @ weights))


def quality(head: Head, held_back: Rated) -> tuple[float, float]:
    """Pearson's r, and how often the sign is right where people were not neutral (over 0.125)."""
    return _quality(head(held_back.vectors), held_back.ratings)


def _quality(found: Vector, ratings: Vector) -> tuple[float, float]:
    clear = np.abs(ratings) > 0.125
    signs = np.sign(found[clear]) == np.sign(ratings[clear])
    return float(np.corrcoef(found, ratings)[0, 1]), float(signs.mean())


def folds(rated: Rated, penalty: float = PENALTY, count: int = 5) -> tuple[float, float]:
    """The quality over all texts, each judged by a head that did not see it."""
    order = np.random.default_rng(0).permutation(len(rated.ratings))
    found = np.zeros(len(order))
    for held in np.array_split(order, count):
        seen = np.setdiff1d(order, held)
        head = train(Rated(rated.vectors[seen], rated.ratings[seen]), penalty)
        found[held] = head(rated.vectors[held])
    return _quality(found, rated.ratings)


def written(head: Head) -> bytes:
    """The content of ridge.json; six decimals, so that it is the same on every machine."""
    told = {"bias": round(head.bias, 6), "weights": [round(float(weight), 6) for weight in head.weights]}
    return (json.dumps(told, separators=(",", ":")) + "\n").encode("ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=SENTIMENT)
    parser.add_argument("--write", action="store_true", help="write src/cim/providers/ridge.json")
    asked = parser.parse_args()
    if not asked.folder.is_dir():
        parser.error(f"{asked.folder} is not here: name the folder of rated texts by --folder")
    reviews, editorials = (load(asked.folder, [source]) for source in SOURCES)
    both = Rated(
        np.concatenate([reviews.vectors, editorials.vectors]),
        np.concatenate([reviews.ratings, editorials.ratings]),
    )
    print("held back                    r    sign")
    for penalty in (0.3, 1.0, 3.0, 10.0, 30.0):
        print(f"five folds, penalty {penalty:<4}   {'  '.join(f'{x:.3f}' for x in folds(both, penalty))}")
    for name, seen, held in (
        ("reviews to editorials", reviews, editorials),
        ("editorials to reviews", editorials, reviews),
    ):
        print(f"{name:<24}   {'  '.join(f'{x:.3f}' for x in quality(train(seen), held))}")
    for name, part in (("folds, reviews only", reviews), ("folds, editorials only", editorials)):
        print(f"{name:<24}   {'  '.join(f'{x:.3f}' for x in folds(part))}")
    content = written(train(both))
    print(f"ridge.json SHA-256 {hashlib.sha256(content).hexdigest()}")
    if asked.write:
        WEIGHTS.write_bytes(content)
        print(f"written: {WEIGHTS.name}; pin the SHA-256 in cim/providers/weights.py")


if __name__ == "__main__":
    main()

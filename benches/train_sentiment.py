"""Train the weights of cim/providers/ridge.json and tell how good they are.

    uv run python benches/train_sentiment.py [--folder ../shared/data/sentiment] [--write]

Two sources: short texts that twenty people rated each (Hutto and Gilbert, ICWSM 2014; MIT; not
the project's own, read where they lie), and what this project wrote and rated itself, words and
sentences of letters (benches/judged/development). Quality is told on texts that were held back:
by five folds over all rated by people, and from each file of these to the other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cim.providers.minilm import MiniLM
from judged_texts import JUDGED, moods

SENTIMENT = Path(__file__).parents[2] / "shared" / "data" / "sentiment"
WEIGHTS = Path(__file__).parents[1] / "src" / "cim" / "providers" / "ridge.json"
SOURCES = ("amazonReviewSnippets.tsv", "nytEditorialSnippets.tsv")
# The sentences stand here twice: there are few, and letters are what the machine reads.
OWN = ("words.tsv", "sentences.tsv", "sentences.tsv")
# 3, 5, 10 and 20 lie within .02 of each other from file to file; on the moods of the
# development documents 5 has an r of .64 and 10 one of .61.
PENALTY = 5.0
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rated:
    """Texts as vectors (n, 384), and what people felt, from -1 to 1 (n)."""

    vectors: Vector
    ratings: Vector

    def __add__(self, other: Rated) -> Rated:
        return Rated(
            np.concatenate([self.vectors, other.vectors]), np.concatenate([self.ratings, other.ratings])
        )


@dataclass(frozen=True)
class Head:
    """What a ridge regression learnt."""

    weights: Vector
    bias: float

    def __call__(self, vectors: Vector) -> Vector:
        return np.clip(vectors @ self.weights + self.bias, -1.0, 1.0)


def load(folder: Path, sources: Iterable[str] = SOURCES) -> Rated:
    """The rated texts of some files of a folder, ratings scaled from -4..4 to -1..1."""
    texts = [mood for source in sources for mood in moods(folder / source)]
    vectors = np.array(MiniLM().embed([mood.text for mood in texts]))
    return Rated(vectors, np.array([mood.rating for mood in texts]))


def own() -> Rated:
    """What this project wrote and rated itself, for training."""
    return load(JUDGED / "development", OWN)


def train(rated: Rated, penalty: float = PENALTY) -> Head:
    """Ridge regression in closed form; the bias is not held down."""
    mean, middle = rated.vectors.mean(axis=0), float(rated.ratings.mean())
    centred = rated.vectors - mean
    squares = centred.T @ centred + penalty * np.eye(centred.shape[1])
    weights = np.linalg.solve(squares, centred.T @ (rated.ratings - middle))
    return Head(weights, middle - float(mean @ weights))


def quality(found: Vector, ratings: Vector) -> tuple[float, float]:
    """Pearson's r, and how often the sign is right where people were not neutral (over 0.125)."""
    clear = np.abs(ratings) > 0.125
    signs = np.sign(found[clear]) == np.sign(ratings[clear])
    return float(np.corrcoef(found, ratings)[0, 1]), float(signs.mean())


def folds(rated: Rated, beside: Rated | None = None, count: int = 5) -> Vector:
    """A score for each text from a head that did not see it; `beside` is in every training."""
    order = np.random.default_rng(0).permutation(len(rated.ratings))
    found = np.zeros(len(order))
    for held in np.array_split(order, count):
        kept = np.setdiff1d(order, held)
        seen = Rated(rated.vectors[kept], rated.ratings[kept])
        found[held] = train(seen + beside if beside else seen)(rated.vectors[held])
    return found


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
    both, letters = reviews + editorials, own()
    print("held back                    r    sign")
    for name, found, ratings in (
        ("five folds", folds(both, letters), both.ratings),
        ("reviews to editorials", train(reviews + letters)(editorials.vectors), editorials.ratings),
        ("editorials to reviews", train(editorials + letters)(reviews.vectors), reviews.ratings),
    ):
        print(f"{name:<24}   {'  '.join(f'{x:.3f}' for x in quality(found, ratings))}")
    content = written(train(both + letters))
    print(f"ridge.json SHA-256 {hashlib.sha256(content).hexdigest()}")
    if asked.write:
        WEIGHTS.write_bytes(content)
        print(f"written: {WEIGHTS.name}; pin the SHA-256 in cim/providers/weights.py")


if __name__ == "__main__":
    main()

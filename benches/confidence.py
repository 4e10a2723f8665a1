"""How much a confidence is worth: the share of right words for what a reader says, held back and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt

from cim.providers.calibration import Calibration, fitted

matplotlib.use("svg")
from matplotlib import pyplot

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "confidence.svg"
BINS = 10
SPLITS = 10
NINE_IN_TEN = (0.85, 0.95)
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """The words of one page: the reader's confidence of each (n), and whether it is right (n)."""

    said: _Floats
    right: _Floats

    def through(self, calibration: Calibration) -> Judged:
        return Judged(np.array([calibration(value) for value in self.said]), self.right)


@dataclass(frozen=True)
class Worth:
    """The expected calibration error over ten bins, and words said with 0.85 to 0.95: share right, number."""

    error: float
    share: float
    number: int


def together(pages: Sequence[Judged]) -> Judged:
    return Judged(np.concatenate([p.said for p in pages]), np.concatenate([p.right for p in pages]))


def fit(pages: Sequence[Judged]) -> Calibration:
    words = together(pages)
    return fitted(words.said.tolist(), (words.right > 0).tolist())


def worth(words: Judged) -> Worth:
    """What the confidence of these words is worth."""
    gaps = [
        abs(words.said[bin].mean() - words.right[bin].mean()) * bin.mean()
        for bin in _bins(words)
        if bin.any()
    ]
    nine = (words.said >= NINE_IN_TEN[0]) & (words.said < NINE_IN_TEN[1])
    share = float(words.right[nine].mean()) if nine.any() else float("nan")
    return Worth(float(sum(gaps)), share, int(nine.sum()))


def _bins(words: Judged) -> list[npt.NDArray[np.bool_]]:
    places = np.minimum((words.said * BINS).astype(int), BINS - 1)
    return [places == number for number in range(BINS)]


def held_back(pages: Sequence[Judged]) -> list[Judged]:
    """Ten times the words of half of the pages, calibrated by a line that was fitted on the other half."""
    splits: list[Judged] = []
    for split in range(SPLITS):
        order = np.random.default_rng(split).permutation(len(pages))
        half = len(pages) // 2
        calibration = fit([pages[place] for place in order[:half]])
        splits.append(together([pages[place].through(calibration) for place in order[half:]]))
    return splits


def mean_worth(splits: Sequence[Judged]) -> Worth:
    """The mean error of the splits; put together, their errors would cancel out."""
    error = float(np.mean([worth(split).error for split in splits]))
    return replace(worth(together(splits)), error=error)


def draw(curves: dict[str, list[Judged]]) -> None:
    """The reliability plot: for each bin of ten, the share of right words over the mean of what was said."""
    pyplot.rcParams["svg.hashsalt"] = "cim"
    figure, axes = pyplot.subplots(figsize=(5.5, 5.0))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="what it says is what it is")
    for name, splits in curves.items():
        words = together(splits)
        bins = [bin for bin in _bins(words) if bin.sum() >= 20]
        said, right = ([float(values[bin].mean()) for bin in bins] for values in (words.said, words.right))
        axes.plot(said, right, marker="o", label=name)
    axes.set(xlabel="confidence said", ylabel="share of words read right", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")
    figure.tight_layout()
    IMAGE.parent.mkdir(exist_ok=True)
    figure.savefig(IMAGE, metadata={"Date": None})
    pyplot.close(figure)

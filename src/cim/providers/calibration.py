"""What a reader's confidence is worth: of words with 0.9, nine in ten shall be right.

A reader's own confidence orders its words well but is no share of right ones. So each reader
hands its confidence through a rising line, fitted on words whose truth is known: first the
best step function that never falls (isotonic regression by pooling adjacent violators; Ayer
et al. 1955, used for this by Zadrozny and Elkan 2002), then a few knots of it.

`PYTHONPATH=examples/documents python benches/reading.py --calibrate` fits the lines anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["RAPID", "TESSERACT", "Calibration", "fitted"]

_Knot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line that never falls, from a raw confidence to the share of words that are right.

    `knots` are (raw, share), both 0 to 1, by rising raw confidence. Between two knots it is
    straight, beyond the outer ones level. Called with a raw confidence it gives the share.
    Raises ValueError for knots that are none or fall.
    """

    knots: tuple[_Knot, ...]

    def __post_init__(self) -> None:
        rising = all(a[0] < b[0] and a[1] <= b[1] for a, b in zip(self.knots, self.knots[1:], strict=False))
        within = all(0.0 <= value <= 1.0 for knot in self.knots for value in knot)
        if not (self.knots and rising and within):
            raise ValueError(f"knots {self.knots} do not rise within 0 and 1: fit them by `fitted`")

    def __call__(self, raw: float) -> float:
        place = bisect_left(self.knots, raw, key=lambda knot: knot[0])
        if place == 0:
            return self.knots[0][1]
        if place == len(self.knots):
            return self.knots[-1][1]
        (left, low), (right, high) = self.knots[place - 1], self.knots[place]
        return low + (high - low) * (raw - left) / (right - left)


def fitted(raw: Sequence[float], right: Sequence[bool], *, knots: int = 16) -> Calibration:
    """The calibration that suits words best whose truth is known.

    raw:   the reader's confidence of each word.
    right: whether each was read right; as many as `raw`.
    knots: how many knots to keep at most; few, so that it is smooth between them.

    Each knot is the mean of about as many words as the others, taken over the pooled steps.
    The shares are drawn in by one word right and one wrong a knot (Laplace), so that no word
    becomes certain. Raises ValueError for no words or lengths that differ.
    """
    if not raw or len(raw) != len(right):
        raise ValueError(f"{len(raw)} confidences and {len(right)} truths: hand in as many of both, and some")
    words = sorted(zip(raw, right, strict=True))
    size = len(words) / knots
    bins = [words[round(i * size) : round((i + 1) * size)] for i in range(knots)]
    pools = _pooled([bin for bin in bins if bin])
    return Calibration(tuple(_knot(pool) for pool in pools))


def _pooled(bins: list[list[tuple[float, bool]]]) -> list[list[tuple[float, bool]]]:
    """Neighbours put together until the share of right words rises from pool to pool."""
    pools: list[list[tuple[float, bool]]] = []
    for words in bins:
        pool = list(words)
        while pools and (_knot(pools[-1])[1] >= _knot(pool)[1] or _knot(pools[-1])[0] >= _knot(pool)[0]):
            pool = pools.pop() + pool
        pools.append(pool)
    return pools


def _knot(pool: list[tuple[float, bool]]) -> _Knot:
    raw = float(sum(confidence for confidence, _ in pool)) / len(pool)
    share = (sum(right for _, right in pool) + 1) / (len(pool) + 2)
    return round(raw, 4), round(share, 4)


# Fitted on the words of the forty receipts of ../shared/data (benches/reading.py --calibrate).
TESSERACT = Calibration(
    (
        (0.2501, 0.13),
        (0.5179, 0.2698),
        (0.652, 0.3538),
        (0.7502, 0.4604),
        (0.8252, 0.6137),
        (0.8736, 0.6895),
        (0.9005, 0.7878),
        (0.9182, 0.8484),
        (0.9387, 0.9058),
        (0.958, 0.9314),
        (0.9619, 0.9604),
        (0.9646, 0.9639),
        (0.9665, 0.9784),
        (0.9688, 0.9856),
    )
)
RAPID = Calibration(
    (
        (0.5215, 0.5642),
        (0.8423, 0.8054),
        (0.9441, 0.8711),
        (0.9745, 0.9339),
        (0.9866, 0.9377),
        (0.9923, 0.9494),
        (0.9962, 0.9628),
        (0.9986, 0.9713),
        (0.9997, 0.9726),
    )
)

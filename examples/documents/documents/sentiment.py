"""A word for a score of sentiment."""

from __future__ import annotations

from typing import Literal

__all__ = ["label"]

# Half a step of the raters' scale of -4 to 4 is 0.125; scores for letters fall short of what
# their writers felt by about a fifth (benches/judging.py).
_NEUTRAL = 0.1


def label(score: float) -> Literal["negative", "neutral", "positive"]:
    """What a score from -1 (worst) to 1 (best) is called; near 0 it is neutral."""
    if score > _NEUTRAL:
        return "positive"
    if score < -_NEUTRAL:
        return "negative"
    return "neutral"

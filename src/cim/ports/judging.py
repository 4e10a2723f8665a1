"""Contracts for judging: the meaning of a text as a vector, and its mood as a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cim.domain.capability import Capability

__all__ = ["Embedding", "Sentiment"]


class Embedding(Capability, Protocol):
    """Turns texts into vectors that lie close together when their meanings do.

    Safe to call from several threads at once.
    """

    def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """A vector of unit length for each text, in the same order.

        All vectors of one provider have the same number of dimensions, so the dot
        product of two of them is the cosine of their angle. The empty text has one too.
        """
        ...


class Sentiment(Capability, Protocol):
    """Says how pleased a text sounds.

    Safe to call from several threads at once.
    """

    def score(self, text: str) -> float:
        """From -1 (as bad as can be) over 0 (neutral) to 1 (as good as can be)."""
        ...

"""Letting a failed run be made again without a new input: the entry in the log that says who asked, and why.

It stands on the subject of the components of the system's module, so that the log's own order and expectation
settle which run it speaks of: the last one of the system that stands before it there.
"""

from dataclasses import dataclass

from cim.contract.envelope import Commit
from cim.log.entry import said_by

RETRY = "cim.Retried"
"""The type of a retry's commit."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry says: whose failed run may be made again, and why."""

    system: str
    reason: str


def retried(commit: Commit) -> Retried | None:
    """What a retry says; None for any other commit. Raises :class:`cim.contract.codec.BadBody`."""
    return said_by(commit, RETRY, Retried)

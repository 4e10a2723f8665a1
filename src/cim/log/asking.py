"""An agent that asks a person first: the entries that say what it wants to do, and what was answered.

They stand on the subject of the components of the agent's module, where its runs stand: the log's own order
and expectation settle which run they speak of, and of two answers the first is the one.
"""

from dataclasses import dataclass
from typing import Any

from cim.contract.envelope import Commit
from cim.log.entry import said_by

PROPOSED, ANSWERED = "cim.Proposed", "cim.Answered"
"""The types of the entries' commits."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A run of an agent waits for a person: its id, the step in which it wants to use a tool, by the name
    under which it was granted, and with what, as JSON text, which may be sealed. ``why`` one is asked."""

    system: str
    run: str
    think: int
    number: int
    tool: str
    arguments: Any
    why: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A person's answer to what a run wants to do."""

    system: str
    run: str
    granted: bool
    reason: str


def proposed(commit: Commit) -> Proposed | None:
    """What an agent wants to do; None for any other commit. Raises :class:`cim.contract.codec.BadBody`."""
    return said_by(commit, PROPOSED, Proposed)


def answered(commit: Commit) -> Answered | None:
    """What was answered; None for any other commit. Raises :class:`cim.contract.codec.BadBody`."""
    return said_by(commit, ANSWERED, Answered)

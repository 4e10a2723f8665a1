"""What people say of an agent: whether it may work, and what it is told to be, by entries in the log.

They stand at ``evt.cim.Agent.<context>=<name>``, so that all of them are read in one step: whoever runs
agents learns first of all which may.
"""

from dataclasses import dataclass
from typing import Literal

from cim.contract.envelope import Commit
from cim.contract.subjects import MACHINE, Ref
from cim.log.entry import said_by

Stage = Literal["proposed", "active", "suspended", "retired"]
"""Proposed: nobody has let it work yet. Suspended: its work waits. Retired: it works no more."""

STAGED, PROMPTED = "cim.Staged", "cim.Prompted"
"""The types of the entries' commits."""

EVERY_AGENT = f"evt.{MACHINE}.Agent.*"


@dataclass(frozen=True, slots=True)
class Staged:
    """An agent is in a stage from here on, and why. Who says so answers for it."""

    agent: str
    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class Prompted:
    """Runs of an agent that begin from here on are told to be this; by an empty text, what its code says."""

    agent: str
    instructions: str


def agent_ref(agent: str) -> Ref:
    """Where what is said of an agent stands, by its full name."""
    return Ref(MACHINE, "Agent", agent.replace(".", "="))


def staged(commit: Commit) -> Staged | None:
    """The stage of an agent; None for any other commit. Raises :class:`cim.contract.codec.BadBody`."""
    return said_by(commit, STAGED, Staged)


def prompted(commit: Commit) -> Prompted | None:
    """What an agent is told to be; None for any other commit. Raises :class:`cim.contract.codec.BadBody`."""
    return said_by(commit, PROMPTED, Prompted)

"""Erasing a person: an accountable entry in the log first, then their key is destroyed.

The entry stands on a subject of its own, ``evt.cim.Person.<person>``, so that all of them are read in one
step: whoever opens a log learns first of all who was erased (:func:`settle`), and an erasure that was cut
between entry and key is brought to its end by that. An old copy of the keys, put back, is told the same way.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import ERASURES, Ref, erasure
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.entry import entry, said_by
from cim.log.sealing import Sealing, person_name
from cim.ports.clock import Clock
from cim.ports.log import Log

ERASURE = "cim.Erased"
"""The type of an erasure's commit."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure says: whose personal values nobody may read any more, and why. The reason stays
    readable for ever: it holds nothing personal."""

    person: str
    reason: str


def erased(commit: Commit) -> Erased | None:
    """What an erasure says; None for any other commit. Raises :class:`cim.contract.codec.BadBody`."""
    return said_by(commit, ERASURE, Erased)


async def erase(log: Log, clock: Clock, source: str, origin: Origin, person: Ref, reason: str) -> Commit:
    """Append the entry that a person is erased; the one that stands already, where there is one.

    The keys are the caller's to destroy. Raises what :func:`cim.log.append.append` raises.
    """
    name, subject = person_name(person), erasure(person)
    while True:
        head, last = Head(), 0
        async for commit in log.read(subject):
            head, last = head.past(commit), commit.sequence
            said = erased(commit)
            if said is not None and said.person == name:
                return commit
        commit = entry(subject, ERASURE, Erased(name, reason), origin, source, clock)
        outcome = await append(log, clock, commit, Head(last, head.number, head.digest))
        if isinstance(outcome, Appended):
            return outcome.commit


async def settle(log: Log, sealing: Sealing, destroy: Callable[[str], None] | None = None) -> int:
    """Tell ``sealing`` of everyone whom the log says to be erased, before anything is opened with it; with
    ``destroy`` their keys are destroyed where that was left undone. Returns the last one's sequence, or 0.
    """
    last = 0
    async for commit in log.read(ERASURES):
        with suppress(codec.BadBody):  # what nobody can read stops its own entity, by name
            said = erased(commit)
            if said is not None:
                last = commit.sequence
                sealing.forget(said.person)
                if destroy is not None:
                    destroy(said.person)
    return last

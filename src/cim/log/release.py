"""Passing over a message that nobody can take in: the entry in the log that frees its subject.

Nothing is ever deleted from a log, so a message that stops its subject is passed over instead, by a
commit on that same subject: there the log's own order and expectation settle what it speaks of, and whoever
reads the subject reads it. A release names a message before it by its digest, because sequences change
when a history is copied. A reader that can take the message in, because its modules are newer, does.
"""

from contextlib import suppress
from dataclasses import dataclass

from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.domain.errors import CimError
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.entry import entry, said_by
from cim.ports.clock import Clock
from cim.ports.log import Log

RELEASE = "cim.Released"
"""The type of a release's commit."""


@dataclass(frozen=True, slots=True)
class Released:
    """What a release says: the digest of the message that is passed over, where it stood when that was
    decided, and why."""

    digest: str
    sequence: int
    reason: str


class NotFound(CimError):
    """There is no such message to release."""


def released(commit: Commit) -> Released | None:
    """What a release says; None for any other commit. Raises :class:`cim.contract.codec.BadBody`."""
    return said_by(commit, RELEASE, Released)


async def is_released(log: Log, commit: Commit) -> bool:
    """Whether a release of the message stands behind it on its subject."""
    async for later in log.read(commit.subject, commit.sequence):
        with suppress(codec.BadBody):
            found = released(later)
            if found is not None and found.digest == commit.digest:
                return True
    return False


async def release(
    log: Log, clock: Clock, source: str, origin: Origin, subject: str, sequence: int, reason: str
) -> Commit:
    """Append a release of the message at ``sequence`` on ``subject``; ``origin`` says who decided it.

    Sent again under the same id it is the release that stands already. Raises :class:`NotFound`, and what
    :func:`cim.log.append.append` raises.
    """
    while True:
        found, head, earlier = await _look(log, subject, sequence, origin.id)
        if earlier is not None:
            return earlier
        said = Released(found.digest, sequence, reason)
        outcome = await append(log, clock, entry(subject, RELEASE, said, origin, source, clock), head)
        if isinstance(outcome, Appended):
            return outcome.commit


async def _look(log: Log, subject: str, sequence: int, id: str) -> tuple[Commit, Head, Commit | None]:
    """The message to release, the head to write behind (all that does not follow is left out of it), and
    the release of that id, if it stands there."""
    found, earlier, head, last = None, None, Head(), 0
    async for commit in log.read(subject):
        head, last = head.past(commit), commit.sequence
        found = commit if commit.sequence == sequence else found
        if commit.type == RELEASE and commit.id == id and found is not None:
            said = released(commit)
            earlier = commit if said is not None and said.digest == found.digest else earlier
    if found is None:
        raise NotFound(
            f"{subject} has no message at sequence {sequence}: `cim waiting` lists what is stopped"
        )
    return found, Head(last, head.number, head.digest), earlier

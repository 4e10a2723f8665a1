"""A commit as it is kept beside the log, in a row of something derived: enough to make the same of it."""

import msgspec

from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger, stranger


class Kept(msgspec.Struct, array_like=True, gc=False):
    """A commit; ``headers`` are None for a stranger's message, of which ``reason`` and ``mark`` are kept."""

    subject: str
    headers: dict[str, str] | None
    body: bytes
    sequence: int
    reason: str = ""
    mark: str = ""


def keep(commit: Commit) -> Kept:
    """What is kept of a commit."""
    if isinstance(commit, Stranger):
        return Kept(commit.subject, None, b"", commit.sequence, commit.reason, commit.mark)
    return Kept(commit.subject, commit.headers(), commit.body, commit.sequence)


def commit_of(kept: Kept) -> Commit:
    """The commit that was kept; raises :class:`cim.contract.envelope.BadEnvelope`."""
    if kept.headers is None:
        return stranger(kept.subject, b"", kept.sequence, kept.reason, kept.mark)
    return Commit.parse(kept.subject, kept.headers, kept.body, kept.sequence)

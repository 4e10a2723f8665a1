"""The log as the core sees it: attempts to append, reading in order, following.

Every adapter passes :mod:`cim.testing.log_conformance`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from cim.contract.envelope import Commit
from cim.domain.errors import CimError


class LinkLost(CimError):
    """The log cannot be reached now; whoever reads goes on where it was when it can."""


class LogRefused(CimError):
    """The log will not take this message or is not as it must be; trying again changes nothing."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The attempt was stored at this sequence."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Unclear:
    """The attempt may or may not have been stored: read back before deciding.

    A mismatched expectation is unclear as well: the message that moved the subject on may be our
    own, whose acknowledgement was lost.
    """

    reason: str


class Log(Protocol):
    """An append-only order of commits; per subject, a chain.

    A message that no machine wrote is handed on at its place as a
    :class:`cim.contract.stranger.Stranger`: it never ends a read.
    """

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        """Try once to store a commit, if the subject's last message has the sequence ``expected``
        (0: the subject is new). Raises :class:`LogRefused` where no attempt can succeed."""
        ...

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        """Try once to store commits on different subjects, each with what is expected of its own: all of
        them one behind the other in this order, or none. The answer tells the last one's sequence.

        For the rare write that spans entities, and for many that are under way at once: it costs what a
        dozen single ones do. Raises :class:`LogRefused` where no attempt can succeed."""
        ...

    async def next_on(self, subject: str, after: int) -> Commit | None:
        """The first commit on exactly this subject past the sequence ``after``, as the log's leader
        holds it; None when there is none. Raises :class:`LinkLost`."""
        ...

    async def last(self) -> int:
        """The sequence of the newest commit of all; 0 for an empty log. Raises :class:`LinkLost`."""
        ...

    def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        """The commits that stand now on a subject (``*`` and ``>`` as wildcards) past ``after``, in
        order; ends at the newest. Raises :class:`LinkLost`."""
        ...

    def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        """Every commit past ``after``, in order and without a gap, in batches as they come; an empty
        batch says that the end was reached for now. Raises :class:`LinkLost` rather than stop."""
        ...

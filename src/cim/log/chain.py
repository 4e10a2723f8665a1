"""The hash chain of a subject: linking commits, and finding the first that does not link."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cim.contract.envelope import FIRST_PREVIOUS, Commit
from cim.contract.stranger import Stranger
from cim.domain.errors import CimError


class BrokenChain(CimError):
    """A commit that does not follow from the one before on its subject."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a subject stands: the sequence, number and digest of its last commit."""

    sequence: int = 0
    number: int = 0
    digest: str = FIRST_PREVIOUS

    def link(self, commit: Commit) -> Commit:
        """The commit as the next one on this subject."""
        return commit.linked(self.number + 1, self.digest)

    def advance(self, commit: Commit) -> "Head":
        """The head after a stored commit; raises :class:`BrokenChain` when it does not follow."""
        if isinstance(commit, Stranger):
            raise BrokenChain(f"{_where(commit)}: no machine wrote this message: {commit.reason}")
        if commit.number != self.number + 1:
            raise BrokenChain(
                f"{_where(commit)}: commit {self.number + 1} is missing, found number {commit.number}"
            )
        if commit.previous != self.digest:
            raise BrokenChain(
                f"{_where(commit)}: commit {commit.number} names {commit.previous[:12]}… as the one before, "
                f"which is {self.digest[:12]}…: it or the one before was changed"
            )
        return Head(commit.sequence, commit.number, commit.digest)

    def past(self, commit: Commit) -> "Head":
        """The head after a message that is passed over: it moves only where that follows."""
        try:
            return self.advance(commit)
        except BrokenChain:
            return self


def _where(commit: Commit) -> str:
    return f"{commit.subject} at sequence {commit.sequence}"


@dataclass(slots=True)
class Chains:
    """The heads of all subjects, advanced in the log's order."""

    heads: dict[str, Head] = field(default_factory=dict)

    def advance(self, commit: Commit) -> None:
        """Take in the next commit; raises :class:`BrokenChain`."""
        self.heads[commit.subject] = self.heads.get(commit.subject, Head()).advance(commit)

    def numbers(self) -> Mapping[str, int]:
        """How many commits each subject has."""
        return {subject: head.number for subject, head in self.heads.items()}

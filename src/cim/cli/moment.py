"""A point of a history as a person names it: a sequence of the log, or a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cim.contract.envelope import Commit
from cim.domain.errors import CimError


@dataclass(frozen=True, slots=True)
class Moment:
    """A sequence, or a time in UTC: exactly one of them. ``text`` is how it was given."""

    text: str
    sequence: int | None = None
    time: datetime | None = None

    def __str__(self) -> str:
        return f"at {self.text}" if self.sequence is None else f"at sequence {self.sequence}"

    def part_of(self, history: Sequence[Commit]) -> Sequence[Commit]:
        """The part of a history, given in the log's order, that stood then.

        Clocks differ, the log's order does not: all that stands before a commit was there before it. So as
        of a time it is everything up to the last commit that is dated at that time or earlier.
        """
        if self.time is None:
            assert self.sequence is not None
            return [commit for commit in history if commit.sequence <= self.sequence]
        known = [at for at, commit in enumerate(history, 1) if _dated(commit, self.time)]
        return history[: known[-1]] if known else []


def moment(text: str, option: str) -> Moment:
    """A moment from ``12``, ``2024-05-06`` or ``2024-05-06T07:08:09+02:00`` (without a zone: UTC).

    Raises :class:`CimError` that names the option.
    """
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return Moment(text, sequence=int(text))
    found = _time(text)
    if found is None:
        raise CimError(
            f"{option} {text[:48]!r} is neither a sequence of the log, such as 12, nor a time, such as "
            f"2024-05-06T07:08:09Z"
        )
    return Moment(text, time=found)


def _dated(commit: Commit, until: datetime) -> bool:
    time = _time(commit.time)
    return time is not None and time <= until


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None

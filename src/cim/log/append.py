"""The one routine that appends: any answer that is not a clear yes is settled by reading back.

A mismatched expectation (10071), a write in flight (10164), a batch sent again (10201), a duplicate,
a time-out and a lost link all mean the same: the subject's next commit is read and its id compared.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cim.contract.envelope import Commit
from cim.domain.errors import CimError
from cim.log.backoff import delays
from cim.log.chain import Head
from cim.ports.clock import Clock
from cim.ports.log import LinkLost, Log, Unclear

Outcome = TypeVar("Outcome")


class OutcomeUnknown(CimError):
    """The deadline passed before the log gave an answer: the command may yet have been stored.

    Sending it again under the same id is safe.
    """


@dataclass(frozen=True, slots=True)
class Appended:
    """The commit is in the log, as ``commit`` says (an earlier try of the same id included)."""

    commit: Commit


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Somebody else's commit stands where ours should: read on from there and decide anew."""

    commit: Commit


@dataclass(frozen=True, slots=True)
class AppendedTogether:
    """The commits are in the log, all of them, as ``commits`` says (an earlier try of the id included)."""

    commits: tuple[Commit, ...]


async def append(
    log: Log, clock: Clock, commit: Commit, head: Head, patience: float = 10.0
) -> Appended | Overtaken:
    """Append ``commit`` behind ``head``; tries for ``patience`` seconds.

    Raises :class:`OutcomeUnknown` with the commit's id, or :class:`cim.ports.log.LogRefused`.
    """
    linked = head.link(commit)

    async def attempt() -> Appended | Unclear:
        answer = await log.attempt(linked, head.sequence)
        return answer if isinstance(answer, Unclear) else Appended(linked.at(answer.sequence))

    async def look() -> Appended | Overtaken | None:
        found = await log.next_on(linked.subject, head.sequence)
        if found is None:
            return None
        return Appended(found) if found.id == linked.id else Overtaken(found)

    return await _settled(attempt, look, linked, clock, patience)


async def append_together(
    log: Log, clock: Clock, parts: Sequence[tuple[Commit, Head]], patience: float = 10.0
) -> AppendedTogether | Overtaken:
    """Append commits of one id to different subjects, each behind its head: all of them, or none.

    Raises as :func:`append` does. The log stores all or none, so one commit of another's that stands where
    ours should be says that none of ours is there.
    """
    linked = [(head.link(commit), head.sequence) for commit, head in parts]

    async def attempt() -> AppendedTogether | Unclear:
        answer = await log.attempt_together(linked)
        if isinstance(answer, Unclear):
            return answer
        first = answer.sequence - len(linked) + 1
        return AppendedTogether(tuple(one.at(first + place) for place, (one, _) in enumerate(linked)))

    async def look() -> AppendedTogether | Overtaken | None:
        found = [await log.next_on(one.subject, expected) for one, expected in linked]
        there = [one for one in found if one is not None]
        for one in there:
            if one.id != linked[0][0].id:
                return Overtaken(one)
        # Some without the others: it was stored between two of these looks.
        return AppendedTogether(tuple(there)) if len(there) == len(linked) else None

    return await _settled(attempt, look, linked[0][0], clock, patience)


async def _settled(
    attempt: Callable[[], Awaitable[Outcome | Unclear]],
    look: Callable[[], Awaitable[Outcome | Overtaken | None]],
    commit: Commit,
    clock: Clock,
    patience: float,
) -> Outcome | Overtaken:
    """Try until the log said yes, or what was read back says whether it did."""
    deadline = clock.monotonic() + patience
    reason = "the log was not reached"
    for delay in delays():
        try:
            answer = await attempt()
            if not isinstance(answer, Unclear):
                return answer
            reason = answer.reason
            found = await look()
        except LinkLost as lost:
            found, reason = None, str(lost)
        if found is not None:
            return found
        if clock.monotonic() + delay > deadline:
            raise OutcomeUnknown(
                f"{commit.subject}: outcome of {commit.id} unknown after {patience:g} s ({reason}); "
                f"send it again under the same id"
            )
        await clock.sleep(delay)
    raise AssertionError("delays never end")

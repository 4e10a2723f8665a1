"""The one routine that appends: any answer that is not a clear yes is settled by reading back.

A mismatched expectation (10071), a write in flight (10164), a batch sent again (10201), a duplicate,
a time-out and a lost link all mean the same: the subject's next commit is read and its id compared.
"""

from dataclasses import dataclass

from cim.contract.envelope import Commit
from cim.domain.errors import CimError
from cim.log.backoff import delays
from cim.log.chain import Head
from cim.ports.clock import Clock
from cim.ports.log import LinkLost, Log, Stored


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


async def append(
    log: Log, clock: Clock, commit: Commit, head: Head, patience: float = 10.0
) -> Appended | Overtaken:
    """Append ``commit`` behind ``head``; tries for ``patience`` seconds.

    Raises :class:`OutcomeUnknown` with the commit's id, or :class:`cim.ports.log.LogRefused`.
    """
    linked = head.link(commit)
    deadline = clock.monotonic() + patience
    reason = "the log was not reached"
    for delay in delays():
        try:
            answer = await log.attempt(linked, head.sequence)
            if isinstance(answer, Stored):
                return Appended(linked.at(answer.sequence))
            reason = answer.reason
            found = await log.next_on(linked.subject, head.sequence)
        except LinkLost as lost:
            found, reason = None, str(lost)
        if found is not None:
            return Appended(found) if found.id == linked.id else Overtaken(found)
        if clock.monotonic() + delay > deadline:
            raise OutcomeUnknown(
                f"{linked.subject}: outcome of {linked.id} unknown after {patience:g} s ({reason}); "
                f"send it again under the same id"
            )
        await clock.sleep(delay)
    raise AssertionError("delays never end")

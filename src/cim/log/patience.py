"""A log for a command that reads and ends: what a lost link cuts is gone on with, where it was."""

from collections.abc import AsyncIterator, Sequence

from cim.contract.envelope import Commit
from cim.log.backoff import delays, outlast
from cim.ports.clock import Clock
from cim.ports.log import LinkLost, Log, Stored, Unclear

PATIENCE = 30.0
"""Seconds without an answer after which a lost link is told: nodes elect a leader in less."""


class PatientLog:
    """A :class:`cim.ports.log.Log` over another, with patience where something is read."""

    def __init__(self, log: Log, clock: Clock, patience: float = PATIENCE) -> None:
        self._log, self._clock, self._patience = log, clock, patience

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        return await self._log.attempt(commit, expected)

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        return await self._log.attempt_together(parts)

    async def next_on(self, subject: str, after: int) -> Commit | None:
        return await outlast(lambda: self._log.next_on(subject, after), self._clock, self._patience)

    async def last(self) -> int:
        return await outlast(self._log.last, self._clock, self._patience)

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        waits, until, before = delays(), self._clock.monotonic() + self._patience, after
        while True:
            try:
                async for commit in self._log.read(subject, after):
                    yield commit
                    after = commit.sequence
                return
            except LinkLost:
                if after > before:  # it went on meanwhile
                    waits, until, before = delays(), self._clock.monotonic() + self._patience, after
                if self._clock.monotonic() > until:
                    raise
            await self._clock.sleep(next(waits))

    def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        return self._log.follow(after)

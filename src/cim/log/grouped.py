"""Group commit: appends to different subjects that are under way at once are written as one.

A server that syncs each write does one after the other, however many wait. It syncs a write that spans
subjects once. So while something is under way the others gather, and those that gathered go together, each
with its own expectation. That says nothing new about any of them: where the log does not say yes to all,
each goes alone, as if it had never been one of several, and what it is told then is its own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cim.contract.envelope import Commit
from cim.ports.log import LinkLost, Log, LogRefused, Stored, Unclear

LINE, ENOUGH, MOST = 16, 24, 500
"""How many go alone side by side, from how many on it pays to go together (a write that spans subjects costs
what 12 to 16 syncs do), and how many go together at most (the server takes 1,000)."""

LARGE = 32_768
"""Bytes of a body from which on a commit goes alone: the server writes what spans subjects twice."""

_VAIN, _LONGEST = 64, 4096


@dataclass(frozen=True, slots=True)
class _Waiting:
    commit: Commit
    expected: int
    answer: "asyncio.Future[Stored | None]"
    """None: go alone."""


class Grouped:
    """Fulfils :class:`cim.ports.log.Log` over another that can write what spans subjects."""

    def __init__(self, log: Log, line: int = LINE, enough: int = ENOUGH, most: int = MOST) -> None:
        self._log, self._line, self._enough, self._most = log, line, enough, most
        self._waiting: dict[str, _Waiting] = {}
        self._alone = 0
        self._group: asyncio.Task[None] | None = None
        self._in_vain = self._pause = 0
        self._going_on = False

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        """See :class:`cim.ports.log.Log`."""
        if self._must_wait(commit):
            found = await self._with_others(commit, expected)
            if found is not None:
                return found
        self._alone += 1
        try:
            return await self._log.attempt(commit, expected)
        finally:
            self._alone -= 1
            self._go_on_soon()

    async def _with_others(self, commit: Commit, expected: int) -> Stored | None:
        answer: asyncio.Future[Stored | None] = asyncio.get_running_loop().create_future()
        self._waiting[commit.subject] = _Waiting(commit, expected, answer)
        try:
            return await answer
        except asyncio.CancelledError:
            # If it was let go alone just now, another one can go in its stead.
            self._go_on_soon()
            raise

    def _must_wait(self, commit: Commit) -> bool:
        if self._pause:
            self._pause -= 1
            return False
        busy = self._group is not None or self._alone >= self._line
        # Two on one subject cannot both be right: which one is, the log tells each alone.
        return busy and commit.subject not in self._waiting and len(commit.body) < LARGE

    def _go_on_soon(self) -> None:
        """At the end of this turn: what else ends in it is known then, and what begins."""
        if self._waiting and not self._going_on:
            self._going_on = True
            asyncio.get_running_loop().call_soon(self._go_on, 0)

    def _go_on(self, ended: int) -> None:
        """Let those go that wait, when ``ended`` others have just been written."""
        self._going_on = False
        waiting = self._waiting
        for subject in [subject for subject, one in waiting.items() if one.answer.done()]:
            del waiting[subject]  # whoever waited has left
        if self._group is not None or not waiting:
            return
        if len(waiting) < self._enough or self._pause:
            free = len(waiting) if self._pause else self._line - self._alone
            for one in self._taken(max(0, free)):
                one.answer.set_result(None)
            return
        # Half of all: while these are written, the other half is decided.
        half = (len(waiting) + self._alone + ended + 1) // 2
        group = self._taken(min(self._most, max(self._enough, half)))
        self._group = asyncio.create_task(self._together(group), name="group of commits")

    def _taken(self, count: int) -> list[_Waiting]:
        subjects = list(self._waiting)[:count]
        return [self._waiting.pop(subject) for subject in subjects]

    async def _together(self, group: Sequence[_Waiting]) -> None:
        first: int | None = None
        try:
            with suppress(LinkLost, LogRefused):
                answer = await self._log.attempt_together([(one.commit, one.expected) for one in group])
                if isinstance(answer, Stored):
                    first = answer.sequence - len(group) + 1
        finally:
            # Whatever went wrong: each is told by the log, alone.
            self._in_vain = 0 if first is not None else min(_LONGEST, 2 * self._in_vain or _VAIN)
            self._pause = self._in_vain
            self._group = None
            self._go_on(len(group))
            try:
                # The next ones leave before those who were answered take their time.
                await asyncio.sleep(0)
            finally:
                for place, one in enumerate(group):
                    if not one.answer.done():
                        one.answer.set_result(None if first is None else Stored(first + place))

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        """See :class:`cim.ports.log.Log`."""
        return await self._log.attempt_together(parts)

    async def next_on(self, subject: str, after: int) -> Commit | None:
        """See :class:`cim.ports.log.Log`."""
        return await self._log.next_on(subject, after)

    async def last(self) -> int:
        """See :class:`cim.ports.log.Log`."""
        return await self._log.last()

    def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        """See :class:`cim.ports.log.Log`."""
        return self._log.read(subject, after)

    def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        """See :class:`cim.ports.log.Log`."""
        return self._log.follow(after)

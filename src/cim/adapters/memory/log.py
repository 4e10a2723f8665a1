"""A log in memory: the same promises as the real one, until the process ends."""

import asyncio
from collections.abc import AsyncIterator

from cim.contract.envelope import Commit
from cim.ports.log import Stored, Unclear


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject fits a pattern with ``*`` (one token) and ``>`` (the rest)."""
    wanted, tokens = pattern.split("."), subject.split(".")
    for place, part in enumerate(wanted):
        if part == ">":
            return len(tokens) > place
        if place >= len(tokens) or part not in ("*", tokens[place]):
            return False
    return len(wanted) == len(tokens)


class MemoryLog:
    """Fulfils :class:`cim.ports.log.Log` with a list."""

    def __init__(self) -> None:
        self._commits: list[Commit] = []
        self._last_on: dict[str, int] = {}
        self._grown = asyncio.Condition()

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        async with self._grown:
            actual = self._last_on.get(commit.subject, 0)
            if actual != expected:
                return Unclear(f"wrong last sequence: {actual}")
            sequence = len(self._commits) + 1
            # Through the header form and back, so that what cannot be written is not remembered.
            self._commits.append(Commit.parse(commit.subject, commit.headers(), commit.body, sequence))
            self._last_on[commit.subject] = sequence
            self._grown.notify_all()
        return Stored(sequence)

    async def next_on(self, subject: str, after: int) -> Commit | None:
        return next((commit for commit in self._commits[after:] if commit.subject == subject), None)

    async def last(self) -> int:
        return len(self._commits)

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        for commit in self._commits[after:]:
            if matches(subject, commit.subject):
                yield commit

    async def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        while True:
            batch = self._commits[after : after + 256]
            after += len(batch)
            yield batch
            if batch:
                continue
            async with self._grown:
                while len(self._commits) <= after:
                    await self._grown.wait()

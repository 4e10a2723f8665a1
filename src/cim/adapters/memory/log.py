"""A log in memory: the same promises as the real one, until the process ends."""

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from cim.contract.envelope import Commit
from cim.contract.stranger import stored
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
        self._on: defaultdict[str, list[int]] = defaultdict(list)
        self._grown = asyncio.Condition()

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        async with self._grown:
            actual = next(reversed(self._on.get(commit.subject, [])), 0)
            if actual != expected:
                return Unclear(f"wrong last sequence: {actual}")
            # Through the header form and back, so that what cannot be written is not remembered.
            return Stored(self._keep(commit.subject, commit.headers(), commit.body))

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        async with self._grown:
            for commit, expected in parts:
                actual = next(reversed(self._on.get(commit.subject, [])), 0)
                if actual != expected:
                    return Unclear(f"wrong last sequence: {actual}")
            written = [(commit.subject, commit.headers(), commit.body) for commit, _ in parts]
            return Stored([self._keep(*one) for one in written][-1])

    async def intrude(self, subject: str, headers: Mapping[str, str], body: bytes) -> int:
        """Store a message as another program would, without an expectation; returns its sequence."""
        async with self._grown:
            return self._keep(subject, headers, body)

    def _keep(self, subject: str, headers: Mapping[str, str], body: bytes) -> int:
        sequence = len(self._commits) + 1
        self._commits.append(stored(subject, headers, body, sequence))
        self._on[subject].append(sequence)
        self._grown.notify_all()
        return sequence

    async def next_on(self, subject: str, after: int) -> Commit | None:
        on = self._on.get(subject, [])
        place = bisect_right(on, after)
        return self._commits[on[place] - 1] if place < len(on) else None

    async def last(self) -> int:
        return len(self._commits)

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        if "*" in subject or ">" in subject:
            found = [commit for commit in self._commits[after:] if matches(subject, commit.subject)]
        else:
            on = self._on.get(subject, [])
            found = [self._commits[sequence - 1] for sequence in on[bisect_right(on, after) :]]
        for commit in found:
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

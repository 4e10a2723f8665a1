"""A log behind a bad link: one store, and for each process a link of its own that fails by a seed.

The store keeps every promise of :class:`cim.ports.log.Log`; what is lost, doubled, late or out of order
is what a network and a dying process do to requests and answers. The way of testing is that of
FoundationDB's simulation: all chance comes from one seed.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from cim.contract.envelope import Commit
from cim.ports.log import LinkLost, Log, Stored, Unclear

FATES = {
    "attempt arrives": 30,
    "attempt lost": 3,
    "attempt's answer lost": 3,
    "attempt late": 3,
    "attempt doubled": 3,
    "attempt cut after": 2,
}
"""How often each thing happens to an attempt."""

LONGEST = 12
"""Steps of the event loop that an answer takes at most."""

LATEST = 60
"""Steps after which a request that was held up arrives at last."""


async def steps(count: int) -> None:
    """Let the event loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


class Network:
    """The chance of a whole simulation, and the requests that are still under way.

    A request under way outlives its sender. While ``calm`` nothing is lost.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.calm = False
        self.faults: Counter[str] = Counter()
        self._under_way: set[asyncio.Task[Any]] = set()

    @property
    def is_empty(self) -> bool:
        """Whether every request that was held up has arrived."""
        return not self._under_way

    def fate(self, fates: dict[str, int]) -> str:
        """What happens to a message, by weights; the first of them while the network is calm."""
        if self.calm:
            return next(iter(fates))
        fate = self.chance.choices(list(fates), list(fates.values()))[0]
        self.faults[fate] += 1
        return fate

    async def take_time(self) -> None:
        """Time on the way: at least one step, so that whoever waits lets others go on."""
        await steps(1 if self.calm else self.chance.randint(1, LONGEST))

    def later(self, arrive: Callable[[], Awaitable[Any]]) -> None:
        """Let a request arrive some time from now, whatever becomes of its sender."""
        task = asyncio.ensure_future(self._arrive(arrive, self.chance.randint(1, LATEST)))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    @staticmethod
    async def _arrive(arrive: Callable[[], Awaitable[Any]], wait: int) -> None:
        await steps(wait)
        await arrive()


class FaultyLog:
    """Fulfils :class:`cim.ports.log.Log` over a store that others share, by one process's link to it.

    After :meth:`end` its process is dead: nothing that it still tries reaches the store.
    """

    def __init__(self, store: Log, network: Network) -> None:
        self._store, self._network = store, network
        self._cut = 0
        self._dead = False

    def cut(self, tries: int) -> None:
        """Break the link for that many calls."""
        self._network.faults["link cut"] += 1
        self._cut = tries

    def end(self) -> None:
        """The process at this end is dead."""
        self._dead = True

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        """See :class:`cim.ports.log.Log`; an answer may be lost, late, or out of order."""
        return await self._attempt(partial(self._store.attempt, commit, expected))

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        """See :class:`cim.ports.log.Log`; the store itself keeps all or none of them."""
        return await self._attempt(partial(self._store.attempt_together, parts))

    async def _attempt(self, arrive: Callable[[], Awaitable[Stored | Unclear]]) -> Stored | Unclear:
        await self._pass()
        fate = self._network.fate(FATES)
        if fate == "attempt late":
            self._network.later(arrive)
        if fate in ("attempt lost", "attempt late"):
            await self._network.take_time()
            return Unclear("no answer in time")
        answer = await arrive()
        if fate == "attempt doubled":
            self._network.later(arrive)
        await self._pass()
        if fate == "attempt cut after":
            raise LinkLost("cut")
        return Unclear("no answer in time") if fate == "attempt's answer lost" else answer

    async def next_on(self, subject: str, after: int) -> Commit | None:
        """See :class:`cim.ports.log.Log`."""
        await self._pass()
        found = await self._store.next_on(subject, after)
        await self._pass()
        return found

    async def last(self) -> int:
        """See :class:`cim.ports.log.Log`."""
        await self._pass()
        return await self._store.last()

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        """See :class:`cim.ports.log.Log`; the link may break between two commits."""
        await self._pass()
        async for commit in self._store.read(subject, after):
            await self._pass()
            yield commit

    async def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        """See :class:`cim.ports.log.Log`; in batches of any size."""
        while True:
            await self._pass()
            size = self._network.chance.randint(1, 9)
            batch: list[Commit] = []
            async for commit in self._store.read(">", after):
                batch.append(commit)
                if len(batch) == size:
                    break
            after += len(batch)
            yield batch
            while not batch and await self._store.last() <= after:
                await asyncio.sleep(0)
                self._check()

    async def _pass(self) -> None:
        """The way over the link, in either direction."""
        self._check()
        await self._network.take_time()
        self._check()

    def _check(self) -> None:
        if self._dead:
            raise LinkLost("this process has ended")
        if self._cut:
            self._cut -= 1
            raise LinkLost("cut")

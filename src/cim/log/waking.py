"""Waiting for moments: which one is next, and sleeping until it has come or something else has."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from cim.ports.clock import Clock

K = TypeVar("K")

LONGEST_SLEEP = 1.0
"""Seconds after which the time of day is looked at again in any case: the clock may have been set forward."""


class Watched(Generic[K]):
    """The times at which things are to be looked at, the next one first; one time for each."""

    def __init__(self) -> None:
        self._times: dict[K, datetime] = {}
        self._order: list[tuple[datetime, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._times)

    def watch(self, key: K, time: datetime) -> None:
        """Look at the thing at ``time``, if nothing makes it earlier."""
        if key in self._times and self._times[key] <= time:
            return
        self._times[key] = time
        self._count += 1
        heappush(self._order, (time, self._count, key))
        if len(self._order) > 2 * len(self._times) + 64:
            self._order = [one for one in self._order if self._times.get(one[2]) == one[0]]
            heapify(self._order)

    def pop(self, now: datetime) -> Iterator[K]:
        """The things whose time has come, in the order of their times."""
        while (first := self.first) is not None and first <= now:
            _, _, key = heappop(self._order)
            del self._times[key]
            yield key

    @property
    def first(self) -> datetime | None:
        """When the next one is to be looked at."""
        while self._order and self._times.get(self._order[0][2]) != self._order[0][0]:
            heappop(self._order)
        return self._order[0][0] if self._order else None


async def sleep_or(clock: Clock, seconds: float, event: asyncio.Event) -> None:
    """Wait until so much time went by, or the event."""
    waits: list[asyncio.Future[object]] = [
        asyncio.ensure_future(event.wait()),
        asyncio.ensure_future(clock.sleep(seconds)),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()


async def until_moment(clock: Clock, moment: datetime | None, event: asyncio.Event) -> None:
    """Wait until a time of day has come, or :data:`LONGEST_SLEEP` went by, or the event; where there is no
    moment until the event."""
    if moment is None:
        await event.wait()
        return
    seconds = (moment - clock.now()).total_seconds()
    await sleep_or(clock, min(max(0.0, seconds), LONGEST_SLEEP), event)

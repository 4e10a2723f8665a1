"""A clock that is moved by hand: a test of an hour takes a millisecond and ends the same each time."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class HandClock:
    """Fulfils :class:`cim.ports.clock.Clock`; time stands still until :meth:`move`.

    With ``jumps`` nobody need move it: whoever sleeps takes the clock along to the end of the sleep, so
    that a routine that waits and tries again runs through at once. The idea is Trio's autojump clock.
    """

    def __init__(self, *, jumps: bool = False) -> None:
        self._jumps = jumps
        self._elapsed = 0.0
        self._count = itertools.count()
        self._asleep: list[tuple[float, int, asyncio.Future[None]]] = []
        self._fell_asleep = asyncio.Condition()

    def now(self) -> datetime:
        """The start, a fixed moment, and what the clock was moved since."""
        return START + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """The seconds that the clock was moved."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved that far."""
        if self._jumps:
            self.move(seconds)
            await asyncio.sleep(0)
            return
        awake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._asleep, (self._elapsed + seconds, next(self._count), awake))
        async with self._fell_asleep:
            self._fell_asleep.notify_all()
        await awake

    def move(self, seconds: float) -> None:
        """Let time go by; those whose sleep is over wake in the order of their times."""
        self._elapsed += seconds
        while self._asleep and self._asleep[0][0] <= self._elapsed:
            _, _, awake = heapq.heappop(self._asleep)
            if not awake.done():
                awake.set_result(None)

    async def until_asleep(self, sleepers: int = 1) -> None:
        """Wait until at least that many are asleep by this clock."""
        async with self._fell_asleep:
            await self._fell_asleep.wait_for(lambda: self._sleepers() >= sleepers)

    def _sleepers(self) -> int:
        return sum(not awake.done() for _, _, awake in self._asleep)

"""The watch over one step of a run: who takes long steps aside, and who takes too long is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cim.leaf.worker_process import Worker

GLANCE = 0.1
"""Seconds after which a run that takes long is looked at again: its place may be wanted by now."""

SELDOM = 3600.0
"""Seconds after which a run that may take any time is looked at again."""

LATEST = 4
"""Limits after which a step is stopped, even if others had the processors most of the time."""

Said = TypeVar("Said")


class Watch:
    """Looks at a step of a ``worker`` whenever something may be to do about it.

    ``is_aside`` says whether the run has stepped aside, which ``step_aside`` has it do once it took ``long``;
    it is stopped at the ``limit``; both in seconds. The time in which others had the processors does not
    count: a busy machine is no step's fault.

    A class and no closures: a function that names itself is a circle, and a leaf that made one for each step
    had the collector stop all for 60 ms every thousand changes.
    """

    def __init__(
        self,
        worker: Worker,
        long: float,
        limit: float,
        is_aside: Callable[[], bool],
        step_aside: Callable[[], None],
    ) -> None:
        self._worker, self._long, self._limit = worker, long, limit
        self._is_aside, self._step_aside = is_aside, step_aside
        self._loop = asyncio.get_running_loop()
        self._began, self._held_up = self._loop.time(), worker.held_up()
        self._end = asyncio.timeout(None)
        self._next: asyncio.TimerHandle | None = None

    @property
    def took(self) -> float:
        """Seconds of the step's own until now."""
        return self._loop.time() - self._began - (self._worker.held_up() - self._held_up)

    async def over(self, step: Awaitable[Said]) -> Said:
        """What the step comes to; raises :class:`TimeoutError` at the limit."""
        try:
            async with self._end:
                self._look()
                return await step
        finally:
            if self._next is not None:
                self._next.cancel()

    def _look(self) -> None:
        passed, took = self._loop.time() - self._began, self.took
        if took >= self._limit or passed >= LATEST * self._limit:
            self._end.reschedule(self._loop.time())
            return
        if took >= self._long:
            self._step_aside()
        mark = self._long - took if took < self._long else self._limit - took if self._is_aside() else GLANCE
        left = min(mark, self._limit - took, LATEST * self._limit - passed)
        self._next = self._loop.call_later(min(max(left, 0.01), SELDOM), self._look)

"""Reading in threads: so many at once, each for so long, and none holds up the event loop or another."""

import asyncio
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from cim.ports.clock import Clock
from cim.ports.rows import Deadline, TooLate

T = TypeVar("T")

AT_ONCE = 8


class Turns:
    """Gives each read a thread of its own, ``at_once`` of them, for ``seconds``.

    A thread cannot be ended from outside. A read that is late ends by itself, at the next row that it asks
    for; module code that asks for none keeps its turn, and the process ends without it.
    """

    def __init__(self, seconds: float, clock: Clock, at_once: int = AT_ONCE) -> None:
        self._seconds, self._clock, self._at_once = seconds, clock, at_once
        self._free = asyncio.Semaphore(at_once)

    async def run(self, what: str, read: Callable[[Deadline], T]) -> T:
        """What ``read`` gives; it is handed when it must be over. Raises :class:`TooLate`."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError:
            raise TooLate(
                f"{what}: {self._at_once} queries were at work for {self._seconds:g} s: ask again later"
            ) from None
        until = Deadline(self._clock.monotonic() + self._seconds, self._clock.monotonic)
        done = self._start(read, until)
        try:
            async with asyncio.timeout(self._seconds):
                return await done
        except (TimeoutError, TooLate):
            raise TooLate(
                f"{what} was not answered in {self._seconds:g} s: ask for less, or raise query_seconds in "
                f"[limits] of machine.toml"
            ) from None

    def _start(self, read: Callable[[Deadline], T], until: Deadline) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(outcome: Callable[[T], None] | Callable[[BaseException], None], value: object) -> None:
            self._free.release()
            if not done.done():
                outcome(value)  # type: ignore[arg-type]  # a result or an error, as the outcome takes it

        def work() -> None:
            try:
                told = (done.set_result, read(until))
            except BaseException as error:
                told = (done.set_exception, error)  # type: ignore[assignment]
            with suppress(RuntimeError):  # the event loop has ended, and with it whoever asked
                loop.call_soon_threadsafe(settle, *told)

        try:
            # A `Thread` is waited for until it runs: the event loop would stand still while others are busy.
            start_new_thread(work, ())
        except RuntimeError as error:
            settle(done.set_exception, error)
        return done

"""Reading in threads: so many at once, each for so long, and none holds up the event loop or another."""

import asyncio
import threading
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, TypeVar

from cim.ports.clock import Clock
from cim.ports.rows import Deadline, Reader, TooLate

T = TypeVar("T")

AT_ONCE = 8

HELD_UP = 0.005
"""Seconds without a read that begins after which another thread goes on with those that wait."""

IDLE = 10.0
"""Seconds after which a thread ends that nobody needs: it keeps open what it reads."""

Read = Callable[[Reader, Deadline], T]


class _Turn:
    """A read that waits for a thread or is in one: then it is known ``until`` when it must be over."""

    def __init__(self, read: Read[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._read, self._loop = read, loop
        self.done: asyncio.Future[Any] = loop.create_future()
        self.until: Deadline | None = None

    def take(self, reader: Reader, until: Deadline) -> None:
        """Read, in a thread."""
        self.until = until
        try:
            told = (self.done.set_result, self._read(reader, until))
        except BaseException as error:
            told = (self.done.set_exception, error)
        with suppress(RuntimeError):  # the event loop has ended, and with it whoever asked
            self._loop.call_soon_threadsafe(self._settle, *told)

    def _settle(self, outcome: Callable[[Any], None], value: object) -> None:
        if not self.done.done():
            outcome(value)


class Turns:
    """Gives each read its turn in one of ``at_once`` threads, for ``seconds``.

    One thread does them all, one behind the other, as long as each is short: threads of one interpreter are
    no faster side by side. Where none begins for a moment, another thread goes on with those that wait. A
    thread cannot be ended from outside. A read that is late ends by itself, at the next row that it asks for;
    module code that asks for none keeps its thread, and the process ends without it.
    """

    def __init__(
        self, seconds: float, clock: Clock, reader: Callable[[], Reader], at_once: int = AT_ONCE
    ) -> None:
        self._seconds, self._clock, self._at_once = seconds, clock, at_once
        self._reader = reader
        self._watch: asyncio.TimerHandle | None = None
        self._seen = 0
        # Under the lock, for the threads change them, too:
        self._lock = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._resting: list[threading.Semaphore] = []
        self._threads = self._begun = 0
        self._closed = False

    async def run(self, what: str, read: Read[T]) -> T:
        """What ``read`` gives; it is handed who looks at places, and when it must be over. Raises
        :class:`TooLate`."""
        loop = asyncio.get_running_loop()
        turn = _Turn(read, loop)
        self._offer(turn, loop)
        late = loop.call_later(self._seconds, self._late, turn)
        try:
            found: T = await turn.done
            return found
        except TooLate:
            if turn.until is None:
                raise TooLate(
                    f"{what}: {self._at_once} queries were at work for {self._seconds:g} s: ask again later"
                ) from None
            raise TooLate(
                f"{what} was not answered in {self._seconds:g} s: ask for less, or raise query_seconds in "
                f"[limits] of machine.toml"
            ) from None
        finally:
            late.cancel()

    def _late(self, turn: _Turn) -> None:
        """Give up a turn whose time is over: the one for waiting, or that for reading."""
        left = 0.0 if turn.until is None else turn.until.left()
        if turn.done.done():
            return
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._late, turn)
        else:
            turn.done.set_exception(TooLate())

    def _offer(self, turn: _Turn, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._waiting.append(turn)
            if self._threads == len(self._resting):
                self._one_more()
            if self._watch is None:
                self._seen = self._begun
                self._watch = loop.call_later(HELD_UP, self._look)

    def _look(self) -> None:
        """Have one more thread at work where those that are make no headway."""
        self._watch = None
        with self._lock:
            if not self._waiting:
                return
            if self._begun == self._seen:
                self._one_more()
            self._seen = self._begun
        self._watch = asyncio.get_running_loop().call_later(HELD_UP, self._look)

    def _one_more(self) -> None:
        if self._resting:
            self._resting.pop().release()
        elif self._threads < self._at_once:
            # A `Thread` is waited for until it runs: the event loop would stand still while others are busy.
            # Where the system gives no more, those that are there go on, or the next look tries again.
            with suppress(RuntimeError):
                start_new_thread(self._work, ())
                self._threads += 1

    def _work(self) -> None:
        """What a thread does."""
        rest = threading.Semaphore(0)
        with closing(self._reader()) as reader:
            while (turn := self._next(rest)) is not None:
                turn.take(reader, Deadline(self._clock.monotonic() + self._seconds, self._clock.monotonic))

    def _next(self, rest: threading.Semaphore) -> _Turn | None:
        """The next turn, waited for; None where the thread is no longer needed."""
        while True:
            with self._lock:
                while self._waiting:
                    turn = self._waiting.popleft()
                    if not turn.done.done():
                        self._begun += 1
                        return turn
                if self._closed:
                    self._threads -= 1
                    return None
                self._resting.append(rest)
            if not rest.acquire(timeout=IDLE) and self._leaves(rest):
                return None

    def _leaves(self, rest: threading.Semaphore) -> bool:
        """Whether a thread may end that was not needed for long: nobody has called it in this very moment."""
        with self._lock:
            if rest not in self._resting:
                return not rest.acquire()
            self._resting.remove(rest)
            self._threads -= 1
            return True

    def close(self) -> None:
        """Let the threads end, each when it has nothing to do; what they keep open is closed then."""
        with self._lock:
            self._closed = True
            while self._resting:
                self._resting.pop().release()

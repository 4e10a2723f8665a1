"""The one retry policy."""

import math
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from cim.ports.clock import Clock
from cim.ports.log import LinkLost

T = TypeVar("T")


def delays(first: float = 0.02, longest: float = 0.5) -> Iterator[float]:
    """Seconds to wait before each next try, without end: doubling from ``first`` up to ``longest``.

    The cap is under a second, so that whatever waits heals within a second of its cause going away.
    """
    delay = first
    while True:
        yield delay
        delay = min(delay * 2, longest)


async def outlast(call: Callable[[], Awaitable[T]], clock: Clock, patience: float = math.inf) -> T:
    """What ``call`` gives, tried again while the link is lost: a server's restart is nobody's fault.

    Raises :class:`LinkLost` when it is lost for ``patience`` seconds.
    """
    deadline = clock.monotonic() + patience
    for delay in delays():
        try:
            return await call()
        except LinkLost:
            if clock.monotonic() + delay > deadline:
                raise
        await clock.sleep(delay)
    raise AssertionError("delays never end")

"""Time and chance, handed in."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is, and waiting."""

    def now(self) -> datetime:
        """The time of day in UTC, for what is written down."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that much of this clock's time go by."""
        ...


class Entropy(Protocol):
    """Where new ids come from."""

    def new_id(self) -> str:
        """A fresh id of 32 hex digits that sorts by time."""
        ...


def stamp(clock: Clock) -> str:
    """The time of day as the envelope writes it: ISO 8601, UTC, microseconds, ``Z``."""
    return clock.now().isoformat("T", "microseconds")[:26] + "Z"

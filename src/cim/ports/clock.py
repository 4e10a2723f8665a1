"""Time and chance, handed in."""

from datetime import UTC, datetime
from typing import Protocol

from cim.contract import codec

_STAMP = len("2000-01-01T00:00:00.000000Z")


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
    now = clock.now()
    # A tenth of isoformat's time; but it leaves out the fraction of a whole second, and knows other zones.
    text = codec.json_bytes(now)[1:-1].decode()
    return text if len(text) == _STAMP else now.astimezone(UTC).isoformat("T", "microseconds")[:26] + "Z"

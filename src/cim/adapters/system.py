"""The host's own clock and chance."""

import asyncio
import os
import time
from datetime import UTC, datetime


class SystemClock:
    """Fulfils :class:`cim.ports.clock.Clock` by the host."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SystemEntropy:
    """Fulfils :class:`cim.ports.clock.Entropy`: ids in the layout of UUID version 7 (RFC 9562)."""

    def new_id(self) -> str:
        milliseconds = time.time_ns() // 1_000_000
        chance = int.from_bytes(os.urandom(10), "big")
        value = (milliseconds & (1 << 48) - 1) << 80 | chance
        value = value & ~(0xF << 76) | 7 << 76
        value = value & ~(0x3 << 62) | 2 << 62
        return f"{value:032x}"

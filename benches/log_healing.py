"""How long the log is away when its server is killed: from when that is back to the next commit."""

import asyncio
import os
import signal
import statistics
import time
from itertools import count
from pathlib import Path

from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.envelope import Commit
from cim.log.append import append
from cim.log.chain import Head
from cim.log.consumer import consume
from cim.testing.bare_leaf import bare_leaf
from log_bars import Rows
from log_history import first

PATIENCE = 60.0
_BACK = "started again after"


class _Back:
    """When the server was last told to be there again."""

    def __init__(self) -> None:
        self.when = 0.0
        self.news = asyncio.Event()

    def tell(self, text: str) -> None:
        if _BACK in text:
            self.when = time.perf_counter()
            self.news.set()


async def healing(rows: Rows, folder: Path, kills: int) -> None:
    """Kill the server so often, one append after the other under way and a consumer behind them."""
    back, arrived = _Back(), asyncio.Event()
    healed: list[float] = []

    async def take(batch: list[Commit]) -> None:
        if batch:
            arrived.set()

    async with bare_leaf(folder, back.tell) as leaf:
        log = await NatsLog.open(leaf.client)
        work = [asyncio.create_task(one) for one in (_append(log), consume(log, SystemClock(), 0, take))]
        for _ in range(kills):
            arrived.clear()
            await asyncio.wait_for(arrived.wait(), PATIENCE)
            back.news.clear()
            os.kill(leaf.server.pid, signal.SIGKILL)
            await asyncio.wait_for(back.news.wait(), PATIENCE)
            arrived.clear()
            await asyncio.wait_for(arrived.wait(), PATIENCE)
            healed.append(1000 * (time.perf_counter() - back.when))
        for task in work:
            task.cancel()
        await asyncio.wait(work)
    name = f"ms from the server's return to the next commit that is appended and read, {kills} kills"
    rows.under(f"{name}: the worst", max(healed), 1000)
    rows.figure(f"{name}: the middle", statistics.median(healed))


async def _append(log: NatsLog) -> None:
    clock = SystemClock()
    for number in count():
        await append(log, clock, first(f"healing{number}"), Head(), patience=PATIENCE)

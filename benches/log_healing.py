"""How long the log is away when its server is killed or the link is cut: from when that is back to the next
commit."""

import asyncio
import os
import signal
import statistics
import time
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.envelope import Commit
from cim.log.append import append
from cim.log.chain import Head
from cim.log.consumer import consume
from cim.testing.bare_leaf import BareLeaf, bare_leaf
from cim.testing.faults.proxy import HOST, Proxy
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


class _Work:
    """One append after the other, and a consumer behind them."""

    def __init__(self, log: NatsLog) -> None:
        self._arrived = asyncio.Event()
        self._tasks = [
            asyncio.create_task(one) for one in (_append(log), consume(log, SystemClock(), 0, self._take))
        ]

    async def _take(self, batch: list[Commit]) -> None:
        if batch:
            self._arrived.set()

    async def next(self) -> float:
        """When the next commit comes."""
        self._arrived.clear()
        await asyncio.wait_for(self._arrived.wait(), PATIENCE)
        return time.perf_counter()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


async def healing(rows: Rows, folder: Path, times: int) -> None:
    """Kill the server so often, then take the link away for as often, with work under way."""
    back = _Back()
    async with bare_leaf(folder, back.tell) as leaf:
        work = _Work(await NatsLog.open(leaf.client))
        killed = [await _killed(leaf, back, work) for _ in range(times)]
        await work.end()
        cut = await _cut(leaf, times)
    for what, healed in (("server's return", killed), ("link's return", cut)):
        name = f"ms from the {what} to the next commit that is appended and read, {times} times"
        rows.under(f"{name}: the worst", max(healed), 1000)
        rows.figure(f"{name}: the middle", statistics.median(healed))


async def _killed(leaf: BareLeaf, back: _Back, work: _Work) -> float:
    await work.next()
    back.news.clear()
    os.kill(leaf.server.pid, signal.SIGKILL)
    await asyncio.wait_for(back.news.wait(), PATIENCE)
    return 1000 * (await work.next() - back.when)


async def _cut(leaf: BareLeaf, times: int) -> list[float]:
    """The link leads nowhere for a while, each time a little longer, and is there again."""
    port, healed = urlsplit(leaf.server.url).port, list[float]()
    leads = True
    proxy = Proxy(lambda: port if leads else None)
    await proxy.start()
    async with connect(f"nats://{HOST}:{proxy.port}", leaf.user, "bench") as client:
        work = _Work(await NatsLog.open(client))
        for number in range(times):
            await work.next()
            leads = False
            proxy.cut()
            await asyncio.sleep(0.1 * (number + 1))
            leads, since = True, time.perf_counter()
            healed.append(1000 * (await work.next() - since))
        await work.end()
    await proxy.stop()
    return healed


async def _append(log: NatsLog) -> None:
    clock = SystemClock()
    for number in count(await log.last()):
        await append(log, clock, first(f"healing{number}"), Head(), patience=PATIENCE)

"""Many entities that do nothing: what they cost in memory, to come up again, and to open one of them."""

import gc
import os
import random
import statistics
import time
from itertools import islice
from pathlib import Path

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.leaf.garbage import let_stay
from cim.log.consumer import consume
from cim.world.world import World
from log_bars import Rows
from log_history import first, frame
from log_orders import orders
from log_raw import Raw
from log_sides import Enough, Ours, Sizes, server_on

_CHUNK = 10_000


async def many(rows: Rows, folder: Path, count: int) -> None:
    """``count`` orders of one commit each, and a world that knows them all."""
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        log = await NatsLog.open(client)
        with Raw(server, user) as raw:
            inbox = raw.inbox()
            frames = (frame(first(f"idle{n}"), inbox) for n in range(count))
            while chunk := list(islice(frames, _CHUNK)):
                raw.send(chunk, 256)
        before, started = resident(), time.perf_counter()
        world = await risen(log, count)
        rows.figure(f"{count:,} entities: seconds until a leaf knows them all", time.perf_counter() - started)
        grown = resident() - before
        rows.figure(f"{count:,} entities: MB of ours a million idle ones", grown / count)
        rows.figure(f"{count:,} entities: ms that the collector takes to look through all", looked())
        let_stay()
        rows.figure(f"{count:,} entities: ms that it takes when they stay, as in a leaf", looked())
        gc.unfreeze()
        side = Ours(log, Sizes(0, 0))
        some = random.Random(1).sample(range(count), min(count, 50))
        opened = [await side.load(f"idle{n}") for n in some]
        rows.figure(f"{count:,} entities: ms to open one", statistics.median(opened))
        assert await world.entities.count() == count


async def risen(log: NatsLog, count: int) -> World:
    """A world that holds everything in the log."""
    world = World(compose([orders]))

    async def take(batch: list[Commit]) -> None:
        await world.take(batch)
        if world.sequence >= count:
            raise Enough

    try:
        await consume(log, SystemClock(), 0, take)
    except Enough:
        return world
    raise AssertionError("the consumer ended")


def looked() -> float:
    """Milliseconds in which nobody is answered while the collector looks through everything, at best."""
    took = []
    for _ in range(3):
        started = time.perf_counter()
        gc.collect()
        took.append(1000 * (time.perf_counter() - started))
    return min(took)


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

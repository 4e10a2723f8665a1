"""Many entities that do nothing: what they cost in memory, to come up again, and to open one of them."""

import asyncio
import gc
import os
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.sqlite.index import SqliteIndex
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.log.consumer import consume
from cim.world.indexed import IndexedEntities
from cim.world.standing import go_on
from cim.world.trail import history
from cim.world.world import World
from log_bars import Rows
from log_history import first, frame
from log_orders import orders
from log_raw import Raw
from log_sides import Enough, Ours, Sizes, server_on

_CHUNK = 10_000


async def many(rows: Rows, folder: Path, count: int) -> None:
    """``count`` orders of one commit each, and worlds that know them all: the first, and one that starts
    again. What the first leaves in memory is not told: the process takes it for its own before the second."""
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        log = await NatsLog.open(client)
        with Raw(server, user) as raw:
            inbox = raw.inbox()
            frames = (frame(first(f"idle{n}"), inbox) for n in range(count))
            while chunk := list(islice(frames, _CHUNK)):
                raw.send(chunk, 256)
        before = resident()
        for start in ("the first start", "a later start"):
            began = time.perf_counter()
            async with _risen(log, folder / "world.sqlite") as world:
                took = time.perf_counter() - began
                rows.figure(f"{count:,} entities: seconds until a leaf knows them all, {start}", took)
                assert await world.entities.count() == count
                rows.figure(f"{count:,} entities: MB of ours then, {start}", (resident() - before) / 1e6)
        side = Ours(log, Sizes(0, 0))
        some = random.Random(1).sample(range(count), min(count, 50))
        opened = [await side.load(f"idle{n}") for n in some]
        rows.figure(f"{count:,} entities: ms to open one", statistics.median(opened))


@asynccontextmanager
async def _risen(log: NatsLog, path: Path) -> AsyncIterator[World]:
    """A world that holds everything in the log, over an index, as a leaf has it; kept when the block ends."""
    composition, index = compose([orders]), SqliteIndex(path)
    entities = IndexedEntities(index, composition, print)
    world = World(composition, history=partial(history, log), entities=entities)
    await go_on(world, entities, index, log, 0, print)

    async def take(batch: list[Commit]) -> None:
        await world.take(batch)
        await world.keep()
        if world.caught_up:
            raise Enough

    try:
        await consume(log, SystemClock(), world.sequence, take)
    except Enough:
        yield world
        await world.finish()
    finally:
        await asyncio.to_thread(index.close)


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

"""Many entities that do nothing: what they cost in memory, to come up again, and to open one of them."""

import asyncio
import gc
import os
import random
import statistics
import sys
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
from cim.leaf.garbage import collect_seldom
from cim.log.consumer import consume
from cim.world.indexed import IndexedEntities
from cim.world.standing import go_on
from cim.world.trail import history
from cim.world.world import World
from log_bars import Rows
from log_history import first, frame
from log_orders import orders
from log_raw import Raw
from log_requests import user_of
from log_sides import Enough, Ours, Sizes, server_on

_CHUNK = 10_000


async def many(rows: Rows, folder: Path, count: int) -> None:
    """``count`` orders of one commit each, and worlds that know them all: the first, and one that starts
    again, each in a process of its own."""
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        log = await NatsLog.open(client)
        with Raw(server, user) as raw:
            inbox = raw.inbox()
            frames = (frame(first(f"idle{n}"), inbox) for n in range(count))
            while chunk := list(islice(frames, _CHUNK)):
                raw.send(chunk, 256)
        for start in ("the first start", "a later start"):
            seconds, megabytes = await _in_a_process(folder, server.url, count)
            rows.figure(f"{count:,} entities: seconds until a leaf knows them all, {start}", seconds)
            rows.figure(f"{count:,} entities: MB that it has grown by, {start}", megabytes)
        side = Ours(log, Sizes(0, 0))
        some = random.Random(1).sample(range(count), min(count, 50))
        opened = [await side.load(f"idle{n}") for n in some]
        rows.figure(f"{count:,} entities: ms to open one", statistics.median(opened))


async def _in_a_process(folder: Path, url: str, count: int) -> tuple[float, float]:
    """What :func:`rise` measured in a process that did nothing before."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(folder), url, str(count), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, "the world did not come up"
    seconds, megabytes = map(float, said.split())
    return seconds, megabytes


async def rise(folder: Path, url: str, count: int) -> None:
    """Print the seconds until a world knows ``count`` entities, and the MB by which its process has grown."""
    async with connect(url, user_of(folder), "bench") as client:
        log, before, began = await NatsLog.open(client), resident(), time.perf_counter()
        async with _risen(log, folder / "world.sqlite") as world:
            took = time.perf_counter() - began
            assert await world.entities.count() == count
            print(took, (resident() - before) / 1e6, flush=True)


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


if __name__ == "__main__":
    collect_seldom()
    asyncio.run(rise(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

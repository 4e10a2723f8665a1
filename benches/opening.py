"""How long it takes to open an entity with a long history: cold, and with its snapshot.

``PYTHONPATH=benches python benches/opening.py [--write]``. Actors that hold nothing open an order
(benches/log_orders.py) on a real server of the profile `dev`: its newest command is sent again, which is
answered from what was opened, and its first, which is older than the snapshot and looked up.
"""

import argparse
import asyncio
import statistics
import tempfile
import tracemalloc
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cim.actors.actors import Actors
from cim.actors.past import Keeping
from cim.actors.request import Asked, Receipt
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.sqlite.snapshots import FILE, SqliteSnapshots
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from costs import Cost, metered
from log_history import frame, history
from log_orders import adding, orders, placing
from log_raw import Raw
from log_sides import SOURCE, server_on
from tables import table, write_section

COMMAND = "PYTHONPATH=benches python benches/opening.py --write"
TITLE = "Opening an entity with a long history"
COLUMNS = (
    "events",
    "cold, ms",
    "with a snapshot, ms: least",
    "most",
    "median",
    "its processor time, ms",
    "its first command looked up, median ms",
    "its processor time, ms",
    "peak memory of the cold read, MB",
)
TRIES = 30


def main() -> None:
    """Measure, print the table, and write it into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        body = table(COLUMNS, asyncio.run(measure(Path(folder))))
    print(body)
    if given.write:
        write_section(TITLE, COMMAND, NOTES, body)


async def measure(folder: Path) -> list[tuple[str, ...]]:
    """A row for each length of a history."""
    rows = []
    async with (
        server_on(folder / "server", "dev") as (server, user),
        connect(server.url, user, "b") as client,
    ):
        log = await NatsLog.open(client)
        for count in (1001, 1049, 100_001):
            order = f"o{count}"
            with Raw(server, user) as raw:
                inbox = raw.inbox()
                raw.send([frame(one, inbox) for one in history(order, count)], 256)
            with closing(SqliteSnapshots(folder / FILE, print)) as snapshots:
                cold, megabytes = await first_read(log, snapshots, order, count)
                newest, oldest = adding(count - 1, order), placing(0, order)
                warm = [await answered(keeping(log, snapshots), newest) for _ in range(TRIES)]
                first = [await answered(keeping(log, snapshots), oldest) for _ in range(TRIES)]
            walls = [cost.wall for cost in warm]
            times = (cold.wall, min(walls), max(walls), *middle(warm), *middle(first))
            rows.append((f"{count:,}", *(f"{1000 * value:.2f}" for value in times), f"{megabytes:.1f}"))
    return rows


def middle(costs: Sequence[Cost]) -> tuple[float, float]:
    """The medians of both clocks, in seconds."""
    walls, times = [cost.wall for cost in costs], [cost.processor for cost in costs]
    return statistics.median(walls), statistics.median(times)


async def first_read(log: NatsLog, snapshots: SqliteSnapshots, order: str, count: int) -> tuple[Cost, float]:
    """The whole history read without a snapshot; then once more, while snapshots are kept: the megabytes
    that Python held at most."""
    newest = adding(count - 1, order)
    cold = await answered(Actors(compose([orders]), log, SystemClock(), SOURCE), newest)
    tracemalloc.start()
    actors = keeping(log, snapshots)
    await answered(actors, newest)
    (past,) = (actor.past for actor in actors._warm.values())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for _ in range(3):
        await past.written()
    return cold, most / 1e6


async def answered(actors: Actors, again: Asked) -> Cost:
    """What it takes to answer."""
    with metered(1) as meter:
        assert isinstance(await actors.handle(again), Receipt)
    return meter.cost


def keeping(log: NatsLog, snapshots: SqliteSnapshots) -> Actors:
    """Actors as a leaf makes them."""
    return Actors(compose([orders]), log, SystemClock(), SOURCE, keeping=Keeping(snapshots, print))


NOTES = """The first command on an order to actors that hold nothing, 30 times, over the lean connection to
a server on `dev`. A snapshot is kept every 50 commits, so that up to 49 are read behind it: the row of 1,049
has the most. The order's first command is older than the snapshot: its id is looked up in the file, and its
receipt is read from the log."""


if __name__ == "__main__":
    main()

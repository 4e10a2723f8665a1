"""The log and its actors beside ``eventsourcing``, nats-py and the server's own limit, in one run.

``PYTHONPATH=benches python benches/log.py [--full] [--write]``. All sides keep the same small order
(benches/log_orders.py). Short sizes end in a few minutes; ``--full`` takes those that the aims speak of: a
million events, a million entities.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nats.aio.client import Client

from cim.actors.past import Keeping
from cim.adapters.memory.log import MemoryLog
from cim.adapters.nats.lean import lean_of
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.nats.stream import STREAM
from cim.adapters.sqlite.rows import SqliteRows
from cim.adapters.sqlite.snapshots import SqliteSnapshots
from cim.cli.output import progress
from cim.contract import codec
from cim.contract.envelope import Commit, block_of
from cim.leaf.configuration import Durability
from cim.leaf.garbage import collect_seldom
from cim.log.grouped import Grouped
from cim.ports.log import Log
from costs import Cost, metered
from log_bars import Rows
from log_healing import healing
from log_history import among, first, frame, history, raw_publishes
from log_many import many
from log_orders import DefaultOrders, LeanOrders, placing
from log_projected import into_rows, their_rows, through_nothing
from log_raw import Raw
from log_requests import answering, bare_requests, by_request
from log_sides import KINDS, Ours, Sizes, Theirs, bare_publish, replay, server_on
from tables import write_section

COMMAND = "PYTHONPATH=benches python benches/log.py{} --write"
TITLE_OF_SECTION = "The log and its actors"


@dataclass(frozen=True)
class Scale:
    """How much of everything is done."""

    usual: Sizes
    synced: Sizes
    requests: Sizes
    among: int
    replayed: int
    projected: int
    theirs: int
    long: int
    entities: int
    kills: int


TINY = Scale(Sizes(8, 1, 4, 4, 20), Sizes(4, 1, 2, 2, 20), Sizes(4, 1), 200, 300, 100, 10, 150, 50, 1)
SHORT = Scale(Sizes(2000, 5), Sizes(400, 2), Sizes(500, 8), 50_000, 100_000, 50_000, 500, 10_000, 20_000, 10)
FULL = replace(SHORT, among=200_000, replayed=1_000_000, projected=200_000, theirs=2000, long=100_000)
FULL = replace(FULL, entities=1_000_000)


def main() -> None:
    """Measure all sides, print the tables, and write them into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    size = arguments.add_mutually_exclusive_group()
    size.add_argument(
        "--full", action="store_true", help="a million events, a million entities: about half an hour"
    )
    size.add_argument(
        "--tiny", action="store_true", help="a few of everything: whether the bench runs at all"
    )
    arguments.add_argument("--write", action="store_true", help="write the tables into docs/benchmarks.md")
    given = arguments.parse_args()
    collect_seldom()
    rows = Rows()
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as disk,
        tempfile.TemporaryDirectory(dir="/dev/shm") as shm,
    ):
        measure(rows, Path(disk), Path(shm), FULL if given.full else TINY if given.tiny else SHORT)
    print(rows.tables())
    if given.write:
        command = COMMAND.format(" --full" if given.full else "")
        write_section(TITLE_OF_SECTION, command, NOTES, rows.tables())


def measure(rows: Rows, disk: Path, shm: Path, scale: Scale) -> None:
    """Every side once, each on an empty place of its own."""
    rivals: dict[str, Cost] = {}
    steps: list[tuple[str, Callable[[], object]]] = [
        ("eventsourcing", lambda: rivals.update(their_sides(rows, disk, shm, scale))),
        ("ours in memory", lambda: asyncio.run(in_memory(rows, scale.usual))),
        ("ours on dev", lambda: asyncio.run(on_server(rows, disk / "dev", "dev", scale.usual, rivals))),
        (
            "ours on durable",
            lambda: asyncio.run(on_server(rows, disk / "durable", "durable", scale.synced, rivals)),
        ),
        ("by request", lambda: asyncio.run(requests(rows, disk / "requests", scale.requests))),
        ("replay", lambda: asyncio.run(replays(rows, disk / "replay", scale))),
        ("projections", lambda: asyncio.run(projections(rows, disk / "projections", scale))),
        ("healing", lambda: asyncio.run(healing(rows, disk / "healing", scale.kills))),
        ("many entities", lambda: asyncio.run(many(rows, disk / "many", scale.entities))),
    ]
    with progress() as bar:
        task = bar.add_task("the log", total=len(steps))
        for name, step in steps:
            bar.update(task, description=name)
            step()
            bar.advance(task)


def their_sides(rows: Rows, disk: Path, shm: Path, scale: Scale) -> dict[str, Cost]:
    """The rival in memory, on tmpfs and on disk, in both its styles; its updates by where and how."""
    updates: dict[str, Cost] = {}
    for where, folder, sizes in (
        ("in memory", None, scale.usual),
        ("SQLite on tmpfs", shm, scale.usual),
        ("SQLite on disk", disk, scale.synced),
    ):
        for style, kind in (("default", DefaultOrders), ("msgspec", LeanOrders)):
            env = {}
            if folder is not None:
                file = folder / f"{style}.sqlite"
                env = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(file)}
            side, name = Theirs(kind(env=env), sizes), f"eventsourcing {where}, {style} style"
            create, update = side.create(), side.update()
            rows.side(name, create, update, side.load(), side.replay())
            updates[name] = update
            side.application.close()
    return updates


async def in_memory(rows: Rows, sizes: Sizes) -> None:
    """Ours on the log in memory."""
    side = Ours(MemoryLog(), sizes)
    create, update = await side.create(), await side.update()
    await side.long("long", sizes.events)
    read = await replay(side.log, await side.log.last(), decoded)
    rows.side("cim on the log in memory", create, update, await middle(lambda: side.load("long")), read)


async def on_server(
    rows: Rows, folder: Path, profile: Durability, sizes: Sizes, rivals: dict[str, Cost]
) -> None:
    """Ours on a real server, that server's own limit, and the rival whose store syncs as often."""
    async with (
        server_on(folder / profile, profile) as (server, user),
        connect(server.url, user, "bench") as client,
    ):
        log: Log = await NatsLog.open(client)
        # As a leaf opens it.
        side = Ours(Grouped(log) if profile == "durable" else log, sizes)
        create, update = await side.create(), await side.update()
        with Raw(server, user) as raw:
            limit = raw_publishes(raw, sizes.entities * sizes.updates, sizes.in_flight)
        rows.side(f"cim on `{profile}`", create, update, None, None)
        rows.side(f"the server's own limit on `{profile}`, raw", None, limit, None, None)
        if profile == "dev":
            rows.at_least("updates/s on `dev`, the raw limit beside", update.rate, limit.rate, 0.35)
            ready = await ready_publishes(client, sizes)
            rows.side("bytes made before on `dev`, over our own connection", None, ready, None, None)
        like, aim = ("SQLite on tmpfs", 5) if profile == "dev" else ("SQLite on disk", 3)
        for name, theirs in rivals.items():
            if like in name:
                rows.at_least(f"updates/s on `{profile}`, {name} beside", update.rate, theirs.rate, aim)
        if profile == "dev":
            await one_at_a_time(rows, side, client)


async def one_at_a_time(rows: Rows, side: Ours, client: Client) -> None:
    """A warm entity's update beside a bare publish with expectation, in turns."""
    pairs: list[tuple[Cost, Cost]] = []
    for turn in range(5):
        commits = [first(f"bare{turn}-{n}") for n in range(side.sizes.single)]
        pairs.append((await side.single(), await bare_publish(client, commits)))
    one, bare = (statistics.median([1000 / pair[place].rate for pair in pairs]) for place in (0, 1))
    rows.at_most(
        "ms an update, one at a time and warm; nats-py's bare publish with expectation beside", one, bare, 1.5
    )


async def ready_publishes(client: Client, sizes: Sizes) -> Cost:
    """The same over the connection that ours go over: what is left when an update costs nothing itself."""
    wire = await lean_of(client).wire()
    commits = [first(f"ready{n}") for n in range(sizes.entities * sizes.updates)]
    waiting = iter([(commit.subject, block_of(commit, 0), commit.body) for commit in commits])

    async def work() -> None:
        for one in waiting:
            _, answer = await wire.ask(*one)
            assert b'"seq":' in answer, answer

    with metered(len(commits)) as meter:
        await asyncio.gather(*(work() for _ in range(sizes.in_flight)))
    return meter.cost


async def requests(rows: Rows, folder: Path, sizes: Sizes) -> None:
    """Commands from another process, in turns with bare requests."""
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        pairs: list[tuple[Cost, Cost]] = []
        for turn in range(3):
            async with answering("bare", folder, server.url):
                bare = await bare_requests(client, sizes.entities * sizes.updates)
            async with answering("ours", folder, server.url):
                pairs.append((await by_request(client, sizes, f"turn{turn}-"), bare))
    ours, bare = sorted(pairs, key=lambda pair: pair[0].rate / pair[1].rate)[1]
    rows.at_least("commands/s by request; nats-py's bare request/reply beside", ours.rate, bare.rate, 1)
    rows.figure("processor µs a command in the sender", ours.micros)
    rows.figure("processor µs a bare request in its sender", bare.micros)


async def replays(rows: Rows, folder: Path, scale: Scale) -> None:
    """Reading: one entity alone, among others and by its snapshot, and everything in order."""
    events = scale.usual.events
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        log = await NatsLog.open(client)
        side = Ours(log, scale.usual)
        with Raw(server, user) as raw:
            inbox = raw.inbox()
            raw.send([frame(one, inbox) for one in history("alone", events)], 256)
            await loads(rows, "alone", raw, side, "alone")
            raw.send(list(among(scale.among, inbox, events)), 256)
            await loads(rows, f"among {scale.among:,} others", raw, side, "spread")
            raw.send([frame(one, inbox) for one in history("long", scale.long)], 256)
            await snapshots(rows, folder, side, {"alone": (events, 1), "long": (scale.long, 5)})
            count = max(scale.replayed, await log.last())
            raw.send(list(among(count - await log.last(), inbox, 1)), 256)
            with metered(count) as meter:
                raw.replay(STREAM, count)
        read = await through_nothing(log, count)
        name = f"events/s of a replay of {count:,} through an empty projection, the raw read beside"
        rows.at_least(name, read.rate, meter.cost.rate, 0.5)
        rows.figure(f"replay of {count:,}, processor µs an event", read.micros)


async def loads(rows: Rows, where: str, raw: Raw, side: Ours, order: str) -> None:
    """Opening an entity cold, and the raw read of the same messages."""
    subject, events = placing(0, order).ref.events, side.sizes.events

    async def undecoded() -> float:
        with metered(1) as meter:
            raw.load(STREAM, subject, events)
        return 1000 * meter.cost.wall

    mine, bare = await middle(lambda: side.load(order)), await middle(undecoded)
    rows.at_most(f"ms to open {events:,} events {where}, the raw read beside", mine, bare, 2)


async def snapshots(rows: Rows, folder: Path, side: Ours, given: dict[str, tuple[int, float]]) -> None:
    """Opening entities whose states were kept: how many events each has, and the aim in milliseconds."""
    with closing(SqliteSnapshots(folder / "snapshots.sqlite", print)) as store:
        side = replace(side, keeping=Keeping(store, print))
        for order, (events, aim) in given.items():
            await side.load(order)
            await side.kept()
            rows.under(
                f"ms to open {events:,} events by a snapshot", await middle(partial(side.load, order)), aim
            )


async def projections(rows: Rows, folder: Path, scale: Scale) -> None:
    """Rows in SQLite on disk, each event once, beside the rival's."""
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        log = await NatsLog.open(client)
        with Raw(server, user) as raw:
            raw.send(list(among(scale.projected, raw.inbox(), 1)), 256)
        places = [folder / f"rows{turn}" for turn in range(3)]
        for place in places:
            place.mkdir()
        turns = [await into_rows(log, SqliteRows(place), scale.projected) for place in places]
    ours = sorted(turns, key=lambda one: one.rate)[1]
    theirs, name = their_rows(folder, scale.theirs), "events/s into SQLite on disk"
    rows.at_least(f"{name}; eventsourcing's projection beside", ours.rate, theirs.rate, 100)
    rows.at_least(f"{name}; 50,000 beside (one of the two will do)", ours.rate, 50_000, 1)
    rows.figure("projection into SQLite, processor µs an event", ours.micros)


async def middle(measured: Callable[[], Awaitable[float]], times: int = 7) -> float:
    """The median of some tries."""
    return statistics.median([await measured() for _ in range(times)])


def decoded(commit: Commit) -> int:
    """Decode a commit's events; how many there are."""
    return len([codec.read(item, KINDS[item.type]) for item in codec.unread(commit.body)])


NOTES = """Small orders of all sides, processor time of the measuring process alone. An
update loads, decides and appends; ours answers from warm entities with 256 commands in flight, each
checked by the log's expectation, and the rival loads each time, one after the other, as it does by
default. Of ours each commit carries its hash chain, its cause and the digest of its command. `dev` and
SQLite on tmpfs sync nothing to disk; SQLite on disk syncs each commit, and `durable` each before its
receipt, those that are under way at once together (docs/decisions/0027). The server's limit is what single
messages made before reach on a raw socket that only counts answers: it makes no object of what it reads.
Garbage is collected as in a leaf (docs/decisions/0026), for all sides.
By request: 64 in flight from one process, the door with its actors and its world in another, the middle
of three turns. Ours into SQLite is the middle of three as well; the rival's projection commits each event
by itself, as its own do. The server is killed, and the link cut for
0.1 s to 1 s, with appends under way, one after the other; worlds of many
entities are kept in their index, and each starts in a process of its own."""


if __name__ == "__main__":
    main()

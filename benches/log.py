"""The log and its actors beside ``eventsourcing`` and beside the server's own limit, in one run.

``PYTHONPATH=benches python benches/log.py [--full] [--write]``. Both sides keep the same small order
(benches/log_orders.py). ``--full`` replays a million events in place of a hundred thousand.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

from nats.aio.client import Client

from cim.adapters.memory.log import MemoryLog
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.nats.stream import STREAM
from cim.adapters.system import SystemClock
from cim.cli.output import progress
from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.schema import dataschema
from cim.leaf.configuration import Durability
from cim.log.chain import Head
from cim.ports.clock import stamp
from log_orders import ARTICLE, TITLE, Added, DefaultOrders, LeanOrders, Placed, adding, placing
from log_raw import Raw, published
from log_sides import KINDS, SOURCE, Cost, Ours, Sizes, Theirs, bare_publish, metered, replay, server_on
from tables import table, write_section

COMMAND = "PYTHONPATH=benches python benches/log.py --write"
SMALL = Sizes(entities=400, updates=2)
USUAL = Sizes(entities=2000, updates=5)
TITLE_OF_SECTION = "The log and its actors"
COLUMNS = (
    "",
    "creates/s",
    "updates/s",
    "processor µs an update",
    "1,000 events loaded, ms",
    "replayed/s, decoded",
)


class Rows:
    """The rows that were measured, and the figures that stand beside the table."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.figures: dict[str, str] = {}

    def add(
        self, name: str, create: Cost | None, update: Cost, load: float | None, read: Cost | None
    ) -> None:
        """One side's figures; what was not measured stays empty."""
        made, replayed = (None if cost is None else cost.rate for cost in (create, read))
        cells = [shown(made), shown(update.rate), f"{update.micros:.1f}"]
        self.rows.append((name, *cells, shown(load), shown(replayed)))


def shown(value: float | None) -> str:
    """Three figures, thousands parted."""
    if value is None:
        return ""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Measure all sides, print the tables, and write them into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--full", action="store_true", help="replay 1,000,000 events")
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    rows = Rows()
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as disk,
        tempfile.TemporaryDirectory(dir="/dev/shm") as shm,
    ):
        measure(rows, Path(disk), Path(shm), 1_000_000 if given.full else 100_000)
    body = "\n\n".join(
        [table(COLUMNS, rows.rows), table(("beside it", "figure"), sorted(rows.figures.items()))]
    )
    print(body)
    if given.write:
        write_section(TITLE_OF_SECTION, COMMAND, NOTES, body)


def measure(rows: Rows, disk: Path, shm: Path, count: int) -> None:
    """Every side once, each on an empty place of its own."""
    steps: list[tuple[str, Callable[[], object]]] = [
        ("eventsourcing", lambda: rivals(rows, disk, shm)),
        ("ours in memory", lambda: asyncio.run(in_memory(rows))),
        ("ours on dev", lambda: asyncio.run(on_server(rows, disk / "dev", "dev", USUAL))),
        ("ours on durable", lambda: asyncio.run(on_server(rows, disk / "durable", "durable", SMALL))),
        ("replay", lambda: asyncio.run(replays(rows, disk / "replay", count))),
    ]
    with progress() as bar:
        task = bar.add_task("the log", total=len(steps))
        for name, step in steps:
            bar.update(task, description=name)
            step()
            bar.advance(task)


def rivals(rows: Rows, disk: Path, shm: Path) -> None:
    """The rival in memory, on tmpfs and on disk, in both its styles."""
    for where, folder, sizes in (
        ("in memory", None, USUAL),
        ("SQLite on tmpfs", shm, USUAL),
        ("SQLite on disk", disk, SMALL),
    ):
        for style, kind in (("default", DefaultOrders), ("msgspec", LeanOrders)):
            env = {}
            if folder is not None:
                file = folder / f"{style}.sqlite"
                env = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(file)}
            side = Theirs(kind(env=env), sizes)
            create, update = side.create(), side.update()
            rows.add(f"eventsourcing {where}, {style} style", create, update, side.load(), side.replay())
            side.application.close()


async def in_memory(rows: Rows) -> None:
    """Ours on the log in memory."""
    side = Ours(MemoryLog(), USUAL)
    create, update = await side.create(), await side.update()
    await side.long("long", 1000)
    read = await replay(side.log, await side.log.last(), decoded)
    rows.add("cim on the log in memory", create, update, await middle(lambda: side.load("long")), read)


async def on_server(rows: Rows, folder: Path, profile: Durability, sizes: Sizes) -> None:
    """Ours on a real server, over either connection, and that server's own limit."""
    async with server_on(folder, profile) as (server, user), connect(server.url, user, "bench") as client:
        lean = await NatsLog.open(client)
        for name, log in (("the general client", NatsLog(client)), ("the lean connection", lean)):
            side = Ours(log, sizes, prefix=name[4])
            create, update = await side.create(), await side.update()
            rows.add(f"cim on `{profile}`, {name}", create, update, None, None)
        with Raw(server, user) as raw:
            limit = raw_publishes(raw, sizes)
        rows.add(f"the server's own limit on `{profile}`, raw", None, limit, None, None)
        rows.figures[f"updates on `{profile}`, share of the server's limit"] = (
            f"{update.rate / limit.rate:.2f}"
        )
        if profile == "dev":
            await one_at_a_time(rows, side, client)


async def one_at_a_time(rows: Rows, side: Ours, client: Client) -> None:
    """A warm entity's update beside a bare publish with expectation, in turns."""
    pairs: list[tuple[Cost, Cost]] = []
    for turn in range(5):
        commits = [first(f"bare{turn}-{n}") for n in range(side.sizes.single)]
        pairs.append((await side.single(), await bare_publish(client, commits)))
    one, bare = (statistics.median([1000 / pair[place].rate for pair in pairs]) for place in (0, 1))
    rows.figures["one entity at a time, warm, ms"] = f"{one:.3f}"
    rows.figures["a bare publish with expectation (nats-py), ms"] = f"{bare:.3f}"
    rows.figures["one entity at a time over the bare publish"] = f"{one / bare:.2f}"


def raw_publishes(raw: Raw, sizes: Sizes) -> Cost:
    """Publishes with expectation, one subject each, as bytes made before."""
    inbox = raw.inbox()
    frames = [frame(first(f"raw{n}"), inbox, 0) for n in range(sizes.entities * sizes.updates)]
    with metered(len(frames)) as meter:
        raw.send(frames, sizes.in_flight)
    return meter.cost


async def replays(rows: Rows, folder: Path, count: int) -> None:
    """Reading: one entity of 1,000 events alone and among others, and everything in order."""
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        log = await NatsLog.open(client)
        side = Ours(log, USUAL)
        with Raw(server, user) as raw:
            inbox = raw.inbox()
            raw.send([frame(one, inbox) for one in history("alone", 1000)], 256)
            await loads(rows, "alone", raw, side, "alone")
            raw.send(list(among(count, inbox)), 256)
            await loads(rows, f"among {count:,} others", raw, side, "spread")
            with metered(count) as meter:
                raw.replay(STREAM, count)
        general = await replay(NatsLog(client), min(count, 100_000), decoded)
        read = await replay(log, count, decoded)
        rows.figures["replay by the general client, events/s, decoded"] = shown(general.rate)
        rows.figures[f"replay of {count:,}, events/s, decoded"] = shown(read.rate)
        rows.figures[f"replay of {count:,}, processor µs an event"] = f"{read.micros:.1f}"
        rows.figures[f"replay of {count:,}, raw, events/s"] = shown(meter.cost.rate)
        rows.figures[f"replay of {count:,}, share of the raw read"] = f"{read.rate / meter.cost.rate:.2f}"


async def loads(rows: Rows, where: str, raw: Raw, side: Ours, order: str) -> None:
    """Opening an entity of 1,000 events cold, and the raw read of the same messages."""
    subject = asked_subject(order)

    async def undecoded() -> float:
        with metered(1) as meter:
            raw.load(STREAM, subject, 1000)
        return 1000 * meter.cost.wall

    mine, bare = await middle(lambda: side.load(order)), await middle(undecoded)
    rows.figures[f"1,000 events of one entity {where}, ms"] = shown(mine)
    rows.figures[f"1,000 events of one entity {where}, raw read, ms"] = shown(bare)
    rows.figures[f"1,000 events of one entity {where}, over the raw read"] = f"{mine / bare:.2f}"


async def middle(measured: Callable[[], Awaitable[float]], times: int = 7) -> float:
    """The median of some tries."""
    return statistics.median([await measured() for _ in range(times)])


def asked_subject(order: str) -> str:
    """The subject of an order's commits."""
    return placing(0, order).ref.events


def decoded(commit: Commit) -> int:
    """Decode a commit's events; how many there are."""
    return len([codec.read(item, KINDS[item.type]) for item in codec.unread(commit.body)])


def first(order: str) -> Commit:
    """The commit that opens an order."""
    return next(history(order, 1))


def history(order: str, count: int) -> Iterator[Commit]:
    """An order's commits as its actor would write them: its first, then one article each."""
    head = Head()
    for number in range(count):
        given = placing(0, order) if number == 0 else adding(number, order)
        event = (
            Placed(order, "customer-000431", "EUR") if number == 0 else Added(order, ARTICLE, TITLE, 3, 249)
        )
        commit = head.link(
            Commit(
                subject=given.ref.events,
                number=0,
                origin=given.origin,
                source=SOURCE,
                type="orders.Order.Committed",
                time=stamp(SystemClock()),
                schema=dataschema([type(event)]),
                body=codec.write([event]),
                request=given.digest,
            )
        )
        # Its place in the stream is not known yet, and the chain does not need it.
        head = head.advance(commit)
        yield commit


def among(count: int, inbox: str) -> Iterable[bytes]:
    """``count`` messages: orders of 50 commits each in turns, one of 1,000 spread over all of them."""
    long = [frame(one, inbox) for one in history("spread", 1000)]
    every = count // len(long)
    others = [[frame(one, inbox) for one in history(f"other{n}", 50)] for n in range(min(count // 50, 400))]
    flat = [order[turn] for turn in range(50) for order in others]
    for number in range(count - len(long)):
        if number % (every - 1) == 0 and long:
            yield long.pop(0)
        yield flat[number % len(flat)]
    yield from long


def frame(commit: Commit, inbox: str, expected: int | None = None) -> bytes:
    """The bytes that publish a commit."""
    headers = commit.headers()
    if expected is not None:
        headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
    return published(commit.subject, inbox, commit.body, headers)


NOTES = """Small orders of both sides, processor time of the measuring process alone. An
update loads, decides and appends; ours answers from warm entities with 256 commands in flight, each
checked by the log's expectation, and the rival loads each time, one after the other, as it does by
default. Of ours each commit carries its hash chain, its cause and the digest of its command. `dev` and
SQLite on tmpfs sync nothing to disk, `durable` and SQLite on disk each commit. The server's limit is
what bytes made before reach on a raw socket that only counts answers."""


if __name__ == "__main__":
    main()

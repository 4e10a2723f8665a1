"""The parts that are measured in the bench's own process: appends on three nodes, rules, rows."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from cim.actors.actors import Actors
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.sqlite.rows import SqliteRows
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.subjects import Ref
from cim.leaf.configuration import Durability
from cim.leaf.machine_server import until_ready
from cim.ports.rows import RowStore
from cim.testing.bare_leaf import bare_cluster
from cim.testing.postgres_server import postgres_server, programs
from costs import Cost, all_of, timed
from log_history import among, first, raw_publishes
from log_orders import asked
from log_projected import into_rows
from log_raw import Raw
from log_sides import SOURCE, Ours, Sizes, bare_publish, granted, server_on
from parts_bank import Deposit, Transfer, bank
from parts_table import Parts

AT_ONCE = 16
RICH = 1_000_000_000


async def on_ha(parts: Parts, folder: Path, sizes: Sizes, turns: int) -> None:
    """Updates on three nodes, in turns with a bare publish; then what the cluster takes from a raw socket."""
    async with bare_cluster(folder) as cluster:
        await until_ready(cluster.client)
        side = Ours(await NatsLog.open(cluster.client), sizes)
        await side.create()
        many, one, bare, limits = list[Cost](), list[Cost](), list[Cost](), list[Cost]()
        for turn in range(turns):
            many.append(await side.update())
            one.append(await side.single())
            bare.append(
                await bare_publish(cluster.client, [first(f"b{turn}-{n}") for n in range(sizes.single)])
            )
            with Raw(cluster.server.nodes[await cluster.leader()], cluster.user) as raw:
                number = sizes.entities * sizes.updates
                limits.append(raw_publishes(raw, number, sizes.in_flight, f"raw{turn}-"))
    parts.row(f"updates on `ha`, {sizes.in_flight} in flight", all_of(many))
    parts.row("beside it: the cluster's own limit, raw", all_of(limits))
    parts.row("updates on `ha`, one at a time", all_of(one))
    parts.row("beside it: nats-py's bare publish with expectation", all_of(bare))


@dataclass
class Bank:
    """Accounts at their mailboxes, in pairs that share none."""

    actors: Actors
    pairs: int
    numbers: Iterator[int]

    async def rich(self) -> None:
        """Money on every account."""
        names = [f"{side}{n}" for n in range(self.pairs) for side in ("a", "b")]
        await timed([partial(self.put, name, RICH) for name in names], AT_ONCE)

    async def put(self, account: str, cents: int = 1) -> None:
        """One append."""
        command = Deposit(account, cents)
        await granted(self.actors, asked(next(self.numbers), _account(account), command))

    async def move(self, pair: int) -> None:
        """One write on two entities."""
        command = Transfer(f"a{pair}", f"b{pair}", 1)
        await granted(self.actors, asked(next(self.numbers), _account(command.source), command))

    async def two(self, pair: int) -> None:
        """The same two entities, an append each and nothing that holds them together."""
        await self.put(f"a{pair}")
        await self.put(f"b{pair}")

    def each(
        self, one: Callable[[int], Awaitable[None]], times: int
    ) -> Sequence[Callable[[], Awaitable[None]]]:
        """So many times, from pair to pair."""
        return [partial(one, n % self.pairs) for n in range(times)]


async def rules(parts: Parts, folder: Path, profile: Durability, times: int, turns: int) -> None:
    """Moves over two entities in turns with two single appends."""
    async with _log_on(folder, profile) as log:
        side = Bank(Actors(compose([bank]), log, SystemClock(), SOURCE), 4 * AT_ONCE, count())
        await side.rich()
        for in_flight, how in ((1, "one after the other"), (AT_ONCE, f"{AT_ONCE} in flight")):
            moves, singles = list[Cost](), list[Cost]()
            for _ in range(turns):
                moves.append(await timed(side.each(side.move, times), in_flight))
                singles.append(await timed(side.each(side.two, times), in_flight))
            parts.row(f"moves by a rule over two entities on `{profile}`, {how}", all_of(moves))
            parts.row("beside it: two single appends", all_of(singles))


async def rows(parts: Parts, folder: Path, number: int, turns: int) -> None:
    """The rows of one projection in PostgreSQL, in turns with a file of SQLite."""
    name, bin = "events/s into rows of PostgreSQL", programs()
    if bin is None:
        parts.missing(name, "the programs of PostgreSQL are not installed here")
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        log = await NatsLog.open(client)
        with Raw(server, user) as raw:
            raw.send(list(among(number, raw.inbox(), 1)), 256)
        files, tables = list[Cost](), list[Cost]()

        async def fold(store: RowStore, found: list[Cost]) -> None:
            found.append(await into_rows(log, store, number))

        if bin is None:
            for turn in range(turns):
                await fold(SqliteRows(_new(folder / f"rows{turn}")), files)
        else:
            from cim.adapters.postgres.rows import PostgresRows

            with postgres_server(bin) as database:
                for turn in range(turns):
                    await fold(PostgresRows(database.url, f"bench{turn}"), tables)
                    await fold(SqliteRows(_new(folder / f"rows{turn}")), files)
            parts.row(name, all_of(tables))
    parts.row("beside it: the same projection into SQLite on disk", all_of(files))


@asynccontextmanager
async def _log_on(folder: Path, profile: Durability) -> AsyncIterator[NatsLog]:
    """An empty log on the servers of a profile."""
    if profile == "ha":
        async with bare_cluster(folder) as cluster:
            await until_ready(cluster.client)
            yield await NatsLog.open(cluster.client)
    else:
        async with server_on(folder, profile) as (server, user), connect(server.url, user, "bench") as client:
            yield await NatsLog.open(client)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _account(name: str) -> Ref:
    return Ref("parts_bank", "Account", name)

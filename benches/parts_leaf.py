"""The parts that are measured through a real leaf, from another process: queries, and a policy."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from nats.aio.client import Client

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.domain.message import Command
from cim.doors.asker import ask_query
from cim.leaf.accounts import Credentials
from cim.leaf.node import background
from cim.log.consumer import consume
from cim.testing.processes import Place, place
from costs import Cost, all_of, timed
from log_requests import IN_FLIGHT, answering, bare_requests, sent
from parts_bank import Deposit, Earn, Save, bank
from parts_table import Parts

CLOCK = SystemClock()
MODULE = Path(__file__).with_name("parts_bank.py")
PATIENCE = 60.0
KINDS = compose([bank]).entities.values()


@contextmanager
def machine_in(folder: Path) -> Iterator[Place]:
    """A machine with the bank; what was started on it is ended with the block."""
    machine = folder / "machine"
    machine.mkdir(parents=True)
    (machine / "machine.toml").write_text(f'name = "bench"\nmodules = ["{MODULE}"]\n')
    with place(machine, folder / "said") as leaf:
        yield leaf


@asynccontextmanager
async def joined(leaf: Place) -> AsyncIterator[Client]:
    """A connection as any program of the machine has it."""
    found = leaf.address
    async with connect(found.url, Credentials(found.jwt, found.seed), "bench") as client:
        yield client


async def told(client: Client, command: Command, id: str) -> int:
    """A command by request, granted; its receipt's sequence."""
    kind = next(kind for kind in KINDS if kind.commands.get(type(command).__name__) is type(command))
    return await sent(client, kind, command, id)


class Arrivals:
    """When this process read each commit of one type of entity that came, by the wall clock."""

    def __init__(self, entity: str) -> None:
        self.seen: list[tuple[float, Commit]] = []
        self._prefix = f"evt.{bank.name}.{entity}."
        self._progress = asyncio.Condition()
        self._follows = False

    async def take(self, batch: list[Commit]) -> None:
        """Take in what came just now."""
        now = time.time()
        self._follows = True
        self.seen += [(now, commit) for commit in batch if commit.subject.startswith(self._prefix)]
        async with self._progress:
            self._progress.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what was seen is enough."""
        async with asyncio.timeout(PATIENCE), self._progress:
            await self._progress.wait_for(lambda: self._follows and holds())


@asynccontextmanager
async def watching(client: Client, entity: str) -> AsyncIterator[Arrivals]:
    """Follow the log from its end."""
    log, arrivals = await NatsLog.open(client), Arrivals(entity)
    async with background(consume(log, CLOCK, await log.last(), arrivals.take)):
        await arrivals.until(lambda: True)
        yield arrivals


async def queries(parts: Parts, folder: Path, times: int, turns: int) -> None:
    """What was written is read by its receipt, and one row is read; in turns with bare requests."""
    with machine_in(folder) as leaf:
        leaf.up()
        leaf_pid, ids = leaf.address.pid, count()
        async with joined(leaf) as client, answering("bare", leaf.state, leaf.address.url) as bare_pid:
            accounts = [f"a{n}" for n in range(times)]
            await timed([_putting(client, one, ids) for one in accounts], IN_FLIGHT)
            wrote, one, many = list[Cost](), list[Cost](), list[Cost]()
            bare_one, bare_many = list[Cost](), list[Cost]()
            for turn in range(turns):
                wrote.append(await _written_and_read(client, accounts, ids, leaf_pid, turn + 2))
                asking = [partial(_balance, client, account) for account in accounts]
                one.append(await timed(asking, 1, leaf_pid))
                bare_one.append(await bare_requests(client, times, 1, bare_pid))
                many.append(await timed(asking, IN_FLIGHT, leaf_pid))
                bare_many.append(await bare_requests(client, times, IN_FLIGHT, bare_pid))
    parts.row("a command, then a query of what it wrote; ms from the receipt to the answer", all_of(wrote))
    parts.row("a query of one row, one at a time", all_of(one))
    parts.row("beside both: nats-py's bare request/reply, one at a time", all_of(bare_one))
    parts.row(f"queries of one row, {IN_FLIGHT} in flight", all_of(many))
    parts.row(f"beside it: nats-py's bare request/reply, {IN_FLIGHT} in flight", all_of(bare_many))


async def policy(parts: Parts, folder: Path, times: int, turns: int) -> None:
    """A command that a policy asks for, in turns with a program that sends it when it has the receipt."""
    with machine_in(folder) as leaf:
        leaf.up()
        leaf_pid, ids = leaf.address.pid, count()
        async with joined(leaf) as client, watching(client, "Pot") as arrivals:
            runs: dict[tuple[str, int], list[Cost]] = {}
            for _ in range(turns):
                for in_flight in (1, IN_FLIGHT):
                    ours = await _followed(client, arrivals, ids, times, in_flight, leaf_pid)
                    runs.setdefault(("ours", in_flight), []).append(ours)
                    hand = await _by_hand(client, ids, times, in_flight, leaf_pid)
                    runs.setdefault(("hand", in_flight), []).append(hand)
    for in_flight, how in ((1, "one at a time"), (IN_FLIGHT, f"{IN_FLIGHT} in flight")):
        name = (
            f"events through a policy, {how}; ms from the event's receipt until the command's commit is read"
        )
        parts.row(name, all_of(runs["ours", in_flight]))
        parts.row("beside it: the sender sends the second command itself", all_of(runs["hand", in_flight]))


def _putting(client: Client, account: str, ids: Iterator[int]) -> Callable[[], Awaitable[int]]:
    return partial(told, client, Deposit(account, 1), f"put-{next(ids)}")


async def _balance(client: Client, account: str, reached: int = 0) -> int:
    asked = {"account": account, "reached": reached}
    answer = await ask_query(client, CLOCK, "parts_bank.balance", asked, "bench", PATIENCE)
    assert answer["sequence"] >= reached, answer
    return int(answer["answer"])


async def _written_and_read(
    client: Client, accounts: list[str], ids: Iterator[int], leaf: int, cents: int
) -> Cost:
    """Each timed from its receipt until the answer, which holds it: so many cents by then."""
    each: list[float] = []

    async def one(account: str) -> None:
        receipt = await _putting(client, account, ids)()
        started = time.perf_counter()
        assert await _balance(client, account, receipt) == cents
        each.append(time.perf_counter() - started)

    return replace(await timed([partial(one, account) for account in accounts], 1, leaf), each=each)


async def _followed(
    client: Client, arrivals: Arrivals, ids: Iterator[int], times: int, in_flight: int, leaf: int
) -> Cost:
    """Each timed from its event's receipt until the commit that followed is read here."""
    receipts: dict[str, float] = {}
    came: dict[str, float] = {}
    place = len(arrivals.seen)

    def followed(id: str) -> bool:
        nonlocal place
        while place < len(arrivals.seen):
            now, commit = arrivals.seen[place]
            place += 1
            came[commit.origin.correlation] = now
        return id in came

    async def one(number: int, id: str) -> None:
        await told(client, Earn(f"w{number % IN_FLIGHT}"), id)
        receipts[id] = time.time()
        if in_flight == 1:
            await arrivals.until(lambda: followed(id))

    async def all_followed() -> None:
        given = [partial(one, n, f"earn-{next(ids)}") for n in range(times)]
        await timed(given, in_flight)
        await arrivals.until(lambda: all(followed(id) for id in receipts))

    whole = await timed([all_followed], 1, leaf)
    each = [came[id] - time for id, time in receipts.items()]
    return replace(whole, operations=times, each=each)


async def _by_hand(client: Client, ids: Iterator[int], times: int, in_flight: int, leaf: int) -> Cost:
    """Each timed from the first receipt to the second."""
    each: list[float] = []

    async def one(number: int) -> None:
        await told(client, Save(f"first{number % IN_FLIGHT}"), f"save-{next(ids)}")
        started = time.perf_counter()
        await told(client, Save(f"second{number % IN_FLIGHT}"), f"save-{next(ids)}")
        each.append(time.perf_counter() - started)

    return replace(await timed([partial(one, n) for n in range(times)], in_flight, leaf), each=each)

"""The sides of the log's bench: ours on a log, the rival on its recorder, and the bare publish."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from eventsourcing.persistence import Notification
from nats.aio.client import Client

from cim.actors.actors import Actors
from cim.actors.past import Keeping
from cim.actors.request import Asked, Receipt
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.leaf.accounts import Credentials, Keys, machine_credentials
from cim.leaf.configuration import Durability
from cim.leaf.server import Server
from cim.log.consumer import consume
from cim.ports.log import Log
from costs import Cost, metered, timed
from log_orders import Added, DefaultOrders, LeanOrders, Placed, adding, orders, placing

SOURCE = "cim:bench"
KINDS = {kind.__name__: kind for kind in (Placed, Added)}


@asynccontextmanager
async def server_on(folder: Path, durability: Durability) -> AsyncIterator[tuple[Server, Credentials]]:
    """A real server of the profile, and the machine's user on it."""
    keys = Keys.load_or_make(folder / "keys.json", now=int(time.time()))
    server = await Server.start(folder, keys=keys, origins=(), cookie="bench", durability=durability)
    try:
        yield server, machine_credentials(keys)
    finally:
        await server.stop()


@dataclass(frozen=True)
class Sizes:
    """How much is done: entities made, updates of each, and how many commands are in flight."""

    entities: int
    updates: int
    in_flight: int = 256
    single: int = 400
    events: int = 1000


@dataclass
class Ours:
    """Our actors on a log, one process."""

    log: Log
    sizes: Sizes
    numbers: int = 0
    keeping: Keeping | None = None

    def __post_init__(self) -> None:
        self.actors = self.cold = self.fresh()

    def fresh(self) -> Actors:
        """Actors that hold nothing warm."""
        return Actors(compose([orders]), self.log, SystemClock(), SOURCE, keeping=self.keeping)

    async def create(self) -> Cost:
        """Every entity once, many in flight."""
        return await self._many([placing(self._next(), f"o{n}") for n in range(self.sizes.entities)])

    async def update(self) -> Cost:
        """Every entity in turn, many in flight."""
        turns = range(self.sizes.updates)
        given = [adding(self._next(), f"o{n}") for _ in turns for n in range(self.sizes.entities)]
        return await self._many(given)

    async def single(self) -> Cost:
        """One warm entity at a time, one command after the other."""
        given = [adding(self._next(), f"o{n % 10}") for n in range(self.sizes.single)]
        return await timed([partial(granted, self.actors, one) for one in given])

    async def long(self, order: str, count: int) -> None:
        """An entity of so many events; its first command has the number 0."""
        assert isinstance(await self.actors.handle(placing(0, order)), Receipt)
        for _ in range(count - 1):
            assert isinstance(await self.actors.handle(adding(self._next(), order)), Receipt)

    async def load(self, order: str) -> float:
        """Milliseconds to open an entity cold: its first command sent again is answered from its history."""
        self.cold, again = self.fresh(), placing(0, order)
        started = time.perf_counter()
        assert isinstance(await self.cold.handle(again), Receipt)
        return 1000 * (time.perf_counter() - started)

    async def kept(self) -> None:
        """Wait until the snapshot of the entity that was opened last is written."""
        for actor in self.cold._warm.values():
            await actor.past.written()

    async def _many(self, given: Sequence[Asked]) -> Cost:
        waiting = iter(given)

        async def work() -> None:
            for one in waiting:
                await granted(self.actors, one)

        with metered(len(given)) as meter:
            await asyncio.gather(*(work() for _ in range(self.sizes.in_flight)))
        return meter.cost

    def _next(self) -> int:
        self.numbers += 1
        return self.numbers


async def granted(actors: Actors, asked: Asked) -> None:
    """Have a command decided, which must be granted."""
    assert isinstance(await actors.handle(asked), Receipt)


class Enough(Exception):
    """A reader has seen what it should."""


async def replay(log: Log, count: int, decoded: Callable[[Commit], int]) -> Cost:
    """Follow the log from its start through a handler that decodes and does nothing else."""
    seen = events = 0

    async def handle(batch: list[Commit]) -> None:
        nonlocal seen, events
        for commit in batch:
            events += decoded(commit)
        seen += len(batch)
        if seen >= count:
            raise Enough

    with metered(count) as meter, suppress(Enough):
        await consume(log, SystemClock(), 0, handle)
    assert events >= count, "a commit held no event"
    return meter.cost


async def bare_publish(client: Client, commits: Iterable[Commit]) -> Cost:
    """Publishes with expectation one after the other by the general client: no actor, no chain."""

    async def publish(subject: str, body: bytes, headers: dict[str, str]) -> None:
        expected = {**headers, "Nats-Expected-Last-Subject-Sequence": "0"}
        answer = await client.request(subject, body, headers=expected)
        assert b'"seq"' in answer.data, answer.data

    ready = [(commit.subject, commit.body, commit.headers()) for commit in commits]
    return await timed([partial(publish, *one) for one in ready])


@dataclass
class Theirs:
    """The rival's application, one thread."""

    application: DefaultOrders | LeanOrders
    sizes: Sizes

    def create(self) -> Cost:
        """Every entity once."""
        with metered(self.sizes.entities) as meter:
            self.made = [self.application.place() for _ in range(self.sizes.entities)]
        return meter.cost

    def update(self) -> Cost:
        """Every entity in turn."""
        with metered(self.sizes.entities * self.sizes.updates) as meter:
            for _ in range(self.sizes.updates):
                for order in self.made:
                    self.application.add(order)
        return meter.cost

    def load(self) -> float:
        """Milliseconds to load an entity of 1,000 events."""
        order: UUID = self.application.place()
        self.application.add_many(order, self.sizes.events - 1)
        started = time.perf_counter()
        assert self.application.load(order) == 3 * (self.sizes.events - 1)
        return 1000 * (time.perf_counter() - started)

    def replay(self) -> Cost:
        """All that it holds, in its order, decoded."""
        application = self.application
        count, place = 0, 0
        started = time.perf_counter(), time.process_time()
        while found := self._page(place):
            for notification in found:
                application.mapper.to_domain_event(notification)
            count, place = count + len(found), int(found[-1].id)
        return Cost(count, time.perf_counter() - started[0], time.process_time() - started[1])

    def _page(self, after: int) -> Sequence[Notification]:
        return self.application.recorder.select_notifications(after + 1, 500)

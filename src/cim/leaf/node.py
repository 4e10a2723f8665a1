"""One process's part of a machine: joined to a leaf, it follows the log and runs its systems."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from nats.aio.client import Client

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.composition import Composition
from cim.contract.system import SystemType
from cim.domain.blob import Blob
from cim.domain.errors import Failure
from cim.leaf.binding import Binding
from cim.leaf.heads import read_head
from cim.leaf.machine import Machine
from cim.log.backoff import delays
from cim.log.consumer import consume
from cim.ports.blobs import BlobMissing, BlobStore
from cim.ports.clock import Clock
from cim.ports.log import LinkLost
from cim.world.schedule import Schedule
from cim.world.world import World
from cim.world.writer import Writer

Tell = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Node:
    """What a process holds of a machine while it runs."""

    machine: Machine
    composition: Composition
    client: Client
    log: NatsLog
    blobs: NatsBlobs
    world: World
    schedule: Schedule

    async def folded(self) -> None:
        """Wait until everything in the log now is folded."""
        await self.world.reached(await outlast(self.log.last, SystemClock()))

    async def idle(self) -> None:
        """Wait until everything in the log now is folded and nothing is left to do here."""
        await self.folded()
        await self.schedule.idle()


class SyncBlobs:
    """The store of large content as a system in a worker thread sees it.

    A call waits while the link is lost: what a server's restart cuts is no failure of the system.
    After :meth:`close` every call that waits or comes is cancelled: a thread that waited for a loop
    that has ended would keep the process from ending.
    """

    def __init__(self, store: BlobStore, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._store, self._loop, self._clock = store, loop, clock
        self._waiting: set[Future[Any]] = set()
        self._guard = Lock()
        self._closed = False

    def load(self, blob: Blob) -> bytes:
        """See :class:`cim.domain.blob.Blobs`."""
        try:
            return self._wait(lambda: self._store.load(blob.sha256))
        except BlobMissing as missing:
            raise Failure(str(missing)) from missing

    def keep(self, content: bytes, media: str) -> Blob:
        """See :class:`cim.domain.blob.Blobs`."""
        return self._wait(lambda: self._store.keep(content, media))

    def close(self) -> None:
        """Cancel what waits, refuse what comes."""
        with self._guard:
            self._closed = True
            for future in self._waiting:
                future.cancel()

    def _wait(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        with self._guard:
            if self._closed:
                raise CancelledError
            future = asyncio.run_coroutine_threadsafe(outlast(call, self._clock), self._loop)
            self._waiting.add(future)
        try:
            return future.result()
        finally:
            with self._guard:
                self._waiting.discard(future)


async def outlast(call: Callable[[], Coroutine[Any, Any, T]], clock: Clock) -> T:
    """What a call over the link gives, made again for as long as the link is lost."""
    for delay in delays():
        try:
            return await call()
        except LinkLost:
            await clock.sleep(delay)
    raise AssertionError("delays never end")


@asynccontextmanager
async def join(
    machine: Machine, client: Client, composition: Composition, systems: Iterable[SystemType], tell: Tell
) -> AsyncIterator[Node]:
    """Follow the log over a connection and keep ``systems`` at work until the block ends.

    Raises :class:`cim.domain.errors.Misdeclared` before anything runs where a provider is missing.
    """
    clock = SystemClock()
    log, blobs = await NatsLog.open(client), await NatsBlobs.open(client)
    head = read_head(machine.state)
    world = World(composition, head.sequence if head is not None else 0)
    content = SyncBlobs(blobs, asyncio.get_running_loop(), clock)
    binding = Binding(machine, content)
    writer = Writer(world, log, clock, machine.source, tell)
    workers = machine.workers or os.cpu_count() or 1
    executor = ThreadPoolExecutor(workers, thread_name_prefix="system")
    try:
        schedule = Schedule(world, writer, systems, binding.needs, clock, executor, workers)
        async with background(
            consume(log, clock, 0, world.take, lambda reason: tell(f"following the log: {reason}")),
            schedule.run(),
        ):
            yield Node(machine, composition, client, log, blobs, world, schedule)
    finally:
        content.close()
        executor.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def background(*work: "asyncio._CoroutineLike[None]") -> AsyncIterator[None]:
    """Run work beside a block and end it with the block; work that fails ends the block with its error."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

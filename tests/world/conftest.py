"""One process's part of a machine over a log in memory, as a leaf would wire it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import Any

import pytest

from cim import Context
from cim.actors.actors import Actors
from cim.actors.request import Asked, Receipt, Rejection, content_digest
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.entity import key_of
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.contract.system import SystemType
from cim.domain.message import Command
from cim.log.chain import Chains
from cim.log.consumer import consume
from cim.log.sealing import Sealing
from cim.testing.clock import HandClock
from cim.testing.threads import Threads
from cim.world.allowance import Limit
from cim.world.schedule import Schedule
from cim.world.world import World
from cim.world.writer import Writer


class Process:
    """World, writer and schedule of some modules; ``send`` goes through actors of its own."""

    def __init__(
        self,
        log: MemoryLog,
        contexts: Iterable[Context],
        workers: int,
        providers: Any,
        threads: int,
        jumps: bool,
        limits: Mapping[str, Limit],
        sealing: Sealing | None = None,
        waiting_workers: int | None = None,
    ) -> None:
        self.log, self.clock = log, HandClock(jumps=jumps)
        self.composition = compose(contexts)
        self.world = World(self.composition, sealing=sealing)
        self.actors = Actors(self.composition, log, self.clock, "cim:test", sealing=sealing)
        self.troubles: list[str] = []
        writer = Writer(self.world, log, self.clock, "cim:test", self.troubles.append, sealing)
        self._executor = ThreadPoolExecutor(threads)

        def needs(system: SystemType) -> dict[str, Any]:
            return {parameter: providers[contract] for parameter, contract in system.needs.items()}

        self.schedule = Schedule(
            self.world,
            writer,
            self.composition.systems,
            Threads(self.composition.systems, needs, self._executor),
            self.clock,
            workers,
            limits,
            waiting_workers=waiting_workers,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(consume(self.log, self.clock, 0, self.world.take)),
            asyncio.create_task(self.schedule.run()),
        ]

    async def stop(self) -> None:
        """End it as a crash does: whatever runs is cut off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def until(self, waited: Awaitable[None]) -> None:
        """Wait for something, or fail with what ended the process."""
        task = asyncio.ensure_future(waited)
        done, _ = await asyncio.wait([task, *self._tasks], timeout=10, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            await one
        assert task in done, f"nothing came of it; left: {self.schedule.left}, troubles: {self.troubles}"

    async def idle(self) -> None:
        """Wait until all that stands in the log is folded and nothing is left to do here."""

        async def settled() -> None:
            while True:
                await self.world.reached(await self.log.last())
                await self.schedule.idle()
                if self.world.sequence == await self.log.last() and not self.schedule.left:
                    return

        await self.until(settled())

    async def send(self, command: Command, id: str) -> Receipt | Rejection:
        name = type(command).__name__
        kind = next(kind for kind in self.composition.entities.values() if name in kind.commands)
        ref = Ref(kind.context, kind.name, key_of(kind, command))
        digest = content_digest(ref, name, codec.encode([codec.item(command)]))
        return await self.actors.handle(Asked(ref, command, Origin.root(id, "tester"), digest))

    async def values(self) -> dict[str, dict[str, Any]]:
        """The components of every entity, values only."""
        return {
            entity.ref.id: {key: cell.value for key, cell in entity.cells.items() if key != "state"}
            async for entity in self.world.entities.each()
        }

    async def commits(self) -> list[Commit]:
        """The whole log, its chains checked."""
        chains, found = Chains(), []
        async for commit in self.log.read(">"):
            chains.advance(commit)
            found.append(commit)
        return found


Start = Callable[..., Process]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """``start(log, shop, late, workers=2)``: a running process; all are stopped at the end."""
    async with AsyncExitStack() as stack:

        def started(
            log: MemoryLog,
            *contexts: Context,
            workers: int = 2,
            providers: Any = None,
            threads: int = 0,
            jumps: bool = True,
            limits: Mapping[str, Limit] = MappingProxyType({}),
            sealing: Sealing | None = None,
            waiting_workers: int | None = None,
        ) -> Process:
            threads = threads or workers
            process = Process(
                log, contexts, workers, providers or {}, threads, jumps, limits, sealing, waiting_workers
            )
            process.start()
            stack.push_async_callback(process.stop)
            return process

        yield started

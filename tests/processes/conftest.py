"""One process's part of a machine that has policies and processes, over a log in memory."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from cim import Command, Context
from cim.actors.actors import Actors
from cim.actors.request import Asked, Receipt, Rejection, content_digest
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.entity import key_of
from cim.contract.envelope import Commit, Origin
from cim.contract.stranger import Stranger
from cim.contract.subjects import Ref
from cim.log.chain import Chains
from cim.log.consumer import consume
from cim.log.sealing import Sealing
from cim.processes.pending import Pending
from cim.processes.reactor import Reactor
from cim.testing.clock import HandClock

COUNT = itertools.count()


class Running:
    """Actors and a reactor of some modules; ``send`` is what people do."""

    def __init__(
        self,
        log: MemoryLog,
        contexts: tuple[Context, ...],
        clock: HandClock,
        delivers: bool,
        sealing: Sealing | None = None,
    ) -> None:
        self.log, self.clock, self.composition = log, clock, compose(contexts)
        self.actors = Actors(self.composition, log, clock, "cim:test", sealing=sealing)
        self.troubles: list[str] = []
        self.reactor = Reactor(
            Pending(self.composition.processes),
            log,
            clock,
            "cim:test",
            self.troubles.append,
            sealing,
            delivers=delivers,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(consume(self.log, self.clock, 0, self.reactor.take)),
            asyncio.create_task(self.reactor.run(self.actors)),
        ]
        await self.until(self.reactor.begun())

    async def stop(self) -> None:
        """End it as a crash does: whatever runs is cut off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, waited: Any) -> None:
        """Wait for something, or fail with what ended the process."""
        task = asyncio.ensure_future(waited)
        done, _ = await asyncio.wait([task, *self._tasks], timeout=10, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            await one
        assert task in done, f"nothing came of it; troubles: {self.troubles}"

    async def idle(self) -> None:
        """Wait until all that stands in the log is answered."""

        async def settled() -> None:
            while True:
                last = await self.log.last()
                await self.reactor.reached(last)
                await self.reactor.idle()
                if await self.log.last() == last:
                    return

        await self.until(settled())

    async def send(self, command: Command, id: str = "") -> Receipt | Rejection:
        name = type(command).__name__
        kind = next(kind for kind in self.composition.entities.values() if name in kind.commands)
        ref = Ref(kind.context, kind.name, key_of(kind, command))
        digest = content_digest(ref, name, codec.encode([codec.item(command)]))
        origin = Origin.root(id or f"c{next(COUNT)}", "person:ada")
        return await self.actors.handle(Asked(ref, command, origin, digest))

    async def commits(self, subject: str = ">") -> list[Commit]:
        """The log, its chains checked, each id once on its subject."""
        chains, found = Chains(), []
        async for commit in self.log.read(">"):
            if not isinstance(commit, Stranger):
                chains.advance(commit)
                found.append(commit)
        assert max(Counter((commit.subject, commit.id) for commit in found).values(), default=1) == 1
        return [one for one in found if subject in (">", one.subject)]

    async def said(self, subject: str) -> list[str]:
        """What the commits of a subject say, item by item, by type."""
        return [" ".join(item.type for item in codec.decode(c.body)) for c in await self.commits(subject)]

    async def events(self) -> list[str]:
        """The events of entities, in order, with the entity's id."""
        return [
            f"{item.type} {commit.subject.rpartition('.')[2]}"
            for commit in await self.commits()
            if commit.type.endswith(".Committed")
            for item in codec.decode(commit.body)
        ]


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """``await start(log, shop, post)``: a running process; all are stopped at the end."""
    async with AsyncExitStack() as stack:

        async def started(
            log: MemoryLog,
            *contexts: Context,
            clock: HandClock | None = None,
            delivers: bool = True,
            sealing: Sealing | None = None,
        ) -> Running:
            running = Running(log, contexts, clock or HandClock(), delivers, sealing)
            stack.push_async_callback(running.stop)
            await running.start()
            return running

        yield started

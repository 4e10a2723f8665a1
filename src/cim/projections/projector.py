"""Keeping one projection's rows up to date: the log followed, batch by batch, for ever."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from cim.contract.envelope import Commit
from cim.contract.projection import ProjectionType
from cim.domain.errors import CimError
from cim.log.backoff import delays, outlast
from cim.log.consumer import consume
from cim.log.erasure import ERASURE, settle
from cim.log.release import RELEASE, is_released
from cim.log.sealing import Sealing
from cim.ports.clock import Clock
from cim.ports.log import Log
from cim.ports.rows import RowsFailed, RowsRuined, RowStore
from cim.projections.database import Database, Superseded, Unfoldable
from cim.projections.folding import Folding, Reach

MARKED = 0.25
"""Seconds after which it is written down how far rows are, where no commit concerned them meanwhile."""

SINCE = "+"
"""What divides the version of the code that folded some rows from the last erasure that it knew of."""


class ProjectionStopped(CimError):
    """The projection goes no further: an event stands in the log that its code cannot fold."""


class _Released(Exception):
    """The commit that stopped the projection may be passed over."""


class _PersonErased(Exception):
    """The rows are to be folded anew: what a person's values led to may stand in them."""


def _close_unused(opening: Future[Database]) -> None:
    """Close what was opened for somebody who was cancelled meanwhile."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class Projector:
    """Folds the log into the place of one projection.

    ``sequence`` is how far the rows are that can be read; ``stopped`` why they go no further, if they do
    not; ``anew`` whether they may be other code's, while this one's are folded beside them. The place is
    written in a thread of its own, so that nobody waits for the disk. What concerns none of the rows is not
    worth a transaction: how far they are is written down a moment later, or with what comes then.
    """

    def __init__(
        self,
        kind: ProjectionType,
        store: RowStore,
        log: Log,
        clock: Clock,
        tell: Callable[[str], None],
        sealing: Sealing | None = None,
    ) -> None:
        self.kind = kind
        self._sealing, self._erased = sealing or Sealing(), 0
        self.sequence = 0
        self.stopped: str | None = None
        self.anew = True
        self._place = store.place(str(kind))
        self._log, self._clock, self._tell = log, clock, tell
        self._folding: Folding | None = None
        self._released: set[int] = set()
        self._progress = asyncio.Condition()

    @property
    def reach(self) -> Reach:
        """How far the rows are beyond what their place says."""
        return Reach() if self._folding is None or self.anew else self._folding.reach

    async def run(self) -> None:
        """Follow the log until cancelled.

        An event that cannot be folded stops it: that is told, stays in ``stopped``, and ends when the
        event's commit is released. What the store or the link suffers is told and outlasted.
        """
        told = ""
        for delay in delays():
            try:
                with ThreadPoolExecutor(1, f"projection {self.kind}") as thread:
                    await self._follow(thread)
            except Unfoldable as error:
                await self._until_released(error)
                continue
            except _PersonErased:
                continue
            except Superseded as error:
                return await self._stop(str(error))
            except RowsFailed as error:
                if told != (told := f"{self.kind}: {self._place}: {error}; trying again"):
                    self._tell(told)
                if isinstance(error, RowsRuined):
                    await self._discard()
            await self._clock.sleep(delay)
        raise AssertionError("delays never end")

    async def reached(self, sequence: int) -> None:
        """Wait until the rows that are read hold everything up to ``sequence``: then you read what you wrote.

        Raises :class:`ProjectionStopped` where they never will.
        """
        async with self._progress:
            await self._progress.wait_for(lambda: self.sequence >= sequence or self.stopped is not None)
        if self.sequence < sequence:
            raise ProjectionStopped(
                f"{self.kind} stopped at {self.sequence} and does not reach {sequence}: {self.stopped}"
            )

    async def settled(self, sequence: int) -> None:
        """Wait until the rows hold everything up to ``sequence``, folded by this code, or it stopped."""

        def done() -> bool:
            return self.stopped is not None or (self.sequence >= sequence and not self.anew)

        async with self._progress:
            await self._progress.wait_for(done)

    async def _follow(self, thread: ThreadPoolExecutor) -> None:
        kind = await self._as_erased()
        opening = thread.submit(Database.open, self._place, kind, self._sealing)
        try:
            database = await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)
            raise
        self._folding = folding = Folding(database, kind, thread)
        try:
            if not await outlast(lambda: self._stands(database), self._clock):
                self._tell(f"{self.kind}: its rows are of another log than this one: they are folded anew")
                await folding.work(database.begin_anew)
            for sequence in self._released:
                database.pass_over(sequence)
            await self._moved(folding)
            await _until_one_ends(self._take_all(folding, database.written), self._mark(folding))
        finally:
            folding.close()

    async def _take_all(self, folding: Folding, after: int) -> None:
        async def take(batch: list[Commit]) -> None:
            if self.kind.personal and any(map(self._is_news, batch)):
                self.anew = True
                raise _PersonErased
            try:
                await folding.take(batch)
            finally:
                await self._moved(folding)

        await consume(
            self._log, self._clock, after, take, lambda reason: self._tell(f"{self.kind}: {reason}")
        )

    async def _mark(self, folding: Folding) -> None:
        """Write down now and then how far the rows are that nothing concerns."""
        while True:
            await folding.behind.wait()
            await self._clock.sleep(MARKED)
            await folding.mark()

    async def _discard(self) -> None:
        try:
            await asyncio.to_thread(self._place.discard)
        except RowsFailed as error:
            self._tell(f"{self.kind}: {self._place}: {error}; trying again")

    async def _as_erased(self) -> ProjectionType:
        """The projection as it is to be folded: anew since the last erasure, beside the rows that still may
        say in plain words what was a person's."""
        if not self.kind.personal:
            return self.kind
        self._erased = await outlast(lambda: settle(self._log, self._sealing), self._clock)
        if self._erased == 0:
            return self.kind
        return replace(self.kind, version=f"{self.kind.version}{SINCE}{self._erased}")

    def _is_news(self, commit: Commit) -> bool:
        return commit.type == ERASURE and commit.sequence > self._erased

    async def _stands(self, database: Database) -> bool:
        """Whether the log holds the commit at which the rows stand."""
        checkpoint = database.checkpoint
        if checkpoint.sequence == 0:
            return True
        async for commit in self._log.read(">", checkpoint.sequence - 1):
            return (commit.sequence, commit.digest) == (checkpoint.sequence, checkpoint.digest)
        return False

    async def _until_released(self, error: Unfoldable) -> None:
        """Stand still until a release of the commit is in the log; at once where it is there already. Where
        a person is erased meanwhile, it may be readable as that."""
        commit = error.commit
        if not await outlast(lambda: is_released(self._log, commit), self._clock):
            await self._stop(str(error))

            async def look(batch: list[Commit]) -> None:
                if self.kind.personal and any(map(self._is_news, batch)):
                    raise _PersonErased
                likely = any(one.type == RELEASE and one.subject == commit.subject for one in batch)
                if likely and await outlast(lambda: is_released(self._log, commit), self._clock):
                    raise _Released

            try:
                await consume(self._log, self._clock, commit.sequence, look)
            except _PersonErased:
                self.stopped, self.anew = None, True
                return
            except _Released:
                self.stopped = None
        self._released.add(commit.sequence)

    async def _moved(self, folding: Folding) -> None:
        self.sequence, self.anew = folding.shown, folding.anew
        await self._notify()

    async def _notify(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    async def _stop(self, reason: str) -> None:
        self._tell(f"projection {self.kind} stopped: {reason}")
        self.stopped = reason
        await self._notify()


async def _until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Work side by side; where one ends, which is by its error, the others are given up."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()

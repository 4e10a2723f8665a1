"""A projection's place at work: folded in a thread, and written only where something concerns its rows."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from cim.contract.envelope import Commit
from cim.contract.projection import ProjectionType
from cim.projections.database import SHOWN, Database


class Reach(NamedTuple):
    """How far rows are beyond what is written down: since they were ``written``, by this ``version`` of the
    code, nothing that came up to ``sequence`` concerned them."""

    version: str = ""
    written: int = 0
    sequence: int = 0

    def of(self, version: str, sequence: int) -> int:
        """How far rows are that say of themselves that they are so far."""
        holds = version == self.version and self.written <= sequence
        return max(sequence, self.sequence) if holds else sequence


class Folding:
    """The open place of one projection, and the thread that works on it, so that nobody waits for the disk.

    ``shown`` is how far the rows are that can be read; ``behind`` is set while the place says less.
    """

    def __init__(self, database: Database, kind: ProjectionType, thread: ThreadPoolExecutor) -> None:
        self._database, self._kind, self._thread = database, kind, thread
        self._last: Commit | None = None
        self.shown = database.shown
        self.behind = asyncio.Event()

    @property
    def anew(self) -> bool:
        """Whether the rows that can be read may be other code's, while this one's are folded beside them."""
        return self._database.folding != SHOWN

    @property
    def reach(self) -> Reach:
        """How far the rows are that can be read, beyond what is written down."""
        return Reach() if self.anew else Reach(self._kind.version, self._database.written, self.shown)

    async def take(self, batch: Sequence[Commit]) -> None:
        """Fold what came, or at the end of the log put rows that were folded anew in their place.

        Raises as :meth:`Database.take` and :meth:`Database.switch` do.
        """
        if not batch:
            if self.anew:
                await self.work(self._database.switch, self._last)
        elif any(map(self._kind.concerns, batch)):
            self._last = None
            await self.work(self._database.take, batch)
        else:
            self._last = batch[-1]
            self.behind.set()
            if not self.anew:
                self.shown = max(self.shown, batch[-1].sequence)

    async def mark(self) -> None:
        """Write down how far the rows are, where that is still to be done. Raises as
        :meth:`Database.mark` does."""
        self.behind.clear()
        last, self._last = self._last, None
        if last is not None:
            await self._run(self._database.mark, last)

    async def work(self, work: Callable[..., None], *given: Any) -> None:
        """Work on the place in its thread."""

        def done() -> None:
            try:
                work(*given)
            finally:
                self.shown = self._database.shown

        await self._run(done)

    async def _run(self, work: Callable[..., None], *given: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    def close(self) -> None:
        """Let go of the place, once what is under way is over; how far it is is written down if it can be."""
        self._thread.submit(self._close, self._last)

    def _close(self, last: Commit | None) -> None:
        try:
            if last is not None:
                self._database.mark(last)
        finally:
            self._database.close()

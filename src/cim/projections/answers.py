"""Answering questions about rows: when they are far enough, at one moment, within a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import msgspec

from cim.contract import codec
from cim.contract.personal import personal_fields
from cim.contract.projection import ProjectionType
from cim.contract.query import QueryType, RowsQuestion, Waiting
from cim.domain.errors import CimError
from cim.log.backoff import delays
from cim.log.sealing import Sealing
from cim.ports.clock import Clock
from cim.ports.rows import Deadline, Reader, RowStore
from cim.projections.folding import Reach
from cim.projections.projector import SINCE, Projector
from cim.projections.reading import Moment, RowsUnreadable, Standing, StoredRows, moment
from cim.projections.selection import Selection
from cim.projections.table import ROW, row_place
from cim.projections.turns import Turns

Told = dict[str, Any]
Reaches = Mapping[str, Reach]
"""How far projections are that this process folds, by their names."""

_HEAD = 1024
"""Bytes of an answer that are no rows, but for why they stopped."""


class NotReached(CimError):
    """The rows do not yet hold what the question asks them to hold."""


class Answers:
    """Answers what a projection's rows are, and what declared queries make of them.

    ``projectors`` are those of this process: waiting for the rows of another one's looks again and again.
    ``last`` tells how far the log is.
    """

    def __init__(
        self,
        projectors: Mapping[str, Projector],
        store: RowStore,
        last: Callable[[], Awaitable[int]],
        clock: Clock,
        seconds: float,
        sealing: Sealing | None = None,
    ) -> None:
        self._projectors, self._last, self._clock = projectors, last, clock
        self._sealing = sealing or Sealing()
        self._turns = Turns(seconds, clock, store.reader)

    def close(self) -> None:
        """Let go of what is kept open for the next question."""
        self._turns.close()

    async def rows(self, kind: ProjectionType, asked: RowsQuestion, room: int) -> Told:
        """A page of a projection's rows: as many as were asked for and fit into ``room`` bytes, and the key
        after which to go on, where there are more."""
        last = await self._last()
        reaches = await self._reached([kind], asked, own=False)
        found, rows, after = await self._turns.run(str(kind), partial(self._page, kind, asked, room, reaches))
        if found.sequence < asked.reached:  # they were begun anew in between
            raise await self._not_reached(kind, asked)
        return {"rows": rows, "after": after, **_how_far([(kind, found)], last)}

    async def answer(self, kind: QueryType, asked: Waiting) -> Told:
        """What a declared query answers."""
        last = await self._last()
        reaches = await self._reached([*kind.reads.values()], asked, own=True)
        found, answer = await self._turns.run(str(kind), partial(self._run, kind, asked, reaches))
        for source, one in found:
            if one.sequence < asked.reached:
                raise await self._not_reached(source, asked)
        return {"answer": msgspec.Raw(answer), **_how_far(found, last)}

    def _page(
        self,
        kind: ProjectionType,
        asked: RowsQuestion,
        room: int,
        reaches: Reaches,
        reader: Reader,
        until: Deadline,
    ) -> tuple[Standing, list[msgspec.Raw], list[Any] | None]:
        # One more than was asked for says whether there are more.
        selection = Selection(asked.key, asked.where, asked.after, asked.limit + 1)
        with self._moment(kind, reaches, reader, until) as found:
            left = room - _HEAD - len((found.standing.stopped or "").encode()) * 2
            rows: list[msgspec.Raw] = []
            key: list[Any] | None = None
            for row in found.select(selection):
                line = codec.json_bytes(row)
                left -= len(line) + 1
                if len(rows) == asked.limit or left < 0:
                    if not rows:
                        raise CimError(f"{kind}: one row has {len(line):,} bytes, {room:,} fit in a message")
                    return found.standing, rows, key
                rows.append(msgspec.Raw(line))
                key = [row[column.name] for column in found.columns if column.key]
            return found.standing, rows, None

    def _run(
        self, kind: QueryType, asked: Waiting, reaches: Reaches, reader: Reader, until: Deadline
    ) -> tuple[list[tuple[ProjectionType, Standing]], bytes]:
        with ExitStack() as stack:
            moments = {
                name: stack.enter_context(self._moment(source, reaches, reader, until))
                for name, source in kind.reads.items()
            }
            for name, source in kind.reads.items():
                _expect(source, moments[name])
            rows = {name: StoredRows(moments[name], source) for name, source in kind.reads.items()}
            answer = kind.run(asked, rows)
            return [(source, moments[name].standing) for name, source in kind.reads.items()], answer

    @contextmanager
    def _moment(
        self, kind: ProjectionType, reaches: Reaches, reader: Reader, until: Deadline
    ) -> Iterator[Moment]:
        with moment(reader.place(str(kind)), until, self._opened(kind)) as found:
            reach = reaches.get(str(kind))
            yield found if reach is None else found.reaching(reach)

    async def _reached(self, kinds: Sequence[ProjectionType], asked: Waiting, *, own: bool) -> Reaches:
        """Wait until the rows are as far as was asked, where ``own`` says so folded by this code. How far
        those are that are folded here."""
        end = self._clock.monotonic() + asked.patience
        reaches: dict[str, Reach] = {}
        for kind in kinds:
            projector = self._projectors.get(str(kind))
            if projector is None:
                await self._look_until(kind, asked, end, own=own)
                continue
            if projector.sequence < asked.reached or (own and projector.anew):
                await self._wait(projector, asked, end, own=own)
            reaches[str(kind)] = projector.reach
        return reaches

    async def _wait(self, projector: Projector, asked: Waiting, end: float, *, own: bool) -> None:
        try:
            async with asyncio.timeout(end - self._clock.monotonic()):
                if own:
                    await projector.settled(asked.reached)
                await projector.reached(asked.reached)
        except TimeoutError:
            raise await self._not_reached(projector.kind, asked) from None

    async def _look_until(self, kind: ProjectionType, asked: Waiting, end: float, *, own: bool) -> None:
        for delay in delays():
            found = await self._standing(kind)
            if found.sequence >= asked.reached and not (own and found.anew is not None):
                return
            if found.stopped is not None or self._clock.monotonic() + delay > end:
                raise await self._not_reached(kind, asked)
            await self._clock.sleep(delay)

    async def _not_reached(self, kind: ProjectionType, asked: Waiting) -> NotReached:
        found, last = await self._standing(kind), await self._last()
        why = f"it stopped: {found.stopped}" if found.stopped else f"not within {asked.patience:g} s"
        if found.anew is not None and found.sequence >= asked.reached:
            return NotReached(f"{kind} is folded anew by newer code, at {found.anew} of {last}: {why}")
        ends = f", the log ends at {last}" if asked.reached > last else ""
        return NotReached(f"{kind} is at {found.sequence} and not at {asked.reached}{ends}: {why}")

    async def _standing(self, kind: ProjectionType) -> Standing:
        projector = self._projectors.get(str(kind))
        reaches = {} if projector is None else {str(kind): projector.reach}

        def read(reader: Reader, until: Deadline) -> Standing:
            with self._moment(kind, reaches, reader, until) as found:
                return found.standing

        return await self._turns.run(str(kind), read)

    def _opened(self, kind: ProjectionType) -> Callable[[Told], Told] | None:
        if personal_fields(kind.row) is None:
            return None
        return partial(self._sealing.opened, row_place(str(kind)), ROW)


def _expect(kind: ProjectionType, found: Moment) -> None:
    """Hold that rows are those of this code: of another one's a query knows no columns."""
    if found.version.partition(SINCE)[0] not in ("", kind.version):
        why = found.standing.stopped or "run the code that folds them, or ask a process that does"
        raise RowsUnreadable(f"{kind}: its rows are not folded by this code: {why}")


def _how_far(found: Sequence[tuple[ProjectionType, Standing]], last: int) -> Told:
    """How far the rows of an answer are, the least of them: the shape is kept stable."""
    sequence = min(one.sequence for _, one in found)
    last = max(last, sequence)
    stopped = [
        one.stopped if len(found) == 1 else f"{kind}: {one.stopped}" for kind, one in found if one.stopped
    ]
    anew = [one.anew for _, one in found if one.anew is not None]
    return {
        "sequence": sequence,
        "last": last,
        "behind": max(0, last - sequence),
        "stopped": "; ".join(stopped) or None,
        "anew": min(anew, default=None),
    }

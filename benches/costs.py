"""What operations cost: wall time, processor time, and the time of each where one is timed."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What a run of operations took: how many, wall seconds, processor seconds of this process.

    ``each`` are the seconds that each took, where each was timed, and ``there`` the processor seconds of the
    process that answered, where that was another one.
    """

    operations: int
    wall: float
    processor: float
    each: Sequence[float] = ()
    there: float | None = None

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.wall

    @property
    def micros(self) -> float:
        """Processor time of this process an operation, in microseconds."""
        return 1e6 * self.processor / self.operations

    def within(self, share: float) -> float:
        """Milliseconds within which this share of the operations was over."""
        ordered = sorted(self.each)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class Meter:
    """Both clocks; ``cost`` is there when the block of :func:`metered` has ended."""

    operations: int
    cost: Cost = Cost(1, 1.0, 0.0)


@contextmanager
def metered(operations: int) -> Iterator[Meter]:
    """Measure a block that does so many operations."""
    meter = Meter(operations)
    wall, processor = time.perf_counter(), time.process_time()
    yield meter
    meter.cost = Cost(operations, time.perf_counter() - wall, time.process_time() - processor)


async def timed(
    work: Sequence[Callable[[], Awaitable[object]]], in_flight: int = 1, other: int | None = None
) -> Cost:
    """Do all of it, so much at once, each timed by itself; ``other`` is the process id of who answers."""
    waiting, each = iter(work), list[float]()

    async def run() -> None:
        for one in waiting:
            started = time.perf_counter()
            await one()
            each.append(time.perf_counter() - started)

    before = spent(other)
    with metered(len(work)) as meter:
        await asyncio.gather(*(run() for _ in range(in_flight)))
    cost = meter.cost
    return Cost(cost.operations, cost.wall, cost.processor, each, difference(before, spent(other)))


def all_of(turns: Sequence[Cost]) -> Cost:
    """Turns of one side as one run."""
    theres = [turn.there for turn in turns if turn.there is not None]
    return Cost(
        sum(turn.operations for turn in turns),
        sum(turn.wall for turn in turns),
        sum(turn.processor for turn in turns),
        [one for turn in turns for one in turn.each],
        sum(theres) if theres else None,
    )


def spent(process: int | None) -> float | None:
    """Processor seconds of another process and its threads until now, to a hundredth (Linux)."""
    if process is None:
        return None
    # The second field is the command in brackets, which may hold blanks.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def difference(before: float | None, after: float | None) -> float | None:
    """What lies between two readings, where there are two."""
    return None if before is None or after is None else after - before

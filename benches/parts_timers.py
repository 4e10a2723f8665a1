"""Durable timers in a real leaf: how late they come, what one costs, and a start while many are pending."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from signal import SIGTERM

from nats.aio.client import Client

from cim.processes.step import Woke, moment, read_step
from cim.testing.processes import Place, Running
from costs import Cost, difference, metered, spent, timed
from log_requests import IN_FLIGHT
from parts_bank import Promise
from parts_leaf import Arrivals, joined, machine_in, told, watching
from parts_table import Parts

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Many:
    """So many timers: instances, and how many each of them sets; ``lead`` is how many seconds it may take to
    set them all."""

    instances: int
    each: int
    lead: float

    @property
    def count(self) -> int:
        """All of them."""
        return self.instances * self.each

    def promises(self, name: str, start: datetime) -> Iterator[Promise]:
        """Timers that are due one after the other, instance by instance, within a second."""
        for n in range(self.instances):
            first = start + timedelta(seconds=n / self.count)
            yield Promise(f"{name}{n}", first, 1 / self.each, self.each)


async def timers(parts: Parts, folder: Path, many: Many, idle: float) -> None:
    """They come; then as many wait for a year, and the leaf starts anew with them. ``idle`` is for how many
    seconds it is looked at while they wait."""
    with machine_in(folder) as leaf:
        running = leaf.up()
        parts.row(f"timers of {many.instances:,} processes, due within a second", await _come(leaf, many))
        running, none = _started_again(leaf, running)
        async with joined(leaf) as client, watching(client, "Reminding") as arrivals:
            nothing = await _idle(leaf.address.pid, idle)
            parts.row(
                "timers set, by commands from another process",
                await _set(client, arrivals, leaf.address.pid, many, "later", datetime.now(UTC) + YEAR),
            )
            waiting = await _idle(leaf.address.pid, idle)
        running, some = _started_again(leaf, running)
    held = f"{many.count:,} timers"
    parts.figure(f"seconds until a leaf is up and its processes at work, {held} pending", some, "none", none)
    parts.figure(f"processor ms a second of a leaf while {held} wait", waiting, "none", nothing)


async def _come(leaf: Place, many: Many) -> Cost:
    """How late each is read by another process. Where they were due before all were set, once more, later."""
    lead, expected = many.lead, 0
    async with joined(leaf) as client, watching(client, "Reminding") as arrivals:
        for turn in count():
            start = datetime.now(UTC) + timedelta(seconds=lead)
            await _set(client, arrivals, leaf.address.pid, many, f"now{turn}-", start)
            expected += many.instances
            if (left := (start - datetime.now(UTC)).total_seconds()) > 0:
                await asyncio.sleep(left)
                return await _woken(arrivals, leaf.address.pid, start, expected, many.count)
            expected += many.count
            await arrivals.until(partial(_has, arrivals, expected))
            lead *= 2
    raise AssertionError("turns never end")


async def _woken(arrivals: Arrivals, leaf: int, start: datetime, before: int, number: int) -> Cost:
    """So many timers from the first one's time until the last one's commit."""
    used = spent(leaf)
    with metered(number) as meter:
        await arrivals.until(partial(_has, arrivals, before + number))
    used = difference(used, spent(leaf))
    each = []
    for came, commit in arrivals.seen[before:]:
        woke = read_step(commit).cause
        assert isinstance(woke, Woke), woke
        each.append(came - moment(woke.due).timestamp())
    assert min(each) >= 0, "a timer came before its time"
    last = arrivals.seen[-1][0]
    return Cost(number, last - start.timestamp(), meter.cost.processor, each, used)


async def _set(client: Client, arrivals: Arrivals, leaf: int, many: Many, name: str, start: datetime) -> Cost:
    """All of them, until each process has its own in the log."""
    wanted = len(arrivals.seen) + many.instances
    given = [
        partial(told, client, promise, f"promise-{promise.reminder}")
        for promise in many.promises(name, start)
    ]
    used = spent(leaf)
    with metered(many.count) as meter:
        await timed(given, IN_FLIGHT)
        await arrivals.until(partial(_has, arrivals, wanted))
    cost = meter.cost
    return Cost(many.count, cost.wall, cost.processor, there=difference(used, spent(leaf)))


async def _idle(leaf: int, seconds: float) -> float:
    """Milliseconds of processor time a second while nothing happens."""
    before = spent(leaf)
    await asyncio.sleep(seconds)
    return 1000 * (difference(before, spent(leaf)) or 0.0) / seconds


def _started_again(leaf: Place, running: Running) -> tuple[Running, float]:
    """The leaf that comes after another, and the seconds until it says that it is up."""
    running.send(SIGTERM)
    started = time.perf_counter()
    return leaf.up(), time.perf_counter() - started


def _has(arrivals: Arrivals, number: int) -> bool:
    return len(arrivals.seen) >= number

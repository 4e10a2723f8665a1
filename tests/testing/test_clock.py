"""The clock that is moved by hand."""

import asyncio

from cim.ports.clock import Clock, stamp
from cim.testing.clock import HandClock


async def test_sleepers_wake_in_the_order_of_their_times_and_none_too_early() -> None:
    clock, woken = HandClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await clock.until_asleep(3)
    clock.move(2)
    await asyncio.gather(tasks[1], tasks[2])
    assert woken == [1, 2]
    clock.move(1)
    await tasks[0]
    assert woken == [1, 2, 3]


async def test_a_sleeper_that_is_gone_is_not_counted() -> None:
    clock = HandClock()
    gone, there = (asyncio.create_task(clock.sleep(5)) for _ in range(2))
    await clock.until_asleep(2)
    gone.cancel()
    await asyncio.wait([gone])
    waiting = asyncio.create_task(clock.until_asleep(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.move(5)
    await there
    waiting.cancel()


async def test_a_jumping_clock_goes_along_with_whoever_sleeps() -> None:
    clock: Clock = HandClock(jumps=True)
    await clock.sleep(3600)
    assert clock.monotonic() == 3600
    assert stamp(clock) == "2026-01-02T04:04:05.000000Z"

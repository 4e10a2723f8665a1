"""What says when it ends is taken away then: once, exactly, and over restarts."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from cim import Changed, Command, Component, Context, Event, Expires, Removed, State
from cim.adapters.memory.log import MemoryLog
from cim.contract.expiry import end_of
from cim.contract.subjects import Ref
from cim.contract.system import read_component
from cim.domain.errors import Misdeclared
from cim.ports.log import Unclear
from cim.testing.clock import START, HandClock
from cim.world.expiry import Expiry

Start = Callable[..., Any]


class Measure(Command):
    sensor: str
    celsius: float
    until: datetime | None = None


class Measured(Event):
    sensor: str
    celsius: float
    until: datetime | None = None


sensors = Context("sensors")


@sensors.entity(key="sensor")
class Sensor(State):
    celsius: float = 0.0
    until: datetime | None = None

    def decide(self, command: Measure) -> Iterable[Measured]:
        return [Measured(command.sensor, command.celsius, command.until)]

    def evolve(self, event: Measured) -> "Sensor":
        return self.but(celsius=event.celsius, until=event.until)


@sensors.component(of=Sensor)
class Reading(Component):
    celsius: float
    until: Expires = None


@sensors.component(of=Sensor)
class Silent(Component):
    last: float


@sensors.system
def read(sensor: Changed[Sensor]) -> Reading:
    return Reading(sensor.celsius, sensor.until)


@sensors.system
def fall_silent(reading: Removed[Reading]) -> Silent:
    return Silent(reading.celsius)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Ending:
    """A process and its expiry, whose clock is moved by hand."""

    def __init__(self, process: Any, clock: HandClock) -> None:
        self.process, self.clock = process, clock
        self.troubles: list[str] = []
        parts = process.composition.components
        self.expiry = Expiry(process.world, process.log, clock, "cim:test", parts, self.troubles.append)
        self.task = asyncio.create_task(self.expiry.run())

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def measure(self, sensor: str, celsius: float, until: float | None) -> None:
        when = None if until is None else at(until)
        await self.process.send(Measure(sensor, celsius, when), f"c{await self.process.log.last()}")
        await self.process.idle()

    async def move(self, seconds: float, wanted: Callable[[], bool] = lambda: True) -> None:
        """Let time go by until something holds; what does not come is caught by the test's own time limit."""
        async with asyncio.timeout(10):
            await self.clock.until_asleep()
        self.clock.move(seconds)
        await until(wanted)
        await self.process.idle()

    def carries(self, sensor: str) -> bool:
        entity = self.process.world.entities.at_hand(Ref("sensors", "Sensor", sensor))
        return entity is not None and "Reading" in entity.cells

    async def expired(self) -> list[str]:
        commits = await self.process.commits()
        return [one.subject for one in commits if one.type.endswith(".Expired")]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # it is looked at after each step of all others
            await asyncio.sleep(0)


def moved(clock: HandClock) -> bool:
    """Let those wake who wait before they try again."""
    clock.move(0.1)
    return True


async def test_a_component_ends_when_it_says_and_what_waits_for_that_is_run(start: Start) -> None:
    ending = Ending(start(MemoryLog(), sensors), HandClock())
    await ending.measure("s", 20.5, 60)
    await ending.move(59.9)
    assert ending.carries("s")
    await ending.move(0.2, lambda: not ending.carries("s"))
    values = await ending.process.values()
    assert values["s"] == {"Silent": {"last": 20.5}}
    assert len(await ending.expired()) == 1
    await ending.stop()


async def test_what_was_replaced_ends_when_the_newer_value_says(start: Start) -> None:
    ending = Ending(start(MemoryLog(), sensors), HandClock())
    await ending.measure("s", 20.0, 60)
    await ending.measure("s", 21.0, 120)
    await ending.measure("never", 1.0, 30)
    await ending.measure("never", 2.0, None)
    await ending.move(61)
    await ending.move(1)
    assert ending.carries("s")
    assert ending.carries("never")
    await ending.move(60, lambda: not ending.carries("s"))
    assert ending.carries("never")
    assert len(await ending.expired()) == 1
    await ending.stop()


async def test_what_ended_while_nothing_ran_is_taken_away_at_the_start_once(start: Start) -> None:
    log, clock = MemoryLog(), HandClock()
    before = Ending(start(log, sensors), clock)
    for number in range(200):
        await before.measure(f"s{number}", float(number), 60)
    await before.stop()
    clock.move(3600)
    endings = [Ending(start(log, sensors), clock) for _ in range(2)]
    for ending in endings:
        await ending.process.idle()
        await until(lambda ending=ending: ending.expiry.pending == 0)  # type: ignore[misc]
        assert not any(ending.carries(f"s{number}") for number in range(200))
        await ending.process.idle()
        assert len(await ending.expired()) == 200
        await ending.stop()


async def test_it_is_tried_until_the_log_takes_it_and_told(start: Start) -> None:
    class Shut(MemoryLog):
        is_shut = False

        async def attempt(self, commit: Any, expected: int) -> Any:
            return Unclear("shut") if self.is_shut else await super().attempt(commit, expected)

    log, clock = Shut(), HandClock()
    ending = Ending(start(log, sensors), clock)
    await ending.measure("s", 2.0, 60)
    log.is_shut = True
    clock.move(61)
    await until(lambda: moved(clock) and bool(ending.troubles))
    assert "Reading of sensors.Sensor s has ended and cannot be taken away yet" in ending.troubles[0]
    log.is_shut = False
    await until(lambda: moved(clock) and not ending.carries("s"))
    assert len(await ending.expired()) == 1
    await ending.stop()


def test_an_end_is_a_moment_or_none() -> None:
    assert end_of({"until": "2026-05-01T12:00:00Z"}, "until") is not None
    assert end_of({"until": "2026-05-01T12:00:00"}, "until") is None
    assert end_of({"until": None}, "until") is None
    assert end_of({}, "until") is None
    assert end_of({"until": 7}, "until") is None


async def test_an_end_without_a_time_zone_is_a_failure_by_name(start: Start) -> None:
    process = start(MemoryLog(), sensors)
    await process.send(Measure("s", 1.0, datetime(2026, 5, 1)), "c1")
    await process.idle()
    failed = (await process.values())["s"]["Failed"]
    assert failed["cause"].startswith("Reading.until is 2026-05-01 00:00:00, which has no time zone")


def test_an_end_that_says_none_twice_is_an_end() -> None:
    others = Context("others")

    @others.component(of=Sensor)
    class Held(Component):
        until: Expires | None = None

    assert read_component(Held, "here").expires == "until"


def test_a_component_ends_by_one_field_and_is_not_corrected() -> None:
    others = Context("others")

    @others.component(of=Sensor)
    class Twice(Component):
        one: Expires
        two: Expires

    @others.component(of=Sensor)
    class Corrected(Component):
        until: Expires = None

        def correct(self, event: Measured) -> "Corrected":
            return self

    with pytest.raises(Misdeclared, match="Twice says twice when it ends: one and two"):
        read_component(Twice, "here")
    with pytest.raises(Misdeclared, match="Corrected ends by itself and is put right by people"):
        read_component(Corrected, "here")

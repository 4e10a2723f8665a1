"""Sensors tell how warm it is. What they told holds for a while, and then they are silent."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import assert_never

from cim import Changed, Command, Component, Context, Event, Expires, Reject, State

sensors = Context(
    "sensors",
    glossary={
        "reading": "What a sensor told last, for as long as it holds.",
        "silent": "A sensor whose last reading holds no more.",
    },
)


class Install(Command):
    """Put a sensor into a room; what it tells holds for so many seconds."""

    sensor: str
    room: str
    holds: float


class Measure(Command):
    """Tell how warm it was at a time."""

    sensor: str
    celsius: float
    at: datetime


class Installed(Event):
    """A sensor is in a room."""

    sensor: str
    room: str
    holds: float


class Measured(Event):
    """It was as warm as this."""

    sensor: str
    celsius: float
    at: datetime


@sensors.entity(key="sensor")
class Sensor(State):
    """A sensor in its room, and what it told last."""

    room: str = ""
    holds: float = 0.0
    celsius: float | None = None
    at: datetime | None = None

    def decide(self, command: Install | Measure) -> Iterable[Installed | Measured]:
        match command:
            case Install(sensor, room, holds):
                if holds <= 0:
                    raise Reject("what it tells must hold for more than no time")
                return [Installed(sensor, room, holds)]
            case Measure(sensor, celsius, at):
                if not self.room:
                    raise Reject("it is in no room: install it first")
                if at.tzinfo is None:
                    raise Reject(f"{at} has no time zone")
                return [Measured(sensor, celsius, at)] if self.at is None or at > self.at else []
            case _:
                assert_never(command)

    def evolve(self, event: Installed | Measured) -> "Sensor":
        match event:
            case Installed(_, room, holds):
                return self.but(room=room, holds=holds)
            case Measured(_, celsius, at):
                return self.but(celsius=celsius, at=at)
            case _:
                assert_never(event)


@sensors.component(of=Sensor)
class Reading(Component):
    """What the sensor told last; it ends by itself."""

    celsius: float
    room: str
    until: Expires = None


@sensors.component(of=Sensor)
class Silent(Component):
    """The sensor has told nothing that still holds; ``celsius`` is the last that it told."""

    celsius: float


@sensors.system
def read(sensor: Changed[Sensor]) -> Reading | None:
    """What was told, until it holds no more."""
    if sensor.celsius is None or sensor.at is None:
        return None
    return Reading(sensor.celsius, sensor.room, sensor.at + timedelta(seconds=sensor.holds))


@sensors.system
def miss(sensor: Sensor, reading: Changed[Reading | None]) -> Silent | None:
    """A sensor is silent from the end of its reading until the next one."""
    return Silent(sensor.celsius) if reading is None and sensor.celsius is not None else None

"""The module that the bench of the world runs: what sensors measure is judged by a system."""

import time
from collections.abc import Iterable

from cim import Changed, Command, Component, Context, Event, State

heat = Context("world_heat")


class Measure(Command):
    """Say how warm it is at a sensor."""

    sensor: str
    celsius: float
    sent: float


class Measured(Event):
    """It is as warm as this; ``sent`` is when that was published, in seconds of the wall clock."""

    sensor: str
    celsius: float
    sent: float


@heat.entity(key="sensor")
class Sensor(State):
    """What a sensor measured last."""

    celsius: float = 0.0
    sent: float = 0.0

    def decide(self, command: Measure) -> Iterable[Measured]:
        """Takes everything."""
        return [Measured(command.sensor, command.celsius, command.sent)]

    def evolve(self, event: Measured) -> "Sensor":
        """The last one counts."""
        return self.but(celsius=event.celsius, sent=event.sent)


@heat.component(of=Sensor)
class Judged(Component):
    """Whether it is too warm; ``called`` is when the system was, by the wall clock."""

    too_warm: bool
    sent: float
    called: float


@heat.system
def judge(sensor: Changed[Sensor]) -> Judged:
    """Tells when it was called, which no module that is not measured may."""
    return Judged(sensor.celsius > 30.0, sensor.sent, time.time())

"""Somebody answers for a sensor that is too warm: a module that came later and changed no other."""

from typing import Annotated

from cim import Added, Changed, Component, Context, Removed, Where
from sensors import Reading, Sensor

TOO_WARM = 30.0
"""Degrees."""

alarms = Context("alarms", glossary={"alarm": "A sensor that told of more than it may."})


@alarms.component(of=Sensor)
class Alarm(Component):
    """It is too warm now."""

    celsius: float
    room: str


@alarms.component(of=Sensor)
class Raised(Component):
    """How warm it was when the alarm that stands, or the last one, was raised."""

    celsius: float


@alarms.component(of=Sensor)
class Over(Component):
    """How warm it was at the last of the alarm that ended last."""

    celsius: float


@alarms.system
def watch(reading: Annotated[Changed[Reading | None], Where("celsius", ">", TOO_WARM)]) -> Alarm | None:
    """An alarm stands for as long as a reading says so that holds."""
    return None if reading is None else Alarm(reading.celsius, reading.room)


@alarms.system
def note(alarm: Added[Alarm]) -> Raised:
    """Once for each alarm, however it goes on."""
    return Raised(alarm.celsius)


@alarms.system
def close(alarm: Removed[Alarm]) -> Over:
    """Once for each alarm, when it has ended."""
    return Over(alarm.celsius)

"""What a room bears is held against what its sensors tell: a module that reads across the two."""

from collections.abc import Iterable
from typing import Annotated

from cim import Changed, Command, Component, Context, Event, Refers, State
from sensors import Reading, Sensor

rooms = Context("rooms", glossary={"to bear": "To be as warm without harm to what is kept in the room."})


class Allow(Command):
    """Say how warm a room may be, in degrees."""

    room: str
    celsius: float


class Allowed(Event):
    """A room may be this warm."""

    room: str
    celsius: float


@rooms.entity(key="room")
class Room(State):
    """Where things are kept that bear no more than so much."""

    bears: float = 0.0

    def decide(self, command: Allow) -> Iterable[Allowed]:
        return [Allowed(command.room, command.celsius)]

    def evolve(self, event: Allowed) -> "Room":
        return self.but(bears=event.celsius)


@rooms.component(of=Sensor)
class Place(Component):
    """In which room the sensor is."""

    room: Annotated[str, Refers(Room)]


@rooms.component(of=Sensor)
class Excess(Component):
    """By how many degrees it is warmer than the room bears."""

    degrees: float


@rooms.system
def locate(sensor: Changed[Sensor]) -> Place | None:
    """A sensor that is installed has a place."""
    return Place(sensor.room) if sensor.room else None


@rooms.system
def compare(place: Place, reading: Changed[Reading | None], room: Changed[Room]) -> Excess | None:
    """Anew with each reading, and with each word on what the room bears."""
    if reading is None or reading.celsius <= room.bears:
        return None
    return Excess(reading.celsius - room.bears)

"""Filters as data: what is let through, and what is refused by name when a system is read."""

from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Protocol

import pytest

from cim import Added, Capability, Changed, Component, Context, Event, Removed, State, Where, With, Without
from cim.contract import codec
from cim.contract.conditions import conditions
from cim.contract.system import read_system
from cim.domain.errors import Misdeclared

rooms = Context("rooms")


class Light(Enum):
    ON = "on"
    OFF = "off"


class Entered(Event):
    room: str


@rooms.entity(key="room")
class Room(State):
    floor: int = 0

    def evolve(self, event: Entered) -> "Room":
        return self


@rooms.component(of=Room)
class Air(Component):
    celsius: float | None
    since: datetime
    light: Light = Light.OFF
    tags: tuple[str, ...] = ()


@rooms.component(of=Room)
class Found(Component):
    """What the systems write."""


class Scales(Capability, Protocol):
    """What has no value."""


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("where", "air", "is_let"),
    [
        (Where("celsius", ">", 20), Air(20.5, NOON), True),
        (Where("celsius", ">", 20), Air(20.0, NOON), False),
        (Where("celsius", "<=", 20.0), Air(None, NOON), False),
        (Where("celsius", "==", None), Air(None, NOON), True),
        (Where("celsius", "!=", None), Air(None, NOON), False),
        (Where("since", ">=", NOON), Air(1.0, NOON), True),
        (Where("since", "<", NOON), Air(1.0, NOON), False),
        (Where("light", "==", Light.ON), Air(1.0, NOON, Light.ON), True),
        (Where("light", "in", (Light.ON,)), Air(1.0, NOON), False),
        (Where("tags", "==", ("a",)), Air(1.0, NOON, tags=("a",)), True),
    ],
)
def test_a_record_and_its_plain_data_are_let_through_alike(where: Where, air: Air, is_let: bool) -> None:
    (condition,) = conditions([where], Air, "here")
    assert condition.holds(air) is is_let
    assert condition.holds(codec.plain(air)) is is_let


def test_a_field_that_plain_data_does_not_have_is_its_default() -> None:
    (condition,) = conditions([Where("light", "==", Light.OFF)], Air, "here")
    assert condition.holds({"celsius": 1.0, "since": "2026-05-01T12:00:00Z"})


def no_field(air: Annotated[Changed[Air], Where("kelvin", ">", 1)]) -> Found:
    return Found()


def no_type(air: Annotated[Changed[Air], Where("celsius", ">", "hot")]) -> Found:
    return Found()


def no_order(air: Annotated[Changed[Air], Where("light", ">", Light.ON)]) -> Found:
    return Found()


def no_tuple(air: Annotated[Changed[Air], Where("celsius", "in", 3.0)]) -> Found:
    return Found()


def never(air: Annotated[Changed[Air], Where("celsius", ">", 3), Where("celsius", "<", 3)]) -> Found:
    return Found()


def nor_two(
    air: Annotated[Changed[Air], Where("light", "==", Light.ON)],
    dark: Annotated[With[Air], Where("light", "in", (Light.OFF,))],
) -> Found:
    return Found()


def never_followed(
    air: Annotated[Changed[Air | None], Where("celsius", ">", 3), Where("celsius", "<", 3)],
) -> Found:
    return Found()


def no_value(air: Changed[Air], weigh: Annotated[Scales, Where("grams", ">", 3)]) -> Found:
    return Found()


def gone_and_there(air: Removed[Air], still: With[Air]) -> Found:
    return Found()


def gone_state(room: Removed[Room]) -> Found:
    return Found()


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (no_field, "has no field 'kelvin' to filter by: it has celsius, since, light, tags"),
        (no_type, "compares celsius with what it never is"),
        (no_order, "values of Light have no order: use == or in"),
        (no_tuple, "compares with a tuple of values, 3.0 is none"),
        (never, "parameter `air`: no Air has celsius > 3.0 and celsius < 3.0"),
        (nor_two, "no Air has light == <Light.ON: 'on'> and light in (<Light.OFF: 'off'>,)"),
        (never_followed, "parameter `air`: no Air has celsius > 3.0 and celsius < 3.0"),
        (no_value, "parameter `weigh` is a capability, which has no value to filter"),
        (gone_and_there, "waits for Air and asks until it is gone"),
        (gone_state, "an entity is never without its own state"),
    ],
)
def test_what_cannot_be_is_refused_by_name(function: Any, told: str) -> None:
    with pytest.raises(Misdeclared) as refused:
        read_system("rooms", function)
    assert told in str(refused.value)
    assert f"rooms.{function.__name__}" in str(refused.value)


def some(
    air: Annotated[Changed[Air | None], Where("celsius", ">", 30)],
    cold: Annotated[Without[Air], Where("celsius", "<", 0)],
    room: Added[Room],
) -> Found:
    return Found()


def test_a_signature_is_read_with_its_filters() -> None:
    kinds = [
        (read.kind, read.type, tuple(map(str, read.conditions))) for read in read_system("rooms", some).reads
    ]
    assert kinds == [
        ("follows", Air, ("celsius > 30.0",)),
        ("without", Air, ("celsius < 0.0",)),
        ("added", Room, ()),
    ]

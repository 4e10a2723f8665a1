"""The sensors machine on a real leaf: readings end by themselves, alarms come and go, over a killed leaf."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from cim.cli.joined import joined
from cim.leaf.machine import load_machine
from cim.testing.processes import Place, place, wait_until

MACHINE = Path(__file__).parents[3] / "examples" / "sensors"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Place]:
    with place(copytree(MACHINE, tmp_path / "machine"), tmp_path / "said") as made:
        yield made


def send(machine: Place, command: str, *fields: str) -> None:
    done = machine.cim("send", command, "sensor=s1", *fields)
    assert done.code == 0, done.err


def carried(machine: Place) -> dict[str, Any]:
    """What the sensor carries now, but for its reading's own end."""
    (found,) = machine.cim("show", "sensors.Sensor", "s1", "--json").data
    return {
        name: {field: value for field, value in one["value"].items() if field != "until"}
        for name, one in found["components"].items()
    }


def becomes(machine: Place, **wanted: Any) -> None:
    def is_so() -> bool:
        found = carried(machine)
        return all(found.get(name.replace("_", ".")) == value for name, value in wanted.items())

    wait_until(is_so, f"it carries {wanted}: {carried(machine)}")


def test_readings_end_and_alarms_come_and_go_over_a_killed_leaf(machine: Place) -> None:
    leaf = machine.up()
    send(machine, "sensors.Install", "room=attic", "holds=3600")
    now = datetime.now(UTC)
    send(machine, "sensors.Measure", "celsius=35", f"at={now.isoformat()}")
    alarm = {"celsius": 35.0, "room": "attic"}
    becomes(machine, Reading=alarm, alarms_Alarm=alarm, alarms_Raised={"celsius": 35.0}, Silent=None)
    send(machine, "sensors.Install", "room=attic", "holds=0.1")
    leaf.kill()
    machine.up()
    becomes(machine, Reading=None, alarms_Alarm=None, alarms_Over={"celsius": 35.0}, Silent={"celsius": 35.0})
    later = datetime.now(UTC) + timedelta(hours=1)
    send(machine, "sensors.Measure", "celsius=20", f"at={later.isoformat()}")
    becomes(machine, Reading={"celsius": 20.0, "room": "attic"}, alarms_Alarm=None, Silent=None)
    history = machine.cim("show", "sensors.Sensor", "s1", "--history", "Reading", "--json").data
    assert [one["what"] for one in history] == ["written", "written", "expired", "written"]
    assert machine.cim("verify").code == 0


def test_what_a_room_bears_is_held_against_what_its_sensors_tell(machine: Place) -> None:
    machine.up()
    send(machine, "sensors.Install", "room=attic", "holds=3600")
    now = datetime.now(UTC)
    send(machine, "sensors.Measure", "celsius=25", f"at={now.isoformat()}")
    becomes(
        machine, Reading={"celsius": 25.0, "room": "attic"}, rooms_Place={"room": "attic"}, rooms_Excess=None
    )
    assert machine.cim("send", "rooms.Allow", "room=attic", "celsius=20").code == 0
    becomes(machine, rooms_Excess={"degrees": 5.0})
    assert machine.cim("send", "rooms.Allow", "room=attic", "celsius=30").code == 0
    becomes(machine, rooms_Excess=None)
    assert machine.cim("send", "rooms.Allow", "room=cellar", "celsius=12").code == 0
    send(machine, "sensors.Install", "room=cellar", "holds=3600")
    becomes(machine, rooms_Place={"room": "cellar"}, rooms_Excess={"degrees": 13.0})
    (shown,) = machine.cim("show", "sensors.Sensor", "s1", "--json").data
    inputs = shown["components"]["rooms.Excess"]["inputs"]
    assert set(inputs) == {"Reading", "rooms.Place", "rooms.Place.room>state@cellar"}
    assert machine.cim("verify").code == 0


async def test_who_joins_to_read_ends_nothing_and_the_next_leaf_does(machine: Place) -> None:
    leaf = machine.up()
    send(machine, "sensors.Install", "room=attic", "holds=10")
    measured = datetime.now(UTC)
    send(machine, "sensors.Measure", "celsius=35", f"at={measured.isoformat()}")
    becomes(machine, Reading={"celsius": 35.0, "room": "attic"})
    leaf.kill()
    end = measured + timedelta(seconds=10)
    wait_until(lambda: datetime.now(UTC) > end, "the reading holds no more")
    async with joined(load_machine(machine.folder)) as node:
        before = node.world.sequence
        for _ in range(100):
            assert await node.log.last() == before
    machine.up()
    becomes(machine, Reading=None, Silent={"celsius": 35.0})

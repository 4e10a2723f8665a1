"""What came, what is gone and what a filter lets through: each once, in any order of things."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytest

from cim import Added, Changed, Command, Component, Context, Event, Maybe, Removed, State, Where, Without
from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Commit
from cim.contract.subjects import Ref

Start = Callable[..., Any]

HOT = 30.0


class Measure(Command):
    room: str
    celsius: float | None


class Measured(Event):
    room: str
    celsius: float | None


rooms, late = Context("rooms"), Context("late")


@rooms.entity(key="room")
class Room(State):
    celsius: float | None = None

    def decide(self, command: Measure) -> Iterable[Measured]:
        return [Measured(command.room, command.celsius)]

    def evolve(self, event: Measured) -> "Room":
        return self.but(celsius=event.celsius)


@rooms.component(of=Room)
class Air(Component):
    celsius: float


@rooms.component(of=Room)
class Welcomed(Component):
    celsius: float


@rooms.component(of=Room)
class Alarm(Component):
    celsius: float


@rooms.component(of=Room)
class Cool(Component):
    pass


@late.component(of=Room)
class Last(Component):
    celsius: float


@rooms.system
def measure(room: Changed[Room]) -> Air | None:
    return None if room.celsius is None else Air(room.celsius)


@rooms.system
def welcome(air: Added[Air]) -> Welcomed:
    return Welcomed(air.celsius)


@rooms.system
def watch(air: Annotated[Changed[Air | None], Where("celsius", ">", HOT)]) -> Alarm | None:
    return None if air is None else Alarm(air.celsius)


@rooms.system
def rest(
    air: Changed[Air],
    hot: Annotated[Without[Air], Where("celsius", ">", HOT)],
    warm: Annotated[Maybe[Air], Where("celsius", ">", 20.0)],
) -> Cool | None:
    return Cool() if warm is None else None


@late.system
def remember(air: Removed[Air]) -> Last:
    return Last(air.celsius)


class Open(Command):
    gate: str
    name: str


class Opened(Event):
    gate: str
    name: str


gates = Context("gates")


@gates.entity(key="gate")
class Gate(State):
    name: str = ""

    def decide(self, command: Open) -> Iterable[Opened]:
        return [Opened(command.gate, command.name)]

    def evolve(self, event: Opened) -> "Gate":
        return self.but(name=event.name)


@gates.component(of=Gate)
class Name(Component):
    text: str = ""

    def correct(self, event: Opened) -> "Name":
        return self.but(text=event.name)


@gates.component(of=Gate)
class Born(Component):
    name: str


@gates.component(of=Gate)
class Told(Component):
    text: str


@gates.system
def bear(gate: Added[Gate]) -> Born:
    return Born(gate.name)


@gates.system
def tell(name: Added[Name]) -> Told:
    return Told(name.text)


async def settled(process: Any, celsius: float | None) -> dict[str, Any]:
    await process.send(Measure("r", celsius), f"c{await process.log.last()}")
    await process.idle()
    found: dict[str, Any] = (await process.values())["r"]
    return {name: value.get("celsius", "") for name, value in found.items() if name != "Air"}


async def test_each_coming_is_met_once_and_each_going(start: Start) -> None:
    process = start(MemoryLog(), rooms, late)
    assert await settled(process, 10.0) == {"Welcomed": 10.0, "Cool": ""}
    assert await settled(process, 40.0) == {"Welcomed": 10.0, "Cool": "", "Alarm": 40.0}
    assert await settled(process, 25.0) == {"Welcomed": 10.0}
    assert await settled(process, None) == {"Welcomed": 10.0, "late.Last": 25.0}
    assert await settled(process, 35.0) == {"Welcomed": 35.0, "late.Last": 25.0, "Alarm": 35.0}
    assert await settled(process, None) == {"Welcomed": 35.0, "late.Last": 35.0}


async def test_what_was_gone_before_a_module_came_is_met_and_what_is_back_is_not(start: Start) -> None:
    log = MemoryLog()
    process = start(log, rooms)
    await settled(process, 10.0)
    await settled(process, None)
    await process.send(Measure("back", 5.0), "b1")
    await process.idle()
    await process.send(Measure("back", None), "b2")
    await process.idle()
    await process.send(Measure("back", 6.0), "b3")
    await process.idle()
    await process.stop()
    after = start(log, rooms, late)
    await after.idle()
    values = await after.values()
    assert values["r"]["late.Last"] == {"celsius": 10.0}
    assert "late.Last" not in values["back"]


async def test_an_entity_comes_once_and_what_a_person_says_of_it_is_a_coming_too(start: Start) -> None:
    process = start(MemoryLog(), gates)
    await process.send(Open("g", ""), "c1")
    await process.idle()
    assert (await process.values())["g"] == {"Born": {"name": ""}}
    await process.send(Open("g", "north"), "c2")
    await process.idle()
    assert (await process.values())["g"] == {
        "Born": {"name": ""},
        "Name": {"text": "north"},
        "Told": {"text": "north"},
    }
    await process.send(Open("g", "south"), "c3")
    await process.idle()
    assert (await process.values())["g"]["Told"] == {"text": "north"}
    entity = process.world.entities.at_hand(Ref("gates", "Gate", "g"))
    assert entity.runs["gates.tell"].inputs == {"Name": 0, "Name/corrected": 2, "Name/added/corrected": 2}


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_the_world_ends_as_the_last_measure_says(start: Start, seed: int) -> None:
    chance, log = random.Random(seed), MemoryLog()
    oracle: dict[str, float | None] = {}
    processes = [start(log, rooms, late), start(log, rooms)]
    for number in range(60):
        deed = chance.choices(["measure", "wait", "crash", "breathe"], [10, 3, 1, 4])[0]
        process = chance.choice(processes)
        if deed == "measure":
            room, celsius = f"r{chance.randrange(4)}", chance.choice([None, None, 10.0, 25.0, 35.0, 45.0])
            await process.send(Measure(room, celsius), f"c{number}")
            oracle[room] = celsius
        elif deed == "wait":
            await process.idle()
        elif deed == "crash":
            await process.stop()
            processes[processes.index(process)] = start(log, rooms, late)
        else:
            for _ in range(chance.randrange(20)):
                await asyncio.sleep(0)
    for process in (*processes, *processes):
        await process.idle()
    commits = await processes[0].commits()
    for process in processes:
        await held_against(oracle, process, commits)
    assert max(meetings(commits).values(), default=1) == 1


async def held_against(oracle: dict[str, float | None], process: Any, commits: list[Commit]) -> None:
    values = await process.values()
    assert values.keys() == oracle.keys()
    for room, celsius in oracle.items():
        found = values[room]
        assert found.get("Air") == (None if celsius is None else {"celsius": celsius})
        is_hot = celsius is not None and celsius > HOT
        assert found.get("Alarm") == ({"celsius": celsius} if is_hot else None)
        if celsius is not None and not is_hot:
            assert ("Cool" in found) == (celsius <= 20.0)


def meetings(commits: Iterable[Commit]) -> Counter[tuple[str, str, str, int]]:
    """How often each coming and each going was met, by entity, system, and what names it."""
    return Counter(
        (commit.subject, found.system, name, number)
        for commit in commits
        if (found := commit.derivation) is not None and found.system in ("rooms.welcome", "late.remember")
        for name, number in found.inputs.items()
        if name in ("Air/added", "Air/gone")
    )

"""Runs that find away what they need: tried again after a while, others go on, and given up by name."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import pytest

from cim import Capability, Changed, Command, Component, Context, Event, State, Unavailable
from cim.adapters.memory.log import MemoryLog
from cim.contract.subjects import Ref
from cim.world.schedule import Trying

Start = Callable[..., Any]


class Write(Command):
    note: str
    text: str


class Written(Event):
    note: str
    text: str


notes = Context("notes")


@notes.entity(key="note")
class Note(State):
    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note, command.text)]

    def evolve(self, event: Written) -> "Note":
        return self.but(text=event.text)


@notes.component(of=Note)
class Upper(Component):
    text: str


class Far(Capability, Protocol):
    def upper(self, text: str) -> str: ...


@notes.system
def upper(note: Changed[Note], far: Far) -> Upper:
    return Upper(far.upper(note.text))


class FarAway:
    """Raises, one after the other, what is told for a text; for other texts nothing."""

    def __init__(self, **raised: Iterable[Exception]) -> None:
        self.raised = {text: iter(errors) for text, errors in raised.items()}
        self.asked: list[str] = []
        self.twice = threading.Event()

    def upper(self, text: str) -> str:
        self.asked.append(text)
        if len(self.asked) == 2:
            self.twice.set()
        error = next(self.raised.get(text, iter(())), None)
        if error is not None:
            raise error
        return text.upper()


def endless() -> Iterable[Exception]:
    while True:
        yield Unavailable("the reader is not there now")


def ref(id: str) -> Ref:
    return Ref("notes", "Note", id)


async def test_what_is_away_is_asked_again_until_it_is_there(start: Start) -> None:
    far = FarAway(a=[Unavailable("not there"), ConnectionResetError("cut"), TimeoutError("late")])
    process = start(MemoryLog(), notes, providers={Far: far})
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "A"}}}
    assert far.asked == ["a"] * 4
    assert len(await process.commits()) == 2, "what was tried in vain is not recorded"
    assert process.schedule.trying(9) == []
    assert not process.schedule.working(await process.world.entities.get(ref("n1")))


async def test_after_the_last_try_it_has_failed_by_name_until_there_is_another_input(start: Start) -> None:
    far = FarAway(a=endless())
    process = start(MemoryLog(), notes, providers={Far: far})
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    cause = "tried 12 times, at last: the reader is not there now"
    assert await process.values() == {"n1": {"Failed": {"system": "notes.upper", "cause": cause}}}
    assert far.asked == ["a"] * 12
    assert process.clock.monotonic() == pytest.approx(52.7)
    await process.send(Write("n1", "b"), "c2")
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "B"}}}


async def test_meanwhile_others_go_on_and_it_is_told_what_waits_why_and_how_long(start: Start) -> None:
    far = FarAway(a=[Unavailable("not there"), ConnectionResetError("cut")])
    process = start(MemoryLog(), notes, providers={Far: far}, workers=1, jumps=False)
    await process.send(Write("n1", "a"), "c1")
    await process.until(process.clock.until_asleep())
    await process.send(Write("n2", "b"), "c2")
    await process.until(process.world.reached(3))
    assert await process.values() == {"n1": {}, "n2": {"Upper": {"text": "B"}}}
    assert process.schedule.trying(9) == [Trying(ref("n1"), "notes.upper", "not there", 1, 0.1)]
    assert process.schedule.left == 1
    assert process.schedule.working(await process.world.entities.get(ref("n1"))) == ("notes.upper",)
    process.clock.move(0.1)
    await process.until(process.clock.until_asleep())
    (one,) = process.schedule.trying(9)
    assert (one.cause, one.tries, one.next) == ("ConnectionResetError: cut", 2, pytest.approx(0.2))
    process.clock.move(0.2)
    await process.idle()
    assert (await process.values())["n1"] == {"Upper": {"text": "A"}}


async def test_a_new_input_is_another_run_and_is_made_at_once(start: Start) -> None:
    far = FarAway(a=endless(), b=[Unavailable("not there")])
    process = start(MemoryLog(), notes, providers={Far: far}, jumps=False)
    await process.send(Write("n1", "a"), "c1")
    await process.until(process.clock.until_asleep())
    await process.send(Write("n1", "b"), "c2")
    await process.until(process.world.reached(2))
    assert await asyncio.to_thread(far.twice.wait, 10)
    await process.until(process.clock.until_asleep())
    (one,) = process.schedule.trying(9)
    assert (far.asked, one.tries) == (["a", "b"], 1)
    process.clock.move(0.1)
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "B"}}}


async def test_a_provider_that_is_gone_does_not_use_up_the_tries_of_all_that_waits(start: Start) -> None:
    class Gone(FarAway):
        """Away for ten minutes."""

        def upper(self, text: str) -> str:
            super().upper(text)
            if process.clock.monotonic() < 600:
                raise Unavailable("gone")
            return text.upper()

    far = Gone()
    process = start(MemoryLog(), notes, providers={Far: far}, workers=2)
    for number in range(200):
        await process.send(Write(f"n{number}", f"{number}"), f"c{number}")
    await process.idle()
    failed = sum("Failed" in one for one in (await process.values()).values())
    print(f"asked {len(far.asked)} times, {failed} of 200 given up")
    assert process.clock.monotonic() < 620, "it is found within seconds that it is back"
    assert 0 < failed < 20
    assert sum("Upper" in one for one in (await process.values()).values()) == 200 - failed
    assert len(far.asked) < 400

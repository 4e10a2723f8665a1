"""Systems that are async: they have places of their own, and are else as any other."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from cim import Changed, Context, Failure, Unavailable
from cim.adapters.memory.log import MemoryLog

from .test_schedule import Length, Note, Upper, Write, notes

Start = Callable[..., Any]


async def test_it_writes_what_it_comes_to_once(start: Start) -> None:
    async def upper(note: Changed[Note]) -> Upper:
        await asyncio.sleep(0)
        return Upper(note.text.upper())

    log = MemoryLog()
    process = start(log, notes(upper))
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    await process.stop()
    again = start(log, notes(upper))
    await again.idle()
    assert await again.values() == {"n1": {"Upper": {"text": "A"}}}
    assert len(await again.commits()) == 2


async def test_what_waits_holds_up_nothing_that_computes_and_the_other_way_round(start: Start) -> None:
    go_on, many = threading.Event(), threading.Barrier(4)

    async def upper(note: Changed[Note]) -> Upper:
        many.wait(10)  # so many are at it at once
        assert await asyncio.to_thread(go_on.wait, 10)
        return Upper(note.text.upper())

    def length(note: Changed[Note]) -> Length:
        return Length(len(note.text))

    process = start(MemoryLog(), notes(upper, length), workers=1, threads=8, waiting_workers=3)
    for number in range(3):
        await process.send(Write(f"n{number}", "abc"), f"c{number}")
    await asyncio.to_thread(many.wait, 10)
    await process.until(_until(process, lambda values: sum("Length" in one for one in values.values()) == 3))
    assert not any("Upper" in one for one in (await process.values()).values())
    go_on.set()
    await process.idle()
    assert all(
        one == {"Upper": {"text": "ABC"}, "Length": {"size": 3}} for one in (await process.values()).values()
    )


async def test_it_fails_and_is_tried_as_any_other(start: Start) -> None:
    tried: list[str] = []

    async def upper(note: Changed[Note]) -> Upper:
        tried.append(note.text)
        if note.text == "bad":
            raise Failure("it is bad")
        if tried.count(note.text) < 3:
            raise Unavailable("not yet")
        return Upper(note.text)

    process = start(MemoryLog(), notes(upper))
    await process.send(Write("n1", "bad"), "c1")
    await process.send(Write("n2", "later"), "c2")
    await process.idle()
    assert await process.values() == {
        "n1": {"Failed": {"system": "notes.upper", "cause": "it is bad"}},
        "n2": {"Upper": {"text": "later"}},
    }
    assert tried.count("later") == 3


async def _until(process: Any, holds: Callable[[dict[str, Any]], bool]) -> None:
    while not holds(await process.values()):  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def test_a_context_takes_it() -> None:
    made = Context("letters")

    async def read() -> None: ...

    assert made.system(read) is read

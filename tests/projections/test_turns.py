"""Reads in threads of their own."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cim.adapters.sqlite.rows import SqliteReader, SqliteRows
from cim.adapters.system import SystemClock
from cim.ports.rows import Deadline, Reader
from cim.projections.turns import Turns


@pytest.fixture
def no_thread_is_put_aside() -> Iterator[None]:
    """Who runs goes on until it waits for something: then it is sure who waits for whom."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("no_thread_is_put_aside")
async def test_the_event_loop_goes_on_before_a_read_begins() -> None:
    said: list[str] = []

    def read(reader: Reader, until: Deadline) -> str:
        said.append("read")
        return "rows"

    reading = asyncio.ensure_future(turns().run("shop.orders", read))
    asyncio.get_running_loop().call_soon(said.append, "loop")
    assert await reading == "rows"
    assert said == ["loop", "read"]


def turns(**given: Any) -> Turns:
    return Turns(5.0, SystemClock(), SqliteRows(Path("nowhere")).reader, **given)


def thread_of(reader: Reader, until: Deadline) -> int:
    return threading.get_ident()


async def test_short_reads_are_done_by_one_thread_which_keeps_what_it_reads() -> None:
    made = turns()
    readers: set[int] = set()

    def read(reader: Reader, until: Deadline) -> int:
        readers.add(id(reader))
        return thread_of(reader, until)

    for _ in range(20):
        threads = {await made.run("shop.orders", read)}
        assert len(threads) == 1
    assert len(readers) == 1
    made.close()


async def test_what_waits_behind_a_read_that_is_slow_is_done_by_another_thread() -> None:
    made, goes_on = turns(), threading.Event()

    def hold(reader: Reader, until: Deadline) -> int:
        goes_on.wait(20)
        return thread_of(reader, until)

    slow = [asyncio.ensure_future(made.run("shop.orders", hold)) for _ in range(3)]
    await asyncio.sleep(0)  # they are before the others
    async with asyncio.timeout(20):
        quick = {await made.run("shop.orders", thread_of) for _ in range(5)}
        goes_on.set()
        held = [await one for one in slow]
    assert len({*held}) == 3
    assert not quick & {*held}
    made.close()


async def test_who_no_longer_waits_takes_no_turn() -> None:
    made, goes_on, done = turns(at_once=1), threading.Event(), list[str]()

    def hold(reader: Reader, until: Deadline) -> None:
        goes_on.wait(20)

    def read(reader: Reader, until: Deadline) -> None:
        done.append("read")

    slow = asyncio.ensure_future(made.run("shop.orders", hold))
    waiting = asyncio.ensure_future(made.run("shop.orders", read))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    goes_on.set()
    await slow
    await made.run("shop.orders", lambda reader, until: None)
    assert done == []
    made.close()


async def test_closing_ends_the_threads_and_what_they_keep() -> None:
    closed = threading.Event()

    class Kept(SqliteReader):
        def close(self) -> None:
            closed.set()

    made = Turns(5.0, SystemClock(), lambda: Kept(SqliteRows(Path("nowhere"))))
    await made.run("shop.orders", thread_of)
    assert not closed.is_set()
    made.close()
    assert await asyncio.to_thread(closed.wait, 20)
    assert await made.run("shop.orders", thread_of), "a last question is still answered"


async def test_a_thread_that_nobody_needs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cim.projections.turns.IDLE", 0.01)
    made = turns()
    first = await made.run("shop.orders", lambda reader, until: reader)
    async with asyncio.timeout(20):
        while made._threads:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)
    assert await made.run("shop.orders", lambda reader, until: reader) is not first
    made.close()

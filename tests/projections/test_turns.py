"""Reads in threads of their own."""

import asyncio
import sys
from collections.abc import Iterator

import pytest

from cim.adapters.system import SystemClock
from cim.ports.rows import Deadline
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

    def read(until: Deadline) -> str:
        said.append("read")
        return "rows"

    reading = asyncio.ensure_future(Turns(5.0, SystemClock()).run("shop.orders", read))
    asyncio.get_running_loop().call_soon(said.append, "loop")
    assert await reading == "rows"
    assert said == ["loop", "read"]

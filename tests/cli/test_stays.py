"""What a process has caught up with is left out of the collector's looks: each would hold up everybody."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cim.cli.up import _is_up
from cim.cli.work import _catch_up


@pytest.fixture
def unfrozen() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


async def is_up(node: Any) -> None:
    await _is_up(cast(Any, SimpleNamespace(name="here")), cast(Any, SimpleNamespace(page="", node=node)))


@pytest.mark.usefixtures("unfrozen")
@pytest.mark.parametrize("start", [is_up, _catch_up])
async def test_nothing_stays_before_the_world_is_caught_up_and_all_that_is_there_then(
    start: Callable[[Any], Awaitable[None]],
) -> None:
    caught_up = asyncio.Event()
    world = SimpleNamespace(until_caught_up=caught_up.wait)
    node = SimpleNamespace(world=world, schedule=SimpleNamespace(left=0), idle=asyncio.Event().wait)
    starting = asyncio.ensure_future(start(node))
    await asyncio.sleep(0)
    assert gc.get_freeze_count() == 0
    caught_up.set()
    async with asyncio.timeout(10):
        while gc.get_freeze_count() == 0:  # noqa: ASYNC110 - the collector tells nobody
            await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])

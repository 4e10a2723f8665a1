"""What a process holds of a machine: contents for threads, and work that ends with its block."""

import asyncio

import pytest

from cim.leaf.node import background


async def test_work_ends_with_its_block() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    async with background(work(), work()):
        await asyncio.sleep(0)
        assert ended == []
    assert ended == ["ended", "ended"]


async def test_work_that_fails_ends_the_block_with_its_error() -> None:
    async def work() -> None:
        raise ZeroDivisionError("in the background")

    async def block() -> None:
        async with asyncio.timeout(10), background(work()):
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as error:
        await block()
    assert error.value.subgroup(ZeroDivisionError) is not None

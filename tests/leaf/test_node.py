"""What a process holds of a machine: contents for threads, and work that ends with its block."""

import asyncio
from pathlib import Path

import pytest

from cim.adapters.sqlite.keys import SqliteKeys
from cim.leaf.node import background, destroy_key


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


def test_a_key_that_cannot_be_destroyed_now_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys.sqlite").write_bytes(b"no store of keys" * 300)
    told: list[str] = []
    destroy_key(SqliteKeys(tmp_path / "keys.sqlite"), told.append, "shop.Customer.ada")
    (said,) = told
    assert said.startswith("the key of shop.Customer.ada is not destroyed yet, the next start does it: ")

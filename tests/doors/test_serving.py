"""A door that was closed: it is heard no more, also where its connection stays."""

import asyncio
from typing import Any

import pytest

from cim.adapters.nats.lean import lean_of
from cim.adapters.nats.wire import NobodyThere
from cim.doors.serving import Request, serve

from .conftest import Doors


async def asked(doors: Doors) -> bytes:
    wire = await lean_of(doors.leaf.client).wire()
    return (await wire.ask("qry.notes.any.test", b"", b"", 5.0))[1]


async def answer(request: Request) -> dict[str, Any]:
    return {"heard": request.subject}


async def test_after_its_end_nobody_is_there(doors: Doors) -> None:
    for _ in range(2):  # as at each turn of a host
        async with serve(doors.leaf.client, "qry.>", answer, doors.trouble.append):
            assert await asked(doors) == b'{"heard":"qry.notes.any.test"}'
        with pytest.raises(NobodyThere):
            await asked(doors)


async def test_after_its_end_another_one_answers_all(doors: Doors) -> None:
    async def other(request: Request) -> dict[str, Any]:
        return {"other": True}

    async with serve(doors.leaf.client, "qry.>", other, doors.trouble.append):
        async with serve(doors.leaf.client, "qry.>", answer, doors.trouble.append):
            pass
        assert {await asked(doors) for _ in range(20)} == {b'{"other":true}'}


async def test_what_is_under_way_at_its_end_is_given_up(doors: Doors) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()
        return {}

    async with serve(doors.leaf.client, "qry.>", slow, doors.trouble.append):
        asking = asyncio.create_task(asked(doors))
        await begun.wait()
    assert ended.is_set()
    asking.cancel()
    await asyncio.wait([asking])
    assert doors.trouble == []


async def test_after_its_end_it_is_not_opened_again_over_a_new_connection(doors: Doors) -> None:
    lean = lean_of(doors.leaf.client)
    async with serve(doors.leaf.client, "qry.>", answer, doors.trouble.append):
        await asked(doors)
    (await lean.wire()).close()
    with pytest.raises(NobodyThere):
        await asked(doors)
    async with serve(doors.leaf.client, "qry.>", answer, doors.trouble.append):
        (await lean.wire()).close()
    with pytest.raises(NobodyThere):
        await asked(doors)

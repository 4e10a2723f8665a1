"""A live query and an erasure: nobody who follows it, or goes on later, keeps what was erased."""

import asyncio
from typing import Any

import pytest

from cim import ERASED
from cim.contract.envelope import Commit
from cim.contract.live import LiveQuery, Place, live_query, live_question
from cim.contract.subjects import Ref
from cim.world.live import Following
from cim.world.trail import history

from .test_erasure import ADA, COMPOSITION, ORDER, Shop, filled

__all__ = ["filled"]

ORDERS: dict[str, Any] = {"of": "shop.Order"}


def orders() -> LiveQuery:
    return live_query(live_question(ORDERS), COMPOSITION)


async def reached(following: Following) -> Place:
    while (part := await following.more()).reached is None:
        pass
    return part.reached


async def test_what_is_erased_is_told_as_erased_and_no_place_is_given_before(
    filled: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = Following(filled.world, orders(), lambda: None)
    await following.begin(None)
    await reached(following)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(ref: Ref) -> list[Commit]:
        asked.set()
        await go_on.wait()
        return await history(filled.log, ref)

    monkeypatch.setattr(filled.world, "_history", slow)
    await filled.erase(ADA)
    folding = asyncio.ensure_future(filled.follow())
    await asked.wait()
    telling = asyncio.ensure_future(following.more())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not telling.done()
    go_on.set()
    await folding
    part = await telling
    assert [(one.id, one.what, one.values) for one in part.changes] == [
        (ORDER.id, "changed", {"state": {"customer": "ada", "address": ERASED}})
    ]
    assert part.reached is not None
    assert part.changes[0].sequence == part.reached.sequence == filled.world.sequence


async def test_a_place_before_an_erasure_is_begun_anew(filled: Shop) -> None:
    following = Following(filled.world, orders(), lambda: None)
    await following.begin(None)
    before = await reached(following)
    following.close()
    await filled.erase(ADA)
    await filled.follow()
    again = Following(filled.world, orders(), lambda: None)
    assert await again.begin(before) == "a person was erased since then"
    after = await reached(again)
    assert await Following(filled.world, orders(), lambda: None).begin(after) is None


async def test_an_erasure_while_a_query_is_resumed_begins_it_anew(
    filled: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = Following(filled.world, orders(), lambda: None)
    await following.begin(None)
    before = await reached(following)
    found = filled.world.entities.changed_since

    async def meanwhile(*asked: Any) -> Any:
        await filled.erase(ADA)
        await filled.follow()
        return await found(*asked)

    monkeypatch.setattr(filled.world.entities, "changed_since", meanwhile)
    assert (
        await Following(filled.world, orders(), lambda: None).begin(before)
        == "a person was erased since then"
    )

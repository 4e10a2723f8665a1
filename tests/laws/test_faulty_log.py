"""The log behind a bad link: calm, it is a log like any other; dead, nothing reaches the store any more."""

import random

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.ports.log import LinkLost, Stored, Unclear
from cim.testing.faulty_log import FATES, FaultyLog, Network
from cim.testing.log_conformance import Intrude, LogConformance, commit, read_all


class TestCalmLink(LogConformance):
    @pytest.fixture
    def store(self) -> MemoryLog:
        return MemoryLog()

    @pytest.fixture
    def log(self, store: MemoryLog) -> FaultyLog:
        network = Network(random.Random(0))
        network.calm = True
        return FaultyLog(store, network)

    @pytest.fixture
    def intrude(self, store: MemoryLog) -> Intrude:
        return store.intrude


async def test_a_process_that_has_ended_reaches_nothing() -> None:
    store, network = MemoryLog(), Network(random.Random(0))
    network.calm = True
    link = FaultyLog(store, network)
    link.end()
    with pytest.raises(LinkLost, match="this process has ended"):
        await link.attempt(commit("evt.shop.Jar.a", "a1"), 0)
    assert await store.last() == 0
    assert isinstance(await FaultyLog(store, network).attempt(commit("evt.shop.Jar.a", "a1"), 0), Stored)


async def test_a_cut_link_is_whole_again_after_as_many_calls() -> None:
    link = FaultyLog(MemoryLog(), Network(random.Random(0)))
    link.cut(2)
    for _ in range(2):
        with pytest.raises(LinkLost, match="cut"):
            await link.last()
    assert await link.last() == 0


@pytest.mark.parametrize("seed", range(30))
async def test_what_is_said_to_be_stored_is_stored_and_what_is_unclear_may_be(seed: int) -> None:
    store, network = MemoryLog(), Network(random.Random(seed))
    link = FaultyLog(store, network)
    try:
        answer = await link.attempt(commit("evt.shop.Jar.a", "a1"), 0)
    except LinkLost:
        assert network.faults["attempt cut after"] == 1
        answer = Unclear("cut")
    (fate,) = network.faults.keys() & FATES.keys()
    there = len(await read_all(store))
    assert there == (fate not in ("attempt lost", "attempt late"))
    assert isinstance(answer, Stored) == (fate in ("attempt arrives", "attempt doubled"))
    while not network.is_empty:
        await network.take_time()
    assert len(await read_all(store)) == (fate != "attempt lost")

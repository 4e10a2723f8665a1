"""Appends that go together, over a real server that syncs each write."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cim.adapters.nats import arrivals
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.leaf.machine import load_machine
from cim.leaf.node import join
from cim.log.append import Appended, OutcomeUnknown, append
from cim.log.chain import Head
from cim.log.grouped import Grouped
from cim.ports.log import Stored
from cim.testing.bare_leaf import BareLeaf, bare_leaf
from cim.testing.log_conformance import Intrude, LogConformance, commit, follow_until, read_all

CLOCK = SystemClock()
Group = tuple[int, bool]
LONG = 40
"""Commits of a history that is written through kills."""


@pytest.fixture
async def durable(tmp_path: Path, told: list[str]) -> AsyncIterator[BareLeaf]:
    async with bare_leaf(tmp_path / ".cim", told.append, durability="durable") as running:
        yield running


@pytest.fixture
async def log(durable: BareLeaf) -> Grouped:
    """As soon as two are under way, the next ones gather."""
    return Grouped(await NatsLog.open(durable.client), line=1, enough=2)


class TestGroupedNatsLog(LogConformance):
    """It holds what all logs hold."""

    @pytest.fixture
    def intrude(self, durable: BareLeaf) -> Intrude:
        async def publish(subject: str, headers: Mapping[str, str], body: bytes) -> int:
            answer = await durable.client.jetstream().publish(subject, body, headers=dict(headers))
            return answer.seq

        return publish


def on(number: int, place: int = 1) -> Commit:
    return commit(f"evt.shop.Jar.j{number}", f"j{number}-{place}", b"[1,2,3]", place)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[Group]":
    """How many went together each time, and whether they were stored."""
    sizes: asyncio.Queue[Group] = asyncio.Queue()
    plain = NatsLog.attempt_together

    async def attempt_together(self: NatsLog, parts: Any) -> Any:
        answer = await plain(self, parts)
        sizes.put_nowait((len(parts), isinstance(answer, Stored)))
        return answer

    monkeypatch.setattr(NatsLog, "attempt_together", attempt_together)
    return sizes


def all_of(sizes: "asyncio.Queue[Group]") -> list[Group]:
    return [sizes.get_nowait() for _ in range(sizes.qsize())]


async def test_each_is_told_where_the_log_holds_it(log: Grouped, together: "asyncio.Queue[Group]") -> None:
    answers = await asyncio.gather(*(append(log, CLOCK, on(number), Head()) for number in range(200)))
    told = {one.commit.id: one.commit.sequence for one in answers}
    assert all(isinstance(one, Appended) for one in answers)
    assert told == {one.id: one.sequence for one in await read_all(log)}
    assert sum(size for size, stored in all_of(together) if stored) > 150


async def test_what_went_together_is_read_as_fast_as_what_went_alone(
    log: Grouped, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.gather(*(append(log, CLOCK, on(number), Head()) for number in range(200)))
    slowly: list[str] = []
    general: Callable[..., Commit] = arrivals._commit

    def named(subject: str, block: bytes, body: bytes, sequence: int) -> Commit:
        slowly.append(subject)
        return general(subject, block, body, sequence)

    monkeypatch.setattr(arrivals, "_commit", named)
    read = await read_all(log)
    followed = await follow_until(log, 0, 200)
    assert len(read) == sum(map(len, followed)) == 200
    # The first of what comes at once is looked at by itself.
    assert len(slowly) < 100


async def test_one_that_was_overtaken_fails_nobody_else(
    log: Grouped, together: "asyncio.Queue[Group]"
) -> None:
    await append(log, CLOCK, commit("evt.shop.Jar.j7", "other", b"[]", 1), Head())
    answers = await asyncio.gather(*(append(log, CLOCK, on(number), Head()) for number in range(20)))
    overtaken = [number for number, one in enumerate(answers) if not isinstance(one, Appended)]
    assert overtaken == [7]
    assert not all(stored for _, stored in all_of(together)), "none went together with it"
    assert len(await read_all(log)) == 20


async def test_through_kills_each_has_an_outcome_and_stands_once(
    durable: BareLeaf, log: Grouped, together: "asyncio.Queue[Group]", told: list[str]
) -> None:
    async def history(number: int) -> Head:
        head = Head()
        while head.number < LONG:
            ours = on(number, head.number + 1)
            try:
                outcome = await append(log, CLOCK, ours, head)
            except OutcomeUnknown:
                continue
            assert isinstance(outcome, Appended)
            head = head.advance(outcome.commit)
        return head

    histories = [asyncio.ensure_future(history(number)) for number in range(24)]
    for _ in range(3):
        written = 0
        while written < 3:
            written += (await together.get())[1]
        os.kill(durable.server.pid, signal.SIGKILL)
    heads = await asyncio.wait_for(asyncio.gather(*histories), 60)
    stored = await read_all(log)
    assert len(stored) == 24 * LONG == len({one.id for one in stored})
    newest = {one.subject: one.digest for one in stored}
    assert [newest[f"evt.shop.Jar.j{number}"] for number in range(24)] == [one.digest for one in heads]
    assert sum("started again after" in text for text in told) == 3


@pytest.mark.parametrize(("durability", "grouped"), [("dev", False), ("durable", True), ("ha", False)])
async def test_a_machine_s_commits_go_together_where_each_is_synced_alone(
    durable: BareLeaf, tmp_path: Path, durability: str, grouped: bool
) -> None:
    (tmp_path / "machine.toml").write_text(f'name = "m"\nmodules = []\ndurability = "{durability}"\n')
    machine = load_machine(tmp_path)
    async with join(machine, durable.client, compose([]), (), lambda text: None) as node:
        assert isinstance(node.log, Grouped) is grouped

"""Whose turn it is: one host at a time, on a real server, by a clock that is a hundred times as fast."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from cim.adapters.nats.lean import lean_of
from cim.adapters.system import SystemClock
from cim.leaf.turn import LASTS, RENEWED, Turn
from cim.ports.log import LinkLost
from cim.testing.bare_leaf import BareLeaf, bare_leaf
from cim.testing.log_conformance import DEADLINE


@dataclass
class Quick:
    """A clock on which a hundred seconds go by in one."""

    ran: SystemClock = field(default_factory=SystemClock)

    def now(self) -> datetime:
        return self.ran.now()

    def monotonic(self) -> float:
        return 100 * self.ran.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@pytest.fixture
async def leaf(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BareLeaf]:
    async with bare_leaf(tmp_path_factory.mktemp("turn") / ".cim") as running:
        yield running


@pytest.fixture
def told() -> list[str]:
    return []


Make = Callable[..., Turn]


@pytest.fixture
def turn(leaf: BareLeaf, told: list[str]) -> Make:
    def make(host: str, life: str = "") -> Turn:
        return Turn(leaf.client, host, life or host, Quick(), told.append)

    return make


async def soon(turn: Turn) -> None:
    async with asyncio.timeout(DEADLINE):
        await turn.come()


async def test_one_has_it_while_it_says_so_and_the_other_stands_by(turn: Make, told: list[str]) -> None:
    alpha, beta = turn("alpha"), turn("beta")
    await soon(alpha)
    holding, waiting = asyncio.ensure_future(alpha.over()), asyncio.ensure_future(beta.come())
    await asyncio.sleep(3 * LASTS / 100)
    assert not waiting.done()
    assert told == ["the leaf runs at alpha: this host stands by"]
    holding.cancel()  # as if it had died
    async with asyncio.timeout(DEADLINE):
        await waiting


async def test_what_is_given_back_is_taken_at_once(turn: Make) -> None:
    alpha, beta = turn("alpha"), turn("beta")
    await soon(alpha)
    await alpha.give_back()
    began = asyncio.get_running_loop().time()
    await soon(beta)
    assert asyncio.get_running_loop().time() - began < LASTS / 100


async def test_who_was_overtaken_hears_of_it_and_by_whom(turn: Make) -> None:
    alpha, beta = turn("alpha"), turn("beta")
    await soon(alpha)
    await soon(beta)  # alpha said nothing for long enough
    async with asyncio.timeout(DEADLINE):
        assert await alpha.over() == "beta"
    await alpha.give_back()
    holding = asyncio.ensure_future(beta.over())
    await asyncio.sleep(3 * RENEWED / 100)
    assert not holding.done(), "what was no longer alpha's was given away"
    holding.cancel()


async def test_a_host_takes_over_from_its_own_earlier_life_at_once(turn: Make) -> None:
    await soon(turn("alpha", "first"))
    began = asyncio.get_running_loop().time()
    await soon(turn("alpha", "second"))
    assert asyncio.get_running_loop().time() - began < LASTS / 100


async def test_of_many_who_want_it_at_once_one_gets_it(turn: Make) -> None:
    coming = [asyncio.ensure_future(turn(f"host{number}").come()) for number in range(6)]
    done, waiting = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(LASTS / 400)
    assert len([one for one in coming if one.done()]) == len(done) == 1
    for one in waiting:
        one.cancel()


async def test_an_answer_that_was_lost_is_read_back(
    turn: Make, leaf: BareLeaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = turn("alpha")
    await soon(alpha)
    wire = await lean_of(leaf.client).wire()
    ask = wire.ask

    async def cut(subject: str, block: bytes, body: bytes, patience: float = 2.0) -> tuple[bytes, bytes]:
        answer = await ask(subject, block, body, patience)
        if subject == "turn.leaf":
            raise LinkLost("cut")
        return answer

    monkeypatch.setattr(wire, "ask", cut)
    for _ in range(3):
        assert await alpha._write(alpha._sequence)

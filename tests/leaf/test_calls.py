"""Calls over NATS against providers that answer twice, lie, fall silent, are busy, or are not there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock
from cim.capabilities import calls as module
from cim.capabilities import protocol
from cim.capabilities.answering import QUEUE, Answering
from cim.capabilities.calls import Calls
from cim.capabilities.instances import find_instances
from cim.capabilities.terms import Over
from cim.contract.capability import ContractType, Lied, read_contract
from cim.domain.capability import Capability
from cim.domain.errors import Failure, Unavailable
from cim.leaf.accounts import Keys, machine_credentials, provider_credentials
from cim.leaf.asked import Asked
from cim.leaf.server import Server

from .trials import until as comes_true

SUBJECT = "cap.Gauge.1.fine"
Handle = Callable[[Msg], Awaitable[None]]


class Gauge(Capability, Protocol):
    """Weighs."""

    def weigh(self, weight: int) -> int: ...

    def copy(self, text: str) -> str: ...


class Good:
    """A gauge."""

    def weigh(self, weight: int) -> int:
        return weight * 1000

    def copy(self, text: str) -> str:
        return text * 3


CONTRACT: ContractType = read_contract(Gauge, "here")


class Ground:
    """A leaf's server, who asks there, and who provides."""

    def __init__(self, client: Client, url: str, keys: Keys) -> None:
        self.client, self._url, self._keys = client, url, keys
        self.told: list[str] = []

    def calls(
        self, *, seconds: float = 5.0, at_once: int = 8, failures: int = 3, rest: float = 60.0
    ) -> Calls:
        over = Over("fine", seconds, at_once, failures, rest)
        return Calls(self.client, {SUBJECT: (CONTRACT, over)}, SystemClock(), self.told.append)

    async def handle(self, handle: Handle) -> None:
        """Provide by hand."""
        await self.client.subscribe(f"{SUBJECT}.*", queue=QUEUE, cb=handle)
        await self.client.flush()

    @asynccontextmanager
    async def provide(self, provider: object, at_once: int = 2) -> AsyncIterator[Answering]:
        user = provider_credentials(self._keys, SUBJECT, protocol.service("Gauge", "fine"), now=1)
        async with connect(self._url, user, "provider", self.told.append) as client:
            one = Answering(
                client, CONTRACT, provider, "fine", "g1", SystemClock(), self.told.append,
                use="here:Good", at_once=at_once,
            )  # fmt: skip
            await one.open()
            yield one
            await one.close()


@pytest.fixture
async def ground(start: Callable[..., Awaitable[Server]], keys: Keys) -> AsyncIterator[Ground]:
    server = await start()
    async with connect(server.url, machine_credentials(keys), "leaf") as client:
        yield Ground(client, server.url, keys)


async def until(done: Callable[[], bool]) -> None:
    await comes_true(done, "what was waited for")


async def taken(message: Msg, who: str = "g1") -> None:
    await message._client.publish(
        message.reply, b"", headers={protocol.PROVIDER: who, protocol.STATE: protocol.TAKEN}
    )


async def test_a_call_is_answered_and_many_at_once_are(ground: Ground) -> None:
    asking = ground.calls(at_once=50)
    async with ground.provide(Good(), at_once=50) as one:
        answer = await asking.ask(SUBJECT, "weigh", b'{"weight":3}')
        assert (answer.body, answer.provider) == (b"3000", "g1")
        many = await asyncio.gather(*(asking.ask(SUBJECT, "weigh", b'{"weight":%d}' % n) for n in range(200)))
        assert [int(each.body) for each in many] == [n * 1000 for n in range(200)]
        (found,) = await find_instances(ground.client, one.service)
        assert (found.done, found.failed, found.working, found.at_once) == (201, 0, 0, 50)
    assert await find_instances(ground.client) == []


async def test_the_second_of_two_answers_is_not_heard(ground: Ground) -> None:
    async def twice(message: Msg) -> None:
        await message.respond(b"1")
        await message.respond(b"2")

    await ground.handle(twice)
    asking = ground.calls()
    for _ in range(20):
        assert (await asking.ask(SUBJECT, "weigh", b"{}")).body == b"1"


async def test_an_answer_of_another_type_is_a_lie_by_name(ground: Ground) -> None:
    async def lie(message: Msg) -> None:
        await message.respond(b'"a kilogram"')

    await ground.handle(lie)
    asking, loop = ground.calls(), asyncio.get_running_loop()

    class Way:
        def ask(self, subject: str, operation: str, arguments: bytes) -> tuple[str, bytes]:
            asked = asyncio.run_coroutine_threadsafe(asking.ask(subject, operation, arguments), loop)
            answer = asked.result(10)
            return answer.provider, answer.body

    gauge = Asked(CONTRACT, "fine", Way())
    with pytest.raises(Lied, match=r"the provider without a name at cap\.Gauge\.1\.fine lied: Gauge\.weigh"):
        await asyncio.to_thread(gauge.weigh, 3)
    assert not hasattr(gauge, "guess")


async def test_what_is_at_work_and_falls_silent_is_given_up(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT", 0.3)
    await ground.handle(taken)
    with pytest.raises(Unavailable, match=r"the instance g1 was at it, and is silent for 0\.3 s"):
        await ground.calls().ask(SUBJECT, "weigh", b"{}")


async def test_work_has_its_time_from_when_it_was_taken(ground: Ground) -> None:
    async def busy_for_ever(message: Msg) -> None:
        for _ in range(100):
            await taken(message)
            await asyncio.sleep(0.05)

    await ground.handle(busy_for_ever)
    with pytest.raises(Unavailable, match=r"the instance g1 took longer than 0\.4 s"):
        await ground.calls(seconds=0.4).ask(SUBJECT, "weigh", b"{}")


async def test_one_that_is_silent_from_the_start_is_passed_over(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNTAKEN", 0.2)
    heard = 0

    async def late(message: Msg) -> None:
        nonlocal heard
        heard += 1
        if heard > 2:
            await message.respond(b"7")

    await ground.handle(late)
    assert (await ground.calls().ask(SUBJECT, "weigh", b"{}")).body == b"7"
    assert heard == 3
    heard = -100
    with pytest.raises(Unavailable, match=r"no instance took it in 0\.5 s: none said in 0\.2 s that it did"):
        await ground.calls(seconds=0.5).ask(SUBJECT, "weigh", b"{}")


class Waiting(Good):
    """A gauge that waits for a word."""

    def __init__(self) -> None:
        self.go = False
        self.begun = 0

    def weigh(self, weight: int) -> int:
        self.begun += 1
        while not self.go:
            pass_a_moment()
        return weight


def pass_a_moment() -> None:
    import time

    time.sleep(0.005)


async def test_an_instance_that_has_enough_says_so_and_the_call_waits_its_turn(ground: Ground) -> None:
    gauge, asking = Waiting(), ground.calls()
    async with ground.provide(gauge, at_once=1):
        both = [asyncio.create_task(asking.ask(SUBJECT, "weigh", b'{"weight":%d}' % n)) for n in (1, 2)]
        await until(lambda: gauge.begun == 1)
        with pytest.raises(Unavailable, match=r"no instance took it in 0\.3 s: the instance g1 has 1 calls"):
            await ground.calls(seconds=0.3).ask(SUBJECT, "weigh", b'{"weight":9}')
        assert gauge.begun == 1
        gauge.go = True
        assert sorted([int((await one).body) for one in both]) == [1, 2]


async def test_no_more_calls_are_under_way_than_the_binding_says(ground: Ground) -> None:
    gauge, asking = Waiting(), ground.calls(at_once=1, seconds=0.4)
    async with ground.provide(gauge, at_once=4):
        first = asyncio.create_task(asking.ask(SUBJECT, "weigh", b'{"weight":1}'))
        await until(lambda: gauge.begun == 1)
        with pytest.raises(Unavailable):
            await asyncio.gather(first, asking.ask(SUBJECT, "weigh", b'{"weight":2}'))
        gauge.go = True
    assert gauge.begun == 1


async def test_nobody_there_is_told_at_once_and_left_alone_after_three(ground: Ground) -> None:
    asking = ground.calls(failures=2, rest=0.3)
    for _ in range(2):
        with pytest.raises(Unavailable, match="nobody provides Gauge version 1 in binding fine: start one"):
            await asking.ask(SUBJECT, "weigh", b"{}")
    with pytest.raises(Unavailable, match=r"is left alone for 0\.. s after 2 calls .* the last: nobody"):
        await asking.ask(SUBJECT, "weigh", b"{}")
    (alone,) = asking.open_circuits()
    assert (alone.subject, alone.cause[:14]) == (SUBJECT, "nobody provide")
    async with ground.provide(Good()):
        await asyncio.sleep(0.35)
        assert (await asking.ask(SUBJECT, "weigh", b'{"weight":1}')).body == b"1000"
    assert asking.open_circuits() == []
    assert ground.told == [
        f"{SUBJECT} is left alone, and tried again each 0.3 s: nobody provides Gauge version 1 in binding "
        "fine: start one with `cim provide Gauge`",
        f"{SUBJECT} answers again",
    ]


async def test_what_a_provider_refuses_is_no_reason_to_leave_it_alone(ground: Ground) -> None:
    asking = ground.calls(failures=1)
    async with ground.provide(Good()):
        for _ in range(3):
            with pytest.raises(Failure, match=r"Gauge\.weigh takes no 'height'"):
                await asking.ask(SUBJECT, "weigh", b'{"height":1}')
        assert (await asking.ask(SUBJECT, "weigh", b'{"weight":1}')).body == b"1000"


async def test_what_does_not_fit_in_a_message_is_refused_by_name(ground: Ground) -> None:
    asking = ground.calls()
    async with ground.provide(Good()):
        with pytest.raises(Failure, match=r"its arguments have 9,000,\d+ bytes, 8,388,608 fit in a message"):
            await asking.ask(SUBJECT, "copy", b'{"text":"%b"}' % (b"a" * 9_000_000))
        with pytest.raises(
            Failure, match=r"the answer of Gauge\.copy has 9,000,002 bytes, .* fit in a message"
        ):
            await asking.ask(SUBJECT, "copy", b'{"text":"%b"}' % (b"a" * 3_000_000))
        large = await asking.ask(SUBJECT, "copy", b'{"text":"%b"}' % (b"a" * 2_000_000))
        assert len(large.body) == 6_000_002


async def test_what_is_under_way_is_answered_when_an_instance_closes(ground: Ground) -> None:
    gauge, asking = Waiting(), ground.calls()
    async with ground.provide(gauge) as one:
        call = asyncio.create_task(asking.ask(SUBJECT, "weigh", b'{"weight":5}'))
        await until(lambda: gauge.begun == 1)
        closing = asyncio.create_task(one.close())
        await until(lambda: all(heard._closed for heard in one._heard))
        with pytest.raises(Unavailable, match="nobody provides"):
            await asking.ask(SUBJECT, "weigh", b'{"weight":6}')
        assert not closing.done()
        gauge.go = True
        assert (await call).body == b"5"
        await closing
        one._heard.clear()


async def test_a_provider_may_hear_and_answer_calls_of_its_binding_and_nothing_else(
    ground: Ground, keys: Keys
) -> None:
    user = provider_credentials(keys, SUBJECT, "Gauge-fine", now=1)
    refused: list[str] = []

    async def error(error: Exception) -> None:
        refused.append(str(error))

    provider = await nats.connect(
        ground._url, user_jwt_cb=user.present, signature_cb=user.sign, error_cb=error
    )
    try:
        for subject in ("evt.>", "_INBOX.>", "cap.Gauge.1.other.weigh", "cap.>"):
            await provider.subscribe(subject)
        for subject in ("evt.a.B.c", "cmp.a.B.c.a", "cmd.a.B.c.D.e", "_INBOX.x", "$JS.API.STREAM.NAMES"):
            await provider.publish(subject, b"[]")
        await provider.flush()
        await until(lambda: len(refused) == 9)
        assert all("permissions violation" in one.lower() for one in refused), refused
    finally:
        await provider.close()


def test_a_service_has_a_name_that_nats_takes(tmp_path: Path) -> None:
    assert protocol.service("Gauge", "a=b") == "Gauge-a_b"

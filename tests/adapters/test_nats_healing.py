"""The server is killed or stopped in the middle: nothing is lost, nothing comes twice, nobody waits on.

With three nodes it is the one that leads the log: the others elect another, which takes 4 to 9 seconds.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client

from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.envelope import Commit
from cim.log.append import Appended, OutcomeUnknown, append
from cim.log.backoff import outlast
from cim.log.chain import Chains, Head
from cim.log.consumer import consume
from cim.ports.log import LinkLost, Stored, Unclear
from cim.testing.bare_leaf import bare_cluster, bare_leaf
from cim.testing.log_conformance import DEADLINE, commit, read_all
from cim.testing.processes import stop_for_now

CLOCK = SystemClock()
BACK = "started again after"


class Watched(NatsLog):
    """The log, and what its attempts came to: a test waits for that, not for time to go by."""

    def __init__(self, log: NatsLog) -> None:
        super().__init__(log._client)
        self.read, self.follow = log.read, log.follow  # type: ignore[method-assign]
        self._log = log
        self.stored = 0
        self.unclear: list[str] = []
        self._news = asyncio.Condition()

    async def attempt(self, given: Commit, expected: int) -> Stored | Unclear:
        answer = await self._log.attempt(given, expected)
        async with self._news:
            if isinstance(answer, Unclear):
                self.unclear.append(answer.reason)
            else:
                self.stored += 1
            self._news.notify_all()
        return answer

    async def until(self, true: Callable[["Watched"], bool]) -> None:
        async with asyncio.timeout(DEADLINE), self._news:
            await self._news.wait_for(lambda: true(self))


class Reader:
    """A consumer at work: what it was given, what trouble it told, and when."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.times: list[float] = []
        self.troubles: list[str] = []
        self._news = asyncio.Condition()
        self._troubled = asyncio.Event()

    async def handle(self, batch: list[Commit]) -> None:
        async with self._news:
            self.sequences += [one.sequence for one in batch]
            self.times += [time.monotonic()] * len(batch)
            self._news.notify_all()

    def trouble(self, reason: str) -> None:
        self.troubles.append(reason)
        self._troubled.set()

    async def has_troubles(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.troubles) < count:
                self._troubled.clear()
                await self._troubled.wait()

    async def has(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE), self._news:
            await self._news.wait_for(lambda: len(self.sequences) >= count)


@asynccontextmanager
async def reading(log: NatsLog) -> AsyncIterator[Reader]:
    reader = Reader()
    task = asyncio.create_task(consume(log, CLOCK, 0, reader.handle, reader.trouble))
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.wait([task])


class Events:
    """What the supervisor tells, with its times."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []
        self._news = asyncio.Event()

    def tell(self, text: str) -> None:
        self.told.append((time.monotonic(), text))
        self._news.set()

    def back(self) -> list[float]:
        return [when for when, text in self.told if BACK in text]

    async def restarts(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.back()) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def events() -> Events:
    return Events()


@dataclass(frozen=True)
class Victim:
    """A leaf's connection, and the process that is killed or stopped: the one that all depends on."""

    client: Client
    pid: Callable[[], Awaitable[int]]
    alone: bool


@asynccontextmanager
async def one_node(folder: Path, events: Events) -> AsyncIterator[Victim]:
    async with bare_leaf(folder, events.tell) as running:

        async def pid() -> int:
            return running.server.pid

        yield Victim(running.client, pid, alone=True)


@asynccontextmanager
async def three_nodes(folder: Path, events: Events) -> AsyncIterator[Victim]:
    async with bare_cluster(folder, events.tell) as running:

        async def pid() -> int:
            number = 0
            while number == 0:
                number = await outlast(running.leader, CLOCK, DEADLINE)
            return running.server.nodes[number].pid

        yield Victim(running.client, pid, alone=False)


@pytest.fixture(
    params=[one_node, three_nodes],
    ids=["dev", "ha"],
)
async def both(
    tmp_path: Path, events: Events, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Victim, Watched]]:
    async with request.param(tmp_path / ".cim", events) as leaf:
        yield leaf, Watched(await outlast(lambda: NatsLog.open(leaf.client), CLOCK, DEADLINE))


@pytest.fixture
def leaf(both: tuple[Victim, Watched]) -> Victim:
    return both[0]


@pytest.fixture
def watched(both: tuple[Victim, Watched]) -> Watched:
    return both[1]


async def kill(leaf: Victim) -> None:
    os.kill(await leaf.pid(), signal.SIGKILL)


@asynccontextmanager
async def stopped(leaf: Victim) -> AsyncIterator[None]:
    """The server does nothing and keeps its connections, as on a host that is out of breath."""
    pid = await leaf.pid()
    stop_for_now(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def assert_sound(log: NatsLog, ids: set[str]) -> list[Commit]:
    """Each of ``ids`` stands once and nothing else, and every chain links."""
    found = await read_all(log)
    chains = Chains()
    for one in found:
        chains.advance(one)
    assert [one.sequence for one in found] == list(range(1, len(ids) + 1))
    assert {one.id for one in found} == ids
    return found


async def append_in_turn(log: NatsLog, ids: list[str], subjects: int) -> None:
    """Append a commit for each id, on one of the subjects in turn; go on from what others wrote there."""
    for number, id in enumerate(ids):
        subject = f"evt.documents.Document.d{number % subjects}"
        while True:
            head = Head()
            async for one in patient_read(log, subject):
                head = head.advance(one)
            outcome = await append(log, CLOCK, commit(subject, id), head, patience=DEADLINE)
            if isinstance(outcome, Appended):
                assert outcome.commit.id == id
                break


async def patient_read(log: NatsLog, subject: str) -> AsyncIterator[Commit]:
    """What stands on a subject; begun anew while the link is lost."""
    while True:
        try:
            found = await read_all(log, subject)
        except LinkLost:
            continue
        for one in found:
            yield one
        return


async def test_a_reader_heals_with_no_commit_lost_or_told_twice(
    leaf: Victim, watched: Watched, events: Events
) -> None:
    healed: list[float] = []
    async with reading(watched) as reader:
        writing = asyncio.create_task(append_in_turn(watched, [f"id-{n}" for n in range(4000)], 4000))
        for restart in range(1, 4):
            await reader.has(restart * 300)
            await kill(leaf)
            await events.restarts(restart)
            seen = len(reader.sequences)
            await reader.has(seen + 1)
            healed.append(reader.times[seen] - events.back()[-1])
        writing.cancel()
        await asyncio.wait([writing])
        await reader.has(await watched.last())
        # The append that was given up may be stored even after the log was asked how long it is.
        assert reader.sequences == list(range(1, len(reader.sequences) + 1))
        # Of three nodes the reader may have been at one that was never killed.
        assert reader.troubles or not leaf.alone
    print(f"healed {', '.join(f'{1000 * one:.0f}' for one in healed)} ms after the server was back")


async def test_a_reader_of_a_quiet_log_heals_too(leaf: Victim, watched: Watched, events: Events) -> None:
    await append_in_turn(watched, ["id-0"], 1)
    async with reading(watched) as reader:
        await reader.has(1)
        await kill(leaf)
        await events.restarts(1)
        await append_in_turn(watched, ["id-1"], 1)
        await reader.has(2)
        print(f"healed {1000 * (reader.times[1] - events.back()[0]):.0f} ms after the server was back")
    assert reader.sequences == [1, 2]


async def test_a_reader_goes_on_after_a_server_that_was_stopped(leaf: Victim, watched: Watched) -> None:
    async with reading(watched) as reader:
        await append_in_turn(watched, [f"id-{n}" for n in range(50)], 50)
        await reader.has(50)
        async with stopped(leaf):
            if leaf.alone:
                await reader.has_troubles(2)
            else:
                await append_in_turn(watched, ["while one stands still"], 1)
                await reader.has(51)
                return
        await append_in_turn(watched, [f"more-{n}" for n in range(50)], 50)
        await reader.has(100)
        assert reader.sequences == list(range(1, 101))


async def test_every_append_through_a_kill_has_an_outcome_and_stands_once(
    leaf: Victim, watched: Watched, events: Events
) -> None:
    ids = [f"id-{number}" for number in range(300)]
    tasks = [asyncio.create_task(append_in_turn(watched, ids[part::8], 40)) for part in range(8)]
    await watched.until(lambda log: log.stored >= 100)
    await kill(leaf)
    await events.restarts(1)
    await asyncio.gather(*tasks)
    await assert_sound(watched, set(ids))
    assert watched.unclear, "the kill was not in the middle of anything"


async def test_an_append_to_a_stopped_server_stands_once_when_it_goes_on(
    leaf: Victim, watched: Watched
) -> None:
    async with stopped(leaf):
        given = commit("evt.documents.Document.a", "id-0")
        appending = asyncio.create_task(append(watched, CLOCK, given, Head(), patience=DEADLINE))
        await watched.until(lambda log: bool(log.unclear))
        assert not appending.done()
    outcome = await appending
    assert isinstance(outcome, Appended)
    assert outcome.commit.sequence == 1
    await assert_sound(watched, {"id-0"})


async def test_an_append_that_was_given_up_is_safe_to_send_again(leaf: Victim, watched: Watched) -> None:
    given = commit("evt.documents.Document.a", "id-0")
    async with stopped(leaf):
        with pytest.raises(OutcomeUnknown, match="id-0"):
            await append(watched, CLOCK, given, Head(), patience=0.1)
    outcome = await append(watched, CLOCK, given, Head(), patience=DEADLINE)
    assert isinstance(outcome, Appended)
    await assert_sound(watched, {"id-0"})

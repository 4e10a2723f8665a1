"""The log over three nodes: what all logs hold, whichever of them answers."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import pytest
from nats.aio.client import Client

from cim.actors.actors import Actors
from cim.actors.request import Receipt
from cim.adapters.nats.blobs import STREAM as CONTENTS
from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.direct import whole
from cim.adapters.nats.lean import ask_api, lean_of
from cim.adapters.nats.link import connect, refusal
from cim.adapters.nats.log import NatsLog
from cim.adapters.nats.stream import MUST_BE, STREAM, open_stream
from cim.adapters.system import SystemClock
from cim.contract.envelope import Commit
from cim.leaf.accounts import Credentials, Keys, _token, machine_credentials, public_key
from cim.leaf.cluster import Cluster
from cim.leaf.node import OPENING
from cim.log.backoff import outlast
from cim.ports.blobs import BlobStore
from cim.ports.log import LinkLost, Log, LogRefused, Unclear
from cim.testing.blobs_conformance import BlobsConformance
from cim.testing.jars import Pour, Put
from cim.testing.log_conformance import DEADLINE, Intrude, LogConformance, commit, read_all, store
from cim.testing.machine import COMPOSITION, ask

CLOCK = SystemClock()


@dataclass(frozen=True)
class Nodes:
    """A cluster for all tests of this file, and a user who may do what no program of a machine may."""

    url: str
    user: Credentials
    master: Credentials
    routes: tuple[int, ...]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Three nodes, run by a loop of their own: they outlive the loop of each test."""
    folder = tmp_path_factory.mktemp("ha") / ".cim"
    keys = Keys.load_or_make(folder / "keys.json", now=int(time.time()))
    begun: list[Cluster] = []
    ready, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        try:
            begun.append(await Cluster.start(folder, keys=keys, origins=(), cookie="cim_test"))
        finally:
            ready.set()
        await over.wait()
        await begun[0].stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(DEADLINE)
    claims = {"type": "user", "version": 2} | dict.fromkeys(("subs", "data", "payload"), -1)
    token = _token(keys.machine, public_key(keys.user), "tester", claims, issued=keys.made_at)
    routes = tuple(node.ports.route or 0 for node in begun[0].nodes.values())
    yield Nodes(begun[0].url, machine_credentials(keys), Credentials(token, keys.user), routes)
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


@pytest.fixture
async def client(nodes: Nodes) -> AsyncIterator[Client]:
    """A connection to an empty machine: what the test before has written is gone."""
    async with connect(nodes.url, nodes.master, "master") as master:
        for stream in (STREAM, CONTENTS):
            await outlast(partial(ask_api, master, f"STREAM.DELETE.{stream}", {}), CLOCK, DEADLINE)
    async with connect(nodes.url, nodes.user, "test") as client:
        yield client


async def publish(client: Client, subject: str, headers: Mapping[str, str], body: bytes) -> int:
    """Another program's message, by the client's own publishing."""
    answer = await client.jetstream().publish(subject, body, headers=dict(headers))
    return answer.seq


async def opened(client: Client) -> NatsLog:
    """The log, when each node has heard of its new stream: before, a message finds nobody there."""
    log = await outlast(lambda: NatsLog.open(client), CLOCK, OPENING)
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await log.attempt(commit("evt.documents.Document.a", "none"), 99)
            if isinstance(answer, Unclear) and "wrong last sequence" in answer.reason:
                return log
            await asyncio.sleep(0.01)


class TestNatsLogOfThree(LogConformance):
    @pytest.fixture
    async def log(self, client: Client) -> Log:
        return await opened(client)

    @pytest.fixture
    def intrude(self, client: Client, log: Log) -> Intrude:
        return partial(publish, client)


class TestBlobsOfThree(BlobsConformance):
    @pytest.fixture
    async def blobs(self, client: Client) -> BlobStore:
        return await outlast(lambda: NatsBlobs.open(client), CLOCK, OPENING)


async def test_everything_stands_three_times(client: Client) -> None:
    await outlast(lambda: NatsLog.open(client), CLOCK, OPENING)
    await outlast(lambda: NatsBlobs.open(client), CLOCK, OPENING)
    for stream in (STREAM, CONTENTS):
        info = await ask_api(client, f"STREAM.INFO.{stream}", {})
        assert info["config"]["num_replicas"] == 3


async def test_a_stream_with_fewer_copies_is_refused_by_that_name(client: Client) -> None:
    made = await ask_api(client, f"STREAM.CREATE.{STREAM}", {"name": STREAM, **MUST_BE, "num_replicas": 1})
    assert refusal(made) is None
    with pytest.raises(LogRefused, match=f"stream {STREAM} has num_replicas = 1 and must have 3"):
        await open_stream(client)


async def test_a_rejection_is_decided_on_what_the_leader_holds(client: Client, nodes: Nodes) -> None:
    """Three actors at three nodes, each decides on what another one has just written."""
    await opened(client)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connect(url, nodes.user, "actor")) for url in nodes.url.split(",")
        ]
        actors = [Actors(COMPOSITION, NatsLog(one), CLOCK, "cim:test") for one in clients]
        for number in range(100):
            jar = f"jar{number}"
            for place, here in enumerate(actors):
                filled = await here.handle(ask(Put(jar, 5 if place else 10), f"{jar}-put{place}"))
                assert isinstance(filled, Receipt), f"{jar} had room for five: {filled}"
                await actors[place - 1].handle(ask(Pour(jar), f"{jar}-pour{place}"))


class _Lagging:
    """A replica that has not heard yet of the newest commit; after some answers it has."""

    def __init__(self, log: Log, answers: int) -> None:
        self._log, self._left = log, answers
        self.asked = 0

    async def read(self, after: int) -> AsyncIterator[Commit]:
        found = await read_all(self._log, "evt.>", after)
        behind = found[:-1] if self.asked < self._left else found
        self.asked += 1
        for one in behind:
            yield one


@pytest.mark.parametrize("answers", [0, 1, 5])
async def test_a_read_that_a_lagging_replica_answers_is_asked_again(client: Client, answers: int) -> None:
    log = await opened(client)
    for number in range(3):
        await store(log, commit(f"evt.documents.Document.d{number}", f"id-{number}"))
    replica = _Lagging(log, answers)
    reading = whole(lean_of(client), STREAM, "evt.>", 0, replica.read, lambda one: one.sequence)
    assert [one.sequence async for one in reading] == [1, 2, 3]
    assert replica.asked == answers + 1


async def test_a_replica_that_never_catches_up_is_a_lost_link(client: Client) -> None:
    log = await opened(client)
    await store(log, commit("evt.documents.Document.a", "a"))
    replica = _Lagging(log, 1_000_000)
    with pytest.raises(LinkLost, match="replicas are behind: at 0, the leader at 1"):
        async for _ in whole(lean_of(client), STREAM, "evt.>", 0, replica.read, lambda one: one.sequence):
            pass


async def test_nobody_comes_in_by_a_route_without_the_word(nodes: Nodes) -> None:
    for port in nodes.routes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        told = json.loads((await reader.readline()).removeprefix(b"INFO "))
        opening = json.dumps({"verbose": False, "name": "stranger", "cluster": told["cluster"]})
        writer.write(f"CONNECT {opening}\r\n".encode())
        async with asyncio.timeout(DEADLINE):
            assert b"Authorization Violation" in await reader.read()
        writer.close()

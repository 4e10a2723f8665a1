"""The lean connections beside a general one: which node they lead to, and that they do not wait for it."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.lean import _MOMENT, Way, _first
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.nats.wire import PATIENCE, Wire
from cim.adapters.system import SystemClock
from cim.log.backoff import outlast
from cim.ports.log import LinkLost
from cim.testing.bare_leaf import BareCluster, BareLeaf, bare_cluster
from cim.testing.log_conformance import DEADLINE, commit, read_all, store
from cim.testing.processes import stop_for_now

CLOCK = SystemClock()


async def refused() -> Wire:
    raise LinkLost("refused")


@pytest.fixture
def there(leaf: BareLeaf) -> Way:
    return lambda: Wire.open(leaf.server.url, leaf.user, "there")


async def test_a_node_that_says_nothing_is_waited_for_beside_the_next(there: Way) -> None:
    given_up = asyncio.Event()

    async def mute() -> Wire:
        try:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")
        finally:
            given_up.set()

    wire = await _first([mute, there])
    assert given_up.is_set()
    assert not wire.closed
    wire.close()


async def test_a_node_that_refuses_is_left_at_once(there: Way) -> None:
    begun = time.monotonic()
    (await _first([refused, refused, there])).close()
    assert time.monotonic() - begun < PATIENCE


async def test_what_came_second_is_closed(there: Way) -> None:
    late: list[Wire] = []

    async def slow() -> Wire:
        late.append(await there())
        await asyncio.sleep(2 * _MOMENT)
        return late[0]

    async def slower() -> Wire:
        await asyncio.sleep(_MOMENT)  # both are there in the same turn of the loop, or this one is cancelled
        return await there()

    found = await _first([slow, slower])
    found.close()
    assert late[0].closed or found is not late[0]


async def test_no_way_is_a_lost_link() -> None:
    with pytest.raises(LinkLost, match="refused"):
        await _first([refused, refused])


@asynccontextmanager
async def at_a_follower(cluster: BareCluster) -> AsyncIterator[tuple[Client, int]]:
    """A connection to a node that does not lead the log, and that node's process."""
    leader = 0
    while leader == 0:
        leader = await outlast(cluster.leader, CLOCK, DEADLINE)
    for _ in range(100):
        async with connect(cluster.server.url, cluster.user, "beside") as client:
            here = [
                node
                for number, node in cluster.server.nodes.items()
                if number != leader and str(node.ports.client) in str(client.connected_url)
            ]
            if here:
                yield client, here[0].pid
                return
    raise AssertionError("a hundred times at the leader")


async def test_nothing_that_is_asked_waits_for_a_node_that_stands_still(tmp_path: Path) -> None:
    async with bare_cluster(tmp_path / ".cim") as cluster:
        await outlast(lambda: NatsLog.open(cluster.client), CLOCK, DEADLINE)
        async with at_a_follower(cluster) as (client, pid):
            log = await outlast(lambda: NatsLog.open(client), CLOCK, DEADLINE)
            blobs = await outlast(lambda: NatsBlobs.open(client), CLOCK, DEADLINE)
            given = await store(log, commit("evt.documents.Document.a", "a"))
            stop_for_now(pid)
            try:
                begun = time.monotonic()
                assert await outlast(log.last, CLOCK, DEADLINE) == 1
                healed = time.monotonic() - begun
                assert await outlast(lambda: log.next_on(given.subject, 0), CLOCK, DEADLINE) == given
                assert await outlast(lambda: read_all(log), CLOCK, DEADLINE) == [given]
                await store(log, commit("evt.documents.Document.b", "b"))
                kept = await outlast(lambda: blobs.keep(b"content", "text/plain"), CLOCK, DEADLINE)
                assert await outlast(lambda: blobs.load(kept.sha256), CLOCK, DEADLINE) == b"content"
                taken = time.monotonic() - begun
            finally:
                os.kill(pid, signal.SIGCONT)
    print(f"answered {healed:.1f} s after the node stood still, all of it in {taken:.1f} s")
    assert healed < 3 * PATIENCE

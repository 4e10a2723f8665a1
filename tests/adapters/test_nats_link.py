"""A connection that breaks: whoever waits for an answer of a server that is gone is told at once."""

import asyncio
import os
import signal
from typing import Any
from urllib.parse import urlparse

import pytest
from nats.aio.client import Srv
from nats.aio.msg import Msg

from cim.adapters.nats.lean import ask
from cim.adapters.nats.link import _Steadfast, _within, connect
from cim.adapters.nats.log import NatsLog
from cim.ports.log import LinkLost
from cim.testing.bare_leaf import BareLeaf
from cim.testing.log_conformance import DEADLINE, commit, store

LONG = 10 * DEADLINE


async def until_healed(leaf: BareLeaf) -> None:
    async with asyncio.timeout(DEADLINE):
        await leaf.client.flush(timeout=int(DEADLINE))


async def test_a_request_in_flight_is_given_up_when_its_server_is_gone(leaf: BareLeaf) -> None:
    taken = asyncio.Event()

    async def silent(message: Msg) -> None:
        taken.set()

    await leaf.client.subscribe("question", cb=silent)
    async with connect(leaf.server.url, leaf.user, "asker") as client:
        asking = asyncio.create_task(ask(client, "question", b"", patience=LONG))
        await taken.wait()
        os.kill(leaf.server.pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(LinkLost, match="question: no answer from the leaf"):
                await asking


async def test_a_follower_is_told_of_a_loss_before_it_misses_a_heartbeat(
    leaf: BareLeaf, nats_log: NatsLog
) -> None:
    await store(nats_log, commit("evt.documents.Document.a", "a1"))
    following = nats_log.follow(0)
    assert [len(await anext(following)) for _ in range(2)] == [1, 0]
    waiting = asyncio.ensure_future(anext(following))
    await until_healed(leaf)
    os.kill(leaf.server.pid, signal.SIGKILL)
    with pytest.raises(LinkLost, match="the connection was lost"):
        await waiting


async def test_loss_and_return_are_told_once_each_and_closing_is_not(leaf: BareLeaf) -> None:
    told: list[str] = []
    back = asyncio.Event()

    def tell(text: str) -> None:
        told.append(text)
        if "is back" in text:
            back.set()

    async with connect(leaf.server.url, leaf.user, "mine", tell) as client:
        os.kill(leaf.server.pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            await back.wait()
        await client.flush(timeout=int(DEADLINE))
    assert told == ["mine: the link to the leaf was lost", "mine: the link to the leaf is back"]


async def test_what_the_server_forbids_is_told(leaf: BareLeaf) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    async with connect(leaf.server.url, leaf.user, "mine", told.put_nowait) as client:
        await client.publish("$JS.API.STREAM.DELETE.LOG", b"")
        async with asyncio.timeout(DEADLINE):
            assert "permissions violation for publish" in (await told.get()).lower()


async def test_no_server_is_told_with_its_address(leaf: BareLeaf) -> None:
    url = leaf.server.url
    await leaf.server.stop()
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(LinkLost, match=f"no connection to the leaf at {url}"):
            await connect(url, leaf.user, "late", patience=0.2).__aenter__()


async def test_a_node_that_says_nothing_is_left_with_no_connection_open() -> None:
    """As one does that stands still: the kernel takes the connection, and nobody greets."""
    left: asyncio.Queue[str] = asyncio.Queue()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.put_nowait("left")

    client = _Steadfast()
    client.options = {"connect_timeout": 2}
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        node = Srv(urlparse(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        await client._connect_to_server(node)
        await client._connect_to_server(node)
        async with asyncio.timeout(DEADLINE):
            await left.get()
        transport: Any = client._transport
        transport.close()
        await left.get()


async def test_work_that_swallows_a_cancellation_is_given_up_all_the_same() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await _within(0.01, stubborn())
    assert swallowed == 3

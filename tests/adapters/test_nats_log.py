"""The log over a real server: what all logs hold, and a stream that keeps its history."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cim.adapters.nats.lean import ask_api
from cim.adapters.nats.link import connect, refusal
from cim.adapters.nats.log import NatsLog
from cim.adapters.nats.stream import MUST_BE, STREAM, is_ready, make_ready, open_stream
from cim.adapters.system import SystemClock
from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger
from cim.leaf.accounts import STEWARD_LIFE, steward_credentials
from cim.log.append import AppendedTogether, append_together
from cim.log.chain import Head
from cim.log.consumer import consume
from cim.ports.log import LinkLost, Log, LogRefused, Stored, Unclear
from cim.testing.bare_leaf import BareLeaf
from cim.testing.log_conformance import (
    DEADLINE,
    Intrude,
    LogConformance,
    commit,
    follow_until,
    read_all,
    store,
    store_many,
)

HOUR = 3_600_000_000_000


class TestNatsLog(LogConformance):
    @pytest.fixture
    def log(self, nats_log: NatsLog) -> Log:
        return nats_log

    @pytest.fixture
    def intrude(self, leaf: BareLeaf) -> Intrude:
        return lambda subject, headers, body: publish(leaf, subject, headers, body)


async def publish(leaf: BareLeaf, subject: str, headers: Mapping[str, str], body: bytes) -> int:
    """Another program's message, by the client's own publishing."""
    answer = await leaf.client.jetstream().publish(subject, body, headers=dict(headers))
    return answer.seq


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subjects", ["evt.>"]),
        ("subjects", ["evt.>", "cmp.>", "more.>"]),
        ("retention", "interest"),
        ("storage", "memory"),
        ("discard", "old"),
        ("deny_delete", False),
        ("deny_purge", False),
        ("allow_direct", False),
        ("max_age", HOUR),
        ("max_bytes", 1 << 30),
        ("max_msgs", 1000),
        ("max_msgs_per_subject", 5),
        ("max_msg_size", 1000),
        ("allow_msg_ttl", True),
        ("no_ack", True),
        ("persist_mode", "async"),
        ("subject_transform", {"src": "evt.a.>", "dest": "evt.b.>"}),
        ("sources", [{"name": "OTHER"}]),
    ],
)
async def test_a_stream_with_another_setting_is_refused_by_its_name(
    leaf: BareLeaf, name: str, value: Any
) -> None:
    wanted = {"name": STREAM, **MUST_BE, name: value}
    made = await ask_api(leaf.client, f"STREAM.CREATE.{STREAM}", wanted)
    assert refusal(made) is None
    with pytest.raises(LogRefused, match=f"stream {STREAM} has {name} = "):
        await NatsLog.open(leaf.client)


async def test_a_log_is_opened_again_and_by_many_at_once(leaf: BareLeaf) -> None:
    logs = await asyncio.gather(*(NatsLog.open(leaf.client) for _ in range(4)))
    await store(logs[0], commit("evt.documents.Document.a", "a1"))
    await open_stream(leaf.client)
    assert await logs[3].last() == 1


async def test_a_stream_that_was_made_before_writes_spanned_entities_is_good_without(leaf: BareLeaf) -> None:
    await ask_api(leaf.client, f"STREAM.CREATE.{STREAM}", {"name": STREAM, **MUST_BE})
    log = await NatsLog.open(leaf.client)
    await store(log, commit("evt.documents.Document.a", "a1"))
    assert not await is_ready(leaf.client)
    parts = [(commit(f"evt.documents.Document.{id}", "t1"), 0) for id in "bc"]
    with pytest.raises(LogRefused, match="made before writes could span entities; `cim up` makes it ready"):
        await log.attempt_together(parts)
    async with connect(
        leaf.server.url, steward_credentials(leaf.keys, int(time.time())), "steward"
    ) as changing:
        before = await ask_api(leaf.client, f"STREAM.INFO.{STREAM}", {})
        await make_ready(changing)
        with pytest.raises(LinkLost):  # it may do nothing else
            await ask_api(changing, f"STREAM.PURGE.{STREAM}", {}, 0.3)
    after = await ask_api(leaf.client, f"STREAM.INFO.{STREAM}", {})
    assert after["config"]["allow_atomic"]
    changed = {name for name, value in after["config"].items() if before["config"].get(name) != value}
    assert changed <= {"allow_atomic", "metadata"}
    assert await log.attempt_together(parts) == Stored(3)
    assert [one.id for one in await read_all(log)] == ["a1", "t1", "t1"]
    with pytest.raises(LinkLost):  # the machine's own user may still change nothing
        await ask_api(leaf.client, f"STREAM.UPDATE.{STREAM}", after["config"], 0.3)


async def test_a_steward_is_one_for_a_minute(leaf: BareLeaf) -> None:
    late = steward_credentials(leaf.keys, int(time.time()) - STEWARD_LIFE - 5)
    with pytest.raises(LinkLost):
        async with connect(leaf.server.url, late, "steward", patience=1.0):
            pass


async def test_more_writes_together_than_the_server_holds_are_all_stored(nats_log: NatsLog) -> None:
    """It holds fifty at once; what it had no room for is tried again, as anything unclear is."""

    async def write(name: str) -> None:
        parts = [(commit(f"evt.documents.Document.{name}{side}", name), Head()) for side in "xy"]
        outcome = await append_together(nats_log, SystemClock(), parts)
        assert isinstance(outcome, AppendedTogether)

    await asyncio.gather(*(write(f"d{number}") for number in range(120)))
    assert await nats_log.last() == 240


async def test_a_part_of_a_write_together_that_is_too_large_stores_none(nats_log: NatsLog) -> None:
    parts = [(commit("evt.documents.Document.a", "t1"), 0), (commit("evt.documents.Document.b", "t1"), 0)]
    for place in (0, 1):
        large = list(parts)
        large[place] = (replace(parts[place][0], body=bytes(1 << 24)), 0)
        with pytest.raises(LogRefused, match="put large content into a Blob"):
            await nats_log.attempt_together(large)
    assert await nats_log.last() == 0
    assert await nats_log.attempt_together(parts) == Stored(2)


async def test_no_program_of_the_machine_can_take_history_away(leaf: BareLeaf, nats_log: NatsLog) -> None:
    await store_many(nats_log, 3)
    before = await ask_api(leaf.client, f"STREAM.INFO.{STREAM}", {})
    asked = {
        f"STREAM.DELETE.{STREAM}": {},
        "STREAM.DELETE.OBJ_blobs": {},
        f"STREAM.PURGE.{STREAM}": {},
        f"STREAM.MSG.DELETE.{STREAM}": {"seq": 2},
        f"STREAM.UPDATE.{STREAM}": {"name": STREAM, **MUST_BE, "max_age": HOUR},
    }
    answers = await asyncio.gather(
        *(ask_api(leaf.client, call, body, 0.3) for call, body in asked.items()), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [LinkLost] * len(asked)
    after = await ask_api(leaf.client, f"STREAM.INFO.{STREAM}", {})
    assert after["config"] == before["config"]
    assert after["state"] == before["state"]


@pytest.mark.parametrize("room", [-1, 0, 1, 200])
async def test_a_message_that_is_too_large_is_refused_and_cuts_no_connection(
    leaf: BareLeaf, nats_log: NatsLog, told: list[str], room: int
) -> None:
    body = bytes(leaf.client.max_payload - room)
    with pytest.raises(LogRefused, match="put large content into a Blob"):
        await nats_log.attempt(commit("evt.documents.Document.a", "a1", body), 0)
    assert await nats_log.last() == 0
    assert leaf.client.stats["reconnects"] == 0
    assert told == []


async def test_the_largest_message_is_stored_and_read_back(leaf: BareLeaf, nats_log: NatsLog) -> None:
    body = bytes(leaf.client.max_payload - 1000)
    assert isinstance(await nats_log.attempt(commit("evt.documents.Document.a", "a1", body), 0), Stored)
    found = await nats_log.next_on("evt.documents.Document.a", 0)
    assert found is not None
    assert found.body == body
    assert [one.body async for one in nats_log.read(">")] == [body]


async def test_a_history_of_large_messages_is_followed_without_losing_the_link(nats_log: NatsLog) -> None:
    """The server cuts off whoever lets 64 MB wait; and what waits here is held in memory."""
    body = b'["' + b"x" * 4_000_000 + b'"]'
    for number in range(30):
        await store(nats_log, commit(f"evt.documents.Document.d{number}", f"d{number}", body))
    troubles: list[str] = []
    sizes: list[int] = []
    whole = asyncio.Event()

    async def handle(batch: list[Commit]) -> None:
        sizes.append(sum(len(one.body) for one in batch))
        if sum(sizes) >= 30 * len(body):
            whole.set()
        await asyncio.sleep(0.1)  # more comes meanwhile: as much as it was asked for

    following = asyncio.create_task(consume(nats_log, SystemClock(), 0, handle, troubles.append))
    try:
        async with asyncio.timeout(DEADLINE):
            await whole.wait()
    finally:
        following.cancel()
    assert troubles == []
    assert max(sizes) <= 2 * 16 << 20


async def test_a_long_history_of_small_messages_is_followed_without_losing_the_link(
    leaf: BareLeaf, nats_log: NatsLog
) -> None:
    """A request ends when it has brought all its messages, which is no trouble."""
    async with connect(leaf.server.url, leaf.user, "writer") as client:
        small = commit("evt.documents.Document.small", "small")
        for _ in range(5_000):
            await client.publish(small.subject, small.body, headers=small.headers())
        await client.flush()
    seen = 0
    async with asyncio.timeout(DEADLINE):
        async for batch in nats_log.follow(0):
            seen += len(batch)
            if seen == 5_000:
                break
    assert seen == 5_000


async def test_a_log_whose_connection_is_closed_says_that_the_link_is_lost(leaf: BareLeaf) -> None:
    async with connect(leaf.server.url, leaf.user, "short") as client:
        log = await NatsLog.open(client)
        await store(log, commit("evt.documents.Document.a", "a1"))
        assert len(await read_all(log)) == 1
    with pytest.raises(LinkLost, match="closed"):
        await log.last()
    with pytest.raises(LinkLost, match="closed"):
        await log.next_on("evt.documents.Document.a", 0)
    with pytest.raises(LinkLost, match="closed"):
        await anext(aiter(log.read(">")))
    with pytest.raises(LinkLost, match="closed"):
        await anext(aiter(log.follow(0)))
    assert isinstance(await log.attempt(commit("evt.documents.Document.b", "b1"), 0), Unclear)


@pytest.mark.parametrize(
    "raw",
    [
        b"PUB evt.x.\xff\xfe 2\r\nhi\r\n",
        b"HPUB evt.x 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
        b"HPUB evt.x 19 21\r\nNATS/1.0 503 ab\r\n\r\nhi\r\n",
        b"HPUB evt.x 19 21\r\nNATS/1.0 \xff\xff\xff ab\r\n\r\nhi\r\n",
        b"HPUB evt.x 14 16\r\nnoheaderat\r\n\r\nhi\r\n",
        b"HPUB evt.x 10 12\r\nNATS/1.0\r\nhi\r\n",
        b"HPUB evt.x 18 20\r\nNATS/1.0\r\n\xff\xff:a\r\n\r\nhi\r\n",
    ],
)
async def test_bytes_that_are_no_text_end_no_connection(
    leaf: BareLeaf, nats_log: NatsLog, raw: bytes
) -> None:
    await leaf.client._send_command(raw)
    await leaf.client._flush_pending(force_flush=True)  # or the ping of a flush may pass it
    await leaf.client.flush()
    async with asyncio.timeout(20):
        await store(nats_log, commit("evt.documents.Document.a", "a"))
        followed = [one for batch in await follow_until(nats_log, 0, 2) for one in batch]
        for found in (await read_all(nats_log), followed):
            assert isinstance(found[0], Stranger)
            assert [(one.sequence, one.id, one.body) for one in found] == [(1, "", b"hi"), (2, "a", b"[]")]
        if b"\xff\xfe" not in raw:
            assert await nats_log.next_on("evt.x", 0) == followed[0]


@pytest.mark.parametrize("before", [0, 3])
async def test_the_end_is_not_reached_before_what_the_leader_of_a_cluster_holds(
    nats_log: NatsLog, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    async def ahead(wire: object, stream: str) -> int:
        return before + 1

    await store_many(nats_log, before)
    # As it is where the node that one follows at has not heard of the newest commit yet.
    monkeypatch.setattr("cim.adapters.nats.lean.replicas_of", lambda client: 3)
    monkeypatch.setattr("cim.adapters.nats.reading.newest_of_all", ahead)
    all_there = asyncio.Event()

    async def come_late() -> None:
        await all_there.wait()
        for _ in range(3):
            await nats_log.next_on("evt.documents.Document.late", 0)
        await store(nats_log, commit("evt.documents.Document.late", "late"))

    late, found = asyncio.create_task(come_late()), 0
    async with asyncio.timeout(10):
        if not before:
            all_there.set()
        async for batch in nats_log.follow(0):
            found += len(batch)
            if found == before:
                all_there.set()
            if not batch:
                break
    assert found == before + 1, "the end was told too soon"
    await late

"""The log over a real server: what all logs hold, and a stream that keeps its history."""

import asyncio
from typing import Any

import pytest

from cim.adapters.nats.link import ask_api, refusal
from cim.adapters.nats.log import NatsLog
from cim.adapters.nats.stream import MUST_BE, STREAM, open_stream
from cim.ports.log import LinkLost, Log, LogRefused, Stored
from cim.testing.bare_leaf import BareLeaf
from cim.testing.log_conformance import LogConformance, commit, store, store_many

HOUR = 3_600_000_000_000


class TestNatsLog(LogConformance):
    @pytest.fixture
    def log(self, nats_log: NatsLog) -> Log:
        return nats_log


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


async def test_a_log_whose_connection_is_closed_says_that_the_link_is_lost(
    leaf: BareLeaf, nats_log: NatsLog
) -> None:
    await leaf.client.close()
    with pytest.raises(LinkLost):
        await nats_log.last()
    with pytest.raises(LinkLost):
        await nats_log.next_on("evt.documents.Document.a", 0)
    with pytest.raises(LinkLost):
        await anext(aiter(nats_log.read(">")))
    with pytest.raises(LinkLost):
        await anext(aiter(nats_log.follow(0)))

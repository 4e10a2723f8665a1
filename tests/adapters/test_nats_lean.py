"""The lean log over a real server: what all logs hold, beside the general client on the same stream."""

import asyncio
from collections.abc import Mapping

import pytest

from cim.adapters.nats.lean import LeanLog
from cim.adapters.nats.lean_reading import _Pull
from cim.adapters.nats.link import connect
from cim.adapters.nats.wire import Wire
from cim.contract.envelope import block_of
from cim.ports.log import LinkLost, Log, LogRefused
from cim.testing.bare_leaf import BareLeaf
from cim.testing.log_conformance import Intrude, LogConformance, commit, read_all, store


@pytest.fixture
async def lean_log(leaf: BareLeaf) -> LeanLog:
    await LeanLog.open(leaf.client)
    return LeanLog(leaf.client)


class TestLeanLog(LogConformance):
    @pytest.fixture
    def log(self, lean_log: LeanLog) -> Log:
        return lean_log

    @pytest.fixture
    def intrude(self, leaf: BareLeaf) -> Intrude:
        return lambda subject, headers, body: publish(leaf, subject, headers, body)


async def publish(leaf: BareLeaf, subject: str, headers: Mapping[str, str], body: bytes) -> int:
    """Another program's message, by the general client's own publishing."""
    answer = await leaf.client.jetstream().publish(subject, body, headers=dict(headers))
    return answer.seq


async def test_a_connection_of_its_own_ends_with_the_general_one(leaf: BareLeaf) -> None:
    async with connect(leaf.server.url, leaf.user, "short") as client:
        log = await LeanLog.open(client)
        await store(log, commit("evt.documents.Document.a", "a1"))
        assert len(await read_all(log)) == 1
    with pytest.raises(LinkLost, match="closed"):
        await read_all(log)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_what_comes_in_pieces_is_put_together(leaf: BareLeaf, size: int) -> None:
    wire = Wire(leaf.user, "pieces")
    came: list[tuple[str, str, bytes, bytes]] = []
    number, inbox = wire.listen(lambda *message: came.append(message), lambda: None)
    block = b"NATS/1.0\r\na: b\r\n\r\n"
    stream = (
        f"PING\r\nMSG {inbox} {number} 7\r\nMSG a\r\n\r\nMSG other 99 1\r\nx\r\n"
        f"HMSG evt.a {number} $JS.ACK.x {len(block)} {len(block) + 2}\r\n"
    ).encode() + (block + b"{}\r\n+OK\r\nMSG evt.b ")
    for start in range(0, len(stream), size):
        wire.data_received(stream[start : start + size])
    wire.data_received(f"{number} reply 0\r\n\r\n".encode())
    assert came == [
        (inbox, "", b"", b"MSG a\r\n"),
        ("evt.a", "$JS.ACK.x", block, b"{}"),
        ("evt.b", "reply", b"", b""),
    ]
    wire.close()


async def test_all_who_wait_on_a_connection_hear_that_it_was_lost(leaf: BareLeaf) -> None:
    wire = await Wire.open(leaf.server.url, leaf.user, "lost")
    waiting = [asyncio.create_task(wire.ask_api("STREAM.INFO.NONE", {})) for _ in range(3)]
    await asyncio.sleep(0)
    wire.close()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in found] == [LinkLost] * 3
    with pytest.raises(LinkLost, match="closed"):
        await wire.ask("x", b"", b"")


async def test_a_question_that_nobody_answers_is_told_at_once(leaf: BareLeaf) -> None:
    wire = await Wire.open(leaf.server.url, leaf.user, "nobody")
    with pytest.raises(LinkLost, match="nobody is there"):
        await wire.ask("qry.nothing.here.anyone", b"", b"")
    with pytest.raises(LogRefused, match="more than the leaf takes"):
        await wire.ask("qry.nothing.here.anyone", b"", bytes(wire.max_payload + 1))
    wire.close()


async def test_a_message_that_is_missing_is_a_lost_link_and_nothing_behind_it_is_handed_on(
    leaf: BareLeaf,
) -> None:
    pull = _Pull(Wire(leaf.user, "gap"))
    given = [commit("evt.documents.Document.a", f"a{number}") for number in range(4)]
    for number in (1, 2, 4):
        reply = f"$JS.ACK.LOG.c.1.{10 + number}.{number}.0.0"
        pull.take(given[0].subject, reply, block_of(given[number - 1], 0), b"[]")
    handed_on, at_end = await pull.batch()
    assert ([one.sequence for one in handed_on], at_end) == ([11, 12], True)
    with pytest.raises(LinkLost, match="1 messages were lost before 14"):
        await pull.batch()

"""The lean connection: messages in pieces and in runs, answers, and an end that everybody hears of."""

import asyncio
import os
import re
import signal
import time
from dataclasses import replace

import pytest
from nats.aio.msg import Msg

from cim.adapters.nats.arrivals import Page, Pull
from cim.adapters.nats.reading import read
from cim.adapters.nats.wire import PATIENCE, NobodyThere, Wire
from cim.contract.envelope import Commit, Origin, block_of
from cim.contract.stranger import Stranger
from cim.ports.log import LinkLost, LogRefused
from cim.testing.bare_leaf import BareLeaf
from cim.testing.log_conformance import DEADLINE, commit
from cim.testing.processes import stop_for_now


class Nobody:
    """Never asked who it is."""

    def present(self) -> bytes:
        raise NotImplementedError

    def sign(self, nonce: str) -> bytes:
        raise NotImplementedError


def nowhere() -> Wire:
    """A connection that leads nowhere: what comes is handed to it."""
    return Wire(Nobody(), "nowhere")


@pytest.fixture
async def wire() -> Wire:
    return nowhere()


class Heard:
    """Takes what comes message by message."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, bytes, bytes]] = []

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        self.messages.append((subject, reply, block, body))

    def take_run(self, data: bytes, place: int) -> int:
        return place

    def lose(self) -> None:
        self.messages.append(("lost", "", b"", b""))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_what_comes_in_pieces_is_put_together(wire: Wire, size: int) -> None:
    heard = Heard()
    number, inbox = wire.listen(heard)
    block = b"NATS/1.0\r\na: b\r\n\r\n"
    stream = (
        f"PING\r\nMSG {inbox} {number} 7\r\nMSG a\r\n\r\nMSG other 99 1\r\nx\r\n"
        f"HMSG evt.a {number} $JS.ACK.x {len(block)} {len(block) + 2}\r\n"
    ).encode() + (block + b"{}\r\n+OK\r\nMSG evt.b ")
    for start in range(0, len(stream), size):
        wire.data_received(stream[start : start + size])
    wire.data_received(f"{number} reply 0\r\n\r\n".encode())
    assert heard.messages == [
        (inbox, "", b"", b"MSG a\r\n"),
        ("evt.a", "$JS.ACK.x", block, b"{}"),
        ("evt.b", "reply", b"", b""),
    ]


async def test_answers_come_to_those_who_asked_wherever_they_are_cut() -> None:
    bodies = [b'{"seq":1}', b"", b"MSG x 1 2\r\n", b'{"seq":4}']
    for cut in range(200):
        wire = nowhere()
        asked = [asyncio.ensure_future(wire.ask(f"evt.{number}", b"", b"")) for number in range(5)]
        await asyncio.sleep(0)
        tokens = list(wire._asked)
        answers = [
            b"MSG %b.%d 1 %d\r\n%b\r\n" % (wire._inbox.encode(), token, len(body), body)
            for token, body in zip(tokens, bodies, strict=False)
        ]
        nobody = b"HMSG %b.%d 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n" % (wire._inbox.encode(), tokens[4])
        stream = b"".join([*answers, nobody, answers[0]])
        wire.data_received(stream[:cut])
        wire.data_received(stream[cut:])
        assert [await one for one in asked[:4]] == [(b"", body) for body in bodies]
        with pytest.raises(LinkLost, match="nobody is there"):
            await asked[4]


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


BLANK = replace(commit("evt.documents.Document.a", "a7"), origin=Origin.root("a7", "person:Ann Lee"))
USUAL = [
    commit("evt.documents.Document.a", "a1"),
    replace(commit("evt.documents.Document.b", "b2", b'[{"a": 1}]'), request="Put/5f"),
    commit("evt.documents.Document.a", "a3", b"", number=2),
    commit("evt.documents.Document.a", "a4", b"two\r\nlines\r\n", number=3),
    commit("evt.documents.Document.c", "c5", b"HMSG evt.x 2 9 9\r\n"),
    commit("evt.documents.Document.c", "c6"),
    BLANK,
    commit("evt.documents.Document.c", "c8", number=2),
]
"""Bodies with line breaks, a header with a blank, with and without a request."""

STRANGE = [
    (b"ce-subject: evt.documents.Document.a", b"ce-subject: evt.documents.Document.z"),
    (b"ce-number: 1", b"ce-number: one"),
    (b"ce-owner: person:tester\r\n", b""),
    (b"ce-specversion: 1.0", b"ce-specversion: 2.0"),
    (b"ce-source: cim:conformance", b"ce-source: a\x00b"),
]


def followed(pull: Pull, given: list[Commit], tokens: str, old: bytes = b"", new: bytes = b"") -> bytes:
    """The bytes by which a consumer brings some commits, one of them changed."""
    frames = []
    for number, one in enumerate(given, 1):
        block, reply = block_of(one, 0), f"$JS.ACK.{tokens}.1.{10 + number}.{number}.0.{8 - number}"
        block = block.replace(old, new) if number == 3 else block
        sizes = f"{len(block)} {len(block) + len(one.body)}"
        line = f"HMSG {one.subject} {pull.number} {reply} {sizes}\r\n"
        frames.append(line.encode() + block + one.body + b"\r\n")
    return b"".join(frames)


def found(page: Page, given: list[Commit], old: bytes = b"", new: bytes = b"") -> bytes:
    """The bytes by which a direct get brings some commits, one of them changed; then its end."""
    frames = []
    for number, one in enumerate(given, 1):
        block = block_of(one, 0).removesuffix(b"\r\n")
        block = block.replace(old, new) if number == 3 else block
        block += b"Nats-Stream: LOG\r\nNats-Subject: %b\r\n" % one.subject.encode()
        block += b"Nats-Sequence: %d\r\nNats-Num-Pending: %d\r\n\r\n" % (10 + number, 8 - number)
        sizes = f"{len(block)} {len(block) + len(one.body)}"
        frames.append(f"HMSG {page.inbox} {page.number} {sizes}\r\n".encode() + block + one.body + b"\r\n")
    end = b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\n\r\n"
    frames.append(f"HMSG {page.inbox} {page.number} {len(end)} {len(end)}\r\n".encode() + end + b"\r\n")
    return b"".join(frames)


@pytest.mark.parametrize("tokens", ["LOG.c", "hub.ACCOUNT.LOG.c"])
async def test_what_a_consumer_brings_is_the_same_wherever_it_is_cut(tokens: str) -> None:
    for cut in range(0, len(followed(Pull(nowhere()), USUAL, tokens)), 7):
        wire = nowhere()
        pull = Pull(wire)
        stream = followed(pull, USUAL, tokens)
        wire.data_received(stream[:cut])
        wire.data_received(stream[cut:])
        came = await pull.came(1, "silent")
        assert came == [one.at(11 + number) for number, one in enumerate(USUAL)]
        assert [one.digest for one in came] == [one.digest for one in USUAL]
        assert (pull.wanted, pull.at_end) == (-len(USUAL), True)


async def test_what_a_direct_get_brings_is_the_same_wherever_it_is_cut() -> None:
    for cut in range(0, len(found(Page(nowhere()), USUAL)), 7):
        wire = nowhere()
        page = Page(wire)
        stream = found(page, USUAL)
        wire.data_received(stream[:cut])
        wire.data_received(stream[cut:])
        assert not page.over
        came = await page.came(1, "silent")
        assert came == [one.at(11 + number) for number, one in enumerate(USUAL)]
        assert [one.digest for one in came] == [one.digest for one in USUAL]
        assert (page.over, page.more) == (True, False)


async def test_what_the_sizes_say_is_the_header_block_is_not_taken_for_body(wire: Wire) -> None:
    pull, page = Pull(wire), Page(wire)
    given = [commit("evt.documents.Document.a", f"a{number}", b"zz[]") for number in range(3)]
    for stream in (followed(pull, given, "LOG.c"), found(page, given)):
        two_more = re.compile(rb" (\d+) (\d+)\r\nNATS(?=/1.0\r\n)").sub
        wire.data_received(two_more(lambda old: b" %d %b\r\nNATS" % (int(old[1]) + 2, old[2]), stream))
    for came in (await pull.came(1, "silent"), await page.came(1, "silent")):
        assert [(one.id, one.body) for one in came] == [("a0", b"[]"), ("a1", b"[]"), ("a2", b"[]")]


@pytest.mark.parametrize(("old", "new"), STRANGE)
async def test_a_stranger_in_a_run_is_told_and_what_is_behind_it_is_not(
    wire: Wire, old: bytes, new: bytes
) -> None:
    given = [commit("evt.documents.Document.a", f"a{number}") for number in range(5)]
    pull, page = Pull(wire), Page(wire)
    wire.data_received(followed(pull, given, "LOG.c", old, new) + found(page, given, old, new))
    for came in (await pull.came(1, "silent"), await page.came(1, "silent")):
        assert [isinstance(one, Stranger) for one in came] == [False, False, True, False, False]
        assert [one.sequence for one in came] == [11, 12, 13, 14, 15]
        assert [one.id for one in came] == ["a0", "a1", "", "a3", "a4"]


async def test_where_a_message_says_that_it_stands_is_not_believed(wire: Wire) -> None:
    page = Page(wire)
    given = [commit("evt.documents.Document.a", f"a{number}") for number in range(4)]
    forged = b"Nats-Stream: LOG\r\nNats-Subject: evt.documents.Document.a\r\nNats-Sequence: 99\r\n"
    line = b"Nats-Expected-Last-Subject-Sequence: 0\r\n"
    wire.data_received(found(page, given, line.removesuffix(b"\r\n"), line + forged.removesuffix(b"\r\n")))
    assert [one.sequence for one in await page.came(1, "silent")] == [11, 12, 13, 14]


async def test_a_run_ends_where_a_message_is_for_another_listener(wire: Wire) -> None:
    first, second = Pull(wire), Pull(wire)
    given = [commit("evt.documents.Document.a", f"a{number}") for number in range(3)]
    mine, theirs = (followed(one, given, "LOG.c") for one in (first, second))
    starts = [place.start() for place in re.finditer(b"HMSG", theirs)]
    wire.data_received(theirs[: starts[1]])
    # Its number is the one that the first listener waits for next.
    wire.data_received(mine[: mine.index(b"HMSG", 1)] + theirs[starts[1] : starts[2]])
    assert [len(await one.came(1, "silent")) for one in (first, second)] == [1, 2]


async def test_a_message_that_is_missing_is_a_lost_link_and_nothing_behind_it_is_handed_on(
    wire: Wire,
) -> None:
    pull = Pull(wire)
    given = [commit("evt.documents.Document.a", f"a{number}") for number in range(1, 7)]
    stream = followed(pull, given, "LOG.c")
    third = stream.index(b"HMSG", stream.index(b".12.2."))
    fourth = stream.index(b"HMSG", stream.index(b".13.3."))
    wire.data_received(stream[:third] + stream[fourth:])
    assert [one.sequence for one in await pull.came(1, "silent")] == [11, 12]
    with pytest.raises(LinkLost, match="1 messages were lost before 14"):
        await pull.came(1, "silent")


async def test_silence_is_told(wire: Wire) -> None:
    with pytest.raises(LinkLost, match="nothing came"):
        await Pull(wire).came(0.01, "nothing came")


async def test_a_late_answer_is_given_up_and_the_connection_kept(leaf: BareLeaf) -> None:
    async def silent(message: Msg) -> None:
        return

    await leaf.client.subscribe("question", cb=silent)
    await leaf.client.flush()
    wire = await Wire.open(leaf.server.url, leaf.user, "patient")
    with pytest.raises(LinkLost, match="question: no answer from the leaf: none came in time"):
        await wire.ask("question", b"", b"", patience=0.1)
    assert not wire.closed
    assert "error" in await wire.ask_api("STREAM.INFO.NONE", {})
    wire.close()


async def test_a_slow_answer_is_waited_for_longer_than_a_connection_may_be_silent(leaf: BareLeaf) -> None:
    async def slow(message: Msg) -> None:
        await asyncio.sleep(1.5 * PATIENCE)
        await message.respond(b"here")

    await leaf.client.subscribe("question", cb=slow)
    await leaf.client.flush()
    wire = await Wire.open(leaf.server.url, leaf.user, "patient")
    assert await wire.ask("question", b"", b"", patience=30) == (b"", b"here")
    wire.close()


async def test_a_server_that_stands_still_is_a_lost_connection(leaf: BareLeaf) -> None:
    wire = await Wire.open(leaf.server.url, leaf.user, "patient")
    await asyncio.sleep(0)
    stop_for_now(leaf.server.pid)
    try:
        with pytest.raises(LinkLost, match="it was silent for 2 s"):
            await wire.ask("question", b"", b"", patience=30)
    finally:
        os.kill(leaf.server.pid, signal.SIGCONT)
    assert wire.closed


async def test_a_reader_that_waits_in_vain_has_a_silent_connection_dropped(leaf: BareLeaf) -> None:
    wire = await Wire.open(leaf.server.url, leaf.user, "reader")
    stop_for_now(leaf.server.pid)
    try:
        with pytest.raises(LinkLost, match="not answered"):
            await anext(read(wire, "evt.>", 0))
    finally:
        os.kill(leaf.server.pid, signal.SIGCONT)
    assert wire.closed


async def test_who_serves_hears_of_a_server_that_stands_still_though_nobody_asks(leaf: BareLeaf) -> None:
    wire, lost = await Wire.open(leaf.server.url, leaf.user, "door"), asyncio.Event()

    class Door(Heard):
        def lose(self) -> None:
            lost.set()

    await wire.serve(Door(), "echo.>", "echoes")
    stop_for_now(leaf.server.pid)
    try:
        async with asyncio.timeout(DEADLINE):
            await lost.wait()
    finally:
        os.kill(leaf.server.pid, signal.SIGCONT)
    assert wire.closed


async def test_a_loop_that_was_busy_for_long_drops_no_connection(leaf: BareLeaf) -> None:
    wire = await Wire.open(leaf.server.url, leaf.user, "busy")
    await wire.serve(Heard(), "echo.>", "echoes")
    asking = asyncio.ensure_future(wire.ask_api("STREAM.INFO.NONE", {}))
    for _ in range(3):  # turns of the loop, until it is asked and sent
        await asyncio.sleep(0)
    time.sleep(2 * PATIENCE)  # noqa: ASYNC251 - what a module's code may do
    assert "error" in await asking
    time.sleep(2 * PATIENCE)  # noqa: ASYNC251 - and when nothing is under way
    assert "error" in await wire.ask_api("STREAM.INFO.NONE", {})
    assert not wire.closed
    wire.close()


async def test_who_serves_is_heard_of_at_once(leaf: BareLeaf) -> None:
    asking, serving = [await Wire.open(leaf.server.url, leaf.user, name) for name in ("asking", "serving")]

    class Echo(Heard):
        def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
            serving.publish(reply, "", b"", body)

    with pytest.raises(NobodyThere):
        await asking.ask("echo.a", b"", b"")
    await serving.serve(Echo(), "echo.>", "echoes")
    assert await asking.ask("echo.a", b"", b"back") == (b"", b"back")
    asking.close()
    serving.close()


async def test_who_gives_up_before_the_server_has_heard_of_it_serves_nothing(leaf: BareLeaf) -> None:
    wire = await Wire.open(leaf.server.url, leaf.user, "door")
    opening = asyncio.create_task(wire.serve(Heard(), "echo.>", "echoes"))
    await asyncio.sleep(0)  # it is asked for, and not answered yet
    opening.cancel()
    await asyncio.wait([opening])
    with pytest.raises(NobodyThere):
        await wire.ask("echo.a", b"", b"")
    wire.close()

"""Reading the stream in bulk over a lean connection: pages by direct gets, following by a pull consumer.

The rules are those of :mod:`cim.adapters.nats.direct` and :mod:`cim.adapters.nats.follow`; commits are made
of a message's bytes while the server still sends the next ones.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from cim.adapters.nats.link import refusal
from cim.adapters.nats.log import parse_headers
from cim.adapters.nats.stream import STREAM
from cim.adapters.nats.wire import Wire
from cim.contract.envelope import Commit, parse_block
from cim.contract.stranger import stored
from cim.ports.log import LinkLost

_PAGE = 1024
_PAGE_BYTES = 8 << 20
_BATCH = 1024
_SECOND = 1_000_000_000
_HEARTBEAT = 0.25
_SILENCE = 0.8
_PAGE_SILENCE = 2.0
_EXPIRES = 30.0
_PLACE = re.compile(rb"\r\nNats-Subject: ([^\r]+)\r\nNats-Sequence: ([0-9]+)\r\n")
_LOST = "the connection was lost"


def _commit(subject: str, block: bytes, body: bytes, sequence: int) -> Commit:
    """The commit that a message holds, or the stranger that it is."""
    return parse_block(subject, block, body, sequence) or stored(
        subject, parse_headers(block), body, sequence
    )


class _Page:
    """What one batched direct get brings."""

    def __init__(self, what: str) -> None:
        self.commits: list[Commit] = []
        self.more = False
        self.came = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._what = what

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        self.came += 1
        # The server writes its own lines behind those of the message.
        told = _PLACE.match(block, max(block.rfind(b"\r\nNats-Subject: "), 0))
        if told is not None:
            self.commits.append(_commit(told[1].decode(errors="replace"), block, body, int(told[2])))
            return
        headers = parse_headers(block)
        status = block[9:12].decode(errors="replace")
        self.more = bool(self.commits) and headers.get("Nats-Num-Pending", "0") != "0"
        self._end(None if status in ("204", "404") else f"read failed: {block[9:60]!r}")

    def lose(self) -> None:
        self._end(_LOST)

    def _end(self, trouble: str | None) -> None:
        if self.ended.done():
            return
        if trouble is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(LinkLost(f"{self._what}: {trouble}"))
            self.ended.exception()

    async def whole(self) -> None:
        """Wait for the end, as long as something comes; raises :class:`LinkLost`."""
        while not self.ended.done():
            came = self.came
            await asyncio.wait([self.ended], timeout=_PAGE_SILENCE)
            if not self.ended.done() and self.came == came:
                raise LinkLost(f"{self._what}: a read was not answered")
        self.ended.result()


async def read(wire: Wire, subject: str, after: int) -> AsyncIterator[Commit]:
    """See :meth:`cim.ports.log.Log.read`."""
    more = True
    while more:
        page = _Page(f"{subject} behind sequence {after}")
        number, inbox = wire.listen(page.take, page.lose)
        query = {"seq": after + 1, "next_by_subj": subject, "batch": _PAGE, "max_bytes": _PAGE_BYTES}
        try:
            wire.publish(f"$JS.API.DIRECT.GET.{STREAM}", inbox, b"", msgspec.json.encode(query))
            await page.whole()
        finally:
            wire.hush(number)
        for commit in page.commits:
            yield commit
        more = page.more
        after = page.commits[-1].sequence if page.commits else after


class _Pull:
    """One consumer on the server, and the commits that came from it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._wake = asyncio.Event()
        self._commits: list[Commit] = []
        self._ended: deque[str] = deque()
        self._asked = self._delivered = 0
        self._pending = -1
        self.number, self.inbox = wire.listen(self.take, self.lose)

    def lose(self) -> None:
        """Nothing more comes."""
        self._ended.append(_LOST)
        self._wake.set()

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        self._wake.set()
        if subject == self.inbox:
            # A stored message comes under its own subject, whatever its headers say of a status.
            return self._status(block)
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>, behind
        # two more tokens (domain, account) where the server is part of a domain.
        words = reply.split(".")
        sequence, number, _, pending = words[5:9] if len(words) == 9 else words[7:11]
        if int(number) != self._delivered + 1:
            self._ended.append(f"{int(number) - self._delivered - 1} messages were lost before {sequence}")
        elif not self._ended:
            self._delivered += 1
            self._asked -= 1
            self._pending = int(pending)
            self._commits.append(_commit(subject, block, body, int(sequence)))
        return None

    def _status(self, block: bytes) -> None:
        headers = parse_headers(block)
        match block[9:12]:
            case b"100":
                return
            case b"404" | b"408":
                left = int(headers.get("Nats-Pending-Messages", self._asked))
                self._asked = max(0, self._asked - left)
            case _:
                self._ended.append(f"the log's consumer ended: {block[9:80].decode(errors='replace')}")

    def ask(self, consumer: str) -> None:
        """Keep at least half a batch asked for, so that the server never waits for us."""
        if self._asked >= _BATCH // 2:
            return
        wanted = {
            "batch": _BATCH,
            "expires": int(_EXPIRES * _SECOND),
            "idle_heartbeat": int(_HEARTBEAT * _SECOND),
        }
        call = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}"
        self._wire.publish(call, self.inbox, b"", msgspec.json.encode(wanted))
        self._asked += _BATCH

    async def batch(self) -> tuple[list[Commit], bool]:
        """The commits that are here now, something waited for; and whether the end is near."""
        if not self._commits and not self._ended:
            self._wake.clear()
            try:
                async with asyncio.timeout(_SILENCE):
                    await self._wake.wait()
            except TimeoutError as silent:
                raise LinkLost(f"the log was silent for {_SILENCE} s") from silent
        commits, self._commits = self._commits, []
        if not commits and self._ended:
            raise LinkLost(self._ended[0])
        return commits, bool(commits) and self._pending == 0


async def follow(wire: Wire, after: int) -> AsyncIterator[list[Commit]]:
    """See :meth:`cim.ports.log.Log.follow`."""
    config = {
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": after + 1,
        "ack_policy": "none",
        "replay_policy": "instant",
        "inactive_threshold": 10 * _SECOND,
        "mem_storage": True,
        "num_replicas": 1,
        "max_waiting": 8,
    }
    answer = await wire.ask_api(f"CONSUMER.CREATE.{STREAM}", {"stream_name": STREAM, "config": config})
    trouble = refusal(answer)
    if trouble is not None:
        raise LinkLost(f"the log cannot be followed: {trouble[1]} (code {trouble[0]})")
    consumer, pull = str(answer["name"]), _Pull(wire)
    try:
        if int(answer.get("num_pending", 0)) == 0:
            yield []
        while True:
            pull.ask(consumer)
            commits, at_end = await pull.batch()
            if commits:
                yield commits
            if at_end:
                yield []
    finally:
        wire.hush(pull.number)
        wire.publish(f"$JS.API.CONSUMER.DELETE.{STREAM}.{consumer}", pull.inbox, b"", b"")

"""Following the stream by one ephemeral pull consumer, checked for gaps and for silence.

The server sends a heartbeat every quarter of a second while nothing else comes. Three missed in a row,
a gap in the consumer's numbers, a consumer that is gone, or a connection that broke is a lost link:
the loop in :mod:`cim.log.consumer` opens the log again behind the last commit that it handed on.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.adapters.nats.link import ask_api, noticing_loss, refusal
from cim.adapters.nats.stream import STREAM
from cim.contract.envelope import Commit
from cim.contract.stranger import stored
from cim.ports.log import LinkLost

_BATCH = 512
_SECOND = 1_000_000_000
_HEARTBEAT = 0.25
_SILENCE = 0.8
_EXPIRES = 30.0
UNHEARD, UNHEARD_FOR = 50, 0.02
"""In a cluster it takes a moment until all nodes know of a new consumer: how often it is asked again where
nobody heard of it yet, and after how many seconds."""


class _Pull:
    """One consumer on the server, and the messages that came from it."""

    def __init__(self, client: Client, consumer: str, inbox: str) -> None:
        self._client, self._consumer, self._inbox = client, consumer, inbox
        self._arrived: deque[Msg] = deque()
        self._wake = asyncio.Event()
        self._asked = 0
        self._delivered = 0
        self._begun = False
        self._unheard = 0
        self._lost = False

    def lose(self) -> None:
        """The connection was lost: nothing more comes."""
        self._lost = True
        self._wake.set()

    async def take(self, message: Msg) -> None:
        self._arrived.append(message)
        self._wake.set()

    async def ask(self) -> None:
        """Keep at least half a batch asked for, so that the server never waits for us."""
        if self._asked >= _BATCH // 2:
            return
        if self._unheard and not self._begun:
            await asyncio.sleep(UNHEARD_FOR)
        wanted = {
            "batch": _BATCH,
            "expires": int(_EXPIRES * _SECOND),
            "idle_heartbeat": int(_HEARTBEAT * _SECOND),
        }
        call = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self._consumer}"
        await self._client.publish(call, msgspec.json.encode(wanted), reply=self._inbox)
        self._asked += _BATCH

    async def batch(self) -> tuple[list[Commit], bool]:
        """The commits that are here now, at least one message waited for; and whether the end is near."""
        if not self._arrived:
            self._wake.clear()
            try:
                async with asyncio.timeout(_SILENCE):
                    await self._wake.wait()
            except TimeoutError as silent:
                raise LinkLost(f"the log was silent for {_SILENCE} s") from silent
        if self._lost:
            raise LinkLost("the connection was lost")
        commits: list[Commit] = []
        at_end = False
        while self._arrived and len(commits) < _BATCH:
            message = self._arrived.popleft()
            if message.subject == self._inbox:
                # A stored message comes under its own subject, whatever its headers say of a status.
                self._status(message.headers or {})
                continue
            commit, pending = self._commit(message)
            commits.append(commit)
            at_end = pending == 0
        return commits, at_end

    def _status(self, headers: dict[str, str]) -> None:
        status, text = headers.get("Status", ""), headers.get("Description", "")
        match status:
            case "100":
                self._begun = True
            case "503" if not self._begun and self._unheard < UNHEARD:
                self._unheard += 1
                self._asked = 0
            case "404" | "408":
                self._asked = max(0, self._asked - int(headers.get("Nats-Pending-Messages", self._asked)))
            case _:
                raise LinkLost(f"the log's consumer ended: {status} {text}".strip())

    def _commit(self, message: Msg) -> tuple[Commit, int]:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>, behind
        # two more tokens (domain, account) where the server is part of a domain.
        tokens = message.reply.split(".")
        sequence, number, pending = int(tokens[-4]), int(tokens[-3]), int(tokens[-1])
        if len(tokens) == 12:
            sequence, number, pending = int(tokens[-5]), int(tokens[-4]), int(tokens[-2])
        if number != self._delivered + 1:
            raise LinkLost(f"{number - self._delivered - 1} messages were lost before sequence {sequence}")
        self._delivered, self._begun = number, True
        self._asked -= 1
        return stored(message.subject, message.headers or {}, message.data, sequence), pending


async def follow(client: Client, after: int) -> AsyncIterator[list[Commit]]:
    """Every commit past ``after``; see :meth:`cim.ports.log.Log.follow`."""
    inbox = client.new_inbox()
    try:
        consumer, pending = await _open(client, after)
        pull = _Pull(client, consumer, inbox)
        subscription = await client.subscribe(
            inbox, cb=pull.take, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
    except errors.Error as error:
        raise LinkLost(f"the log cannot be followed: {type(error).__name__} {error}") from error
    try:
        with noticing_loss(client, pull.lose):
            if pending == 0:
                yield []
            while True:
                await pull.ask()
                commits, at_end = await pull.batch()
                if commits:
                    yield commits
                if at_end:
                    yield []
    except errors.Error as error:
        raise LinkLost(f"following the log: {type(error).__name__} {error}") from error
    finally:
        with suppress(errors.Error):
            await subscription.unsubscribe()
            await client.publish(f"$JS.API.CONSUMER.DELETE.{STREAM}.{consumer}", b"")


async def _open(client: Client, after: int) -> tuple[str, int]:
    """A fresh ephemeral consumer behind ``after``: its name, and how much waits for it."""
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
    body = {"stream_name": STREAM, "config": config}
    answer = await ask_api(client, f"CONSUMER.CREATE.{STREAM}", body, patience=1.0)
    trouble = refusal(answer)
    if trouble is not None:
        raise LinkLost(f"the log cannot be followed: {trouble[1]} (code {trouble[0]})")
    return str(answer["name"]), int(answer.get("num_pending", 0))

"""The log over JetStream: one message an append, direct reads, one pull consumer to follow.

All of it goes over lean connections, which heal by being made anew.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Self

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.direct import held, newest_of_all, whole
from cim.adapters.nats.lean import lean_of
from cim.adapters.nats.reading import follow, read
from cim.adapters.nats.stream import STREAM, open_stream
from cim.contract.block import parse_headers
from cim.contract.envelope import Commit, block_of
from cim.contract.stranger import stored
from cim.ports.log import LinkLost, LogRefused, Stored, Unclear

_REFUSED = {
    10054: "the message is larger than the stream takes",
    10077: "the stream is full",
    10174: "this log was made before writes could span entities; `cim up` makes it ready for them",
}


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = "unknown error"


class _Answer(msgspec.Struct):
    """What JetStream says to a publish."""

    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


class NatsLog:
    """Fulfils :class:`cim.ports.log.Log` by the stream of a leaf."""

    def __init__(self, client: Client) -> None:
        self._client, self._lean = client, lean_of(client)

    @classmethod
    async def open(cls, client: Client) -> Self:
        """The machine's log, its stream made or checked; see :func:`open_stream`."""
        await open_stream(client)
        return cls(client)

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        block = block_of(commit, expected)
        try:
            wire = await self._lean.wire()
            _, body = await wire.ask(commit.subject, block, commit.body)
        except LinkLost as lost:
            return Unclear(str(lost))
        return _judged(commit, body)

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        """See :class:`cim.ports.log.Log`. JetStream holds the messages of a batch back until the one that
        commits it, and checks their expectations then (ADR-50 of nats-architecture-and-design)."""
        batch = secrets.token_hex(16)
        blocks = [
            b"%bNats-Batch-Id: %b\r\nNats-Batch-Sequence: %d\r\n\r\n"
            % (block_of(commit, expected)[:-2], batch.encode(), number)
            for number, (commit, expected) in enumerate(parts, 1)
        ]
        last, _ = parts[-1]
        try:
            wire = await self._lean.wire()
            for block, (commit, _) in zip(blocks[:-1], parts[:-1], strict=True):
                # What is wrong with it the answer to the last one tells.
                wire.publish(commit.subject, "", block, commit.body)
            commits_it = blocks[-1][:-2] + b"Nats-Batch-Commit: 1\r\n\r\n"
            _, body = await wire.ask(last.subject, commits_it, last.body)
        except LinkLost as lost:
            return Unclear(str(lost))
        return _judged(last, body)

    async def next_on(self, subject: str, after: int) -> Commit | None:
        found = await held(self._lean, STREAM, {"seq": after + 1, "next_by_subj": subject})
        if found is None:
            return None
        return stored(found.subject, parse_headers(found.block), found.body, found.sequence)

    async def last(self) -> int:
        return await newest_of_all(self._lean, STREAM)

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        pages = partial(read, await self._lean.wire(), subject)
        async for commit in whole(self._lean, STREAM, subject, after, pages, _sequence):
            yield commit

    async def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        # On a connection of its own: a reader that is behind must not hold up an append's answer.
        wire = await self._lean.own("reading")
        try:
            async for batch in follow(wire, after, in_cluster=self._lean.replicas > 1):
                yield batch
        finally:
            wire.close()


def _judged(commit: Commit, body: bytes) -> Stored | Unclear:
    """What the answer to a publish means."""
    try:
        answer = _ANSWER.decode(body)
    except msgspec.MsgspecError as error:
        return Unclear(f"{commit.subject}: the answer cannot be read: {error}")
    if answer.error is None:
        return Unclear("duplicate (code 0)") if answer.duplicate else Stored(answer.seq)
    if answer.error.err_code in _REFUSED:
        raise LogRefused(f"{commit.subject}: {_REFUSED[answer.error.err_code]}")
    return Unclear(f"{answer.error.description} (code {answer.error.err_code})")


def _sequence(commit: Commit) -> int:
    return commit.sequence

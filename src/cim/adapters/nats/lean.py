"""The log over JetStream by a lean connection: the same promises as :class:`NatsLog`, at a fraction of
the processor time. What is seldom asked goes over the general client.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.direct import whole
from cim.adapters.nats.lean_reading import follow, read
from cim.adapters.nats.link import place_of, ways_of
from cim.adapters.nats.log import NatsLog
from cim.adapters.nats.stream import STREAM
from cim.adapters.nats.wire import Wire
from cim.contract.envelope import Commit, block_of
from cim.ports.log import LinkLost, LogRefused, Stored, Unclear

_REFUSED = {10054: "the message is larger than the stream takes", 10077: "the stream is full"}


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = "unknown error"


class _Answer(msgspec.Struct):
    """What JetStream says to a publish."""

    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


class LeanLog(NatsLog):
    """Fulfils :class:`cim.ports.log.Log` by the stream of a leaf, over a connection of its own.

    The connection is opened when it is first needed, to where ``client`` leads and as the same user, anew
    after it was lost, and closed with ``client``.
    """

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        block = block_of(commit, expected)
        try:
            wire = self._wire
            if wire is None or wire.closed:
                wire = await self._connected()
            _, body = await wire.ask(commit.subject, block, commit.body)
        except LinkLost as lost:
            return Unclear(str(lost))
        try:
            answer = _ANSWER.decode(body)
        except msgspec.MsgspecError as error:
            return Unclear(f"{commit.subject}: the answer cannot be read: {error}")
        if answer.error is None:
            return Unclear("duplicate (code 0)") if answer.duplicate else Stored(answer.seq)
        if answer.error.err_code in _REFUSED:
            raise LogRefused(f"{commit.subject}: {_REFUSED[answer.error.err_code]}")
        return Unclear(f"{answer.error.description} (code {answer.error.err_code})")

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        wire = await self._connected()
        async for commit in whole(
            self._client, STREAM, subject, after, partial(read, wire, subject), _sequence
        ):
            yield commit

    async def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        # On a connection of its own: a reader that is behind must not hold up an append's answer.
        wire = await self._open("reading")
        try:
            async for batch in follow(wire, after):
                yield batch
        finally:
            wire.close()

    async def _connected(self) -> Wire:
        async with self._opening:
            wire = self._wire
            if wire is not None and not wire.closed:
                return wire
            place = place_of(self._client)
            if wire is not None:
                self._wire = None
                if wire.close in place.closing:
                    place.closing.remove(wire.close)
            self._wire = wire = await self._open("log")
            place.closing.append(wire.close)
            return wire

    async def _open(self, purpose: str) -> Wire:
        """A connection to the node where the client is, or to another where that one does not answer."""
        place, *ways = place_of(self._client), *ways_of(self._client)
        while True:
            url = ways.pop(0)
            try:
                return await Wire.open(url, place.credentials, f"{place.name}, {purpose}")
            except LinkLost:
                if not ways:
                    raise


def _sequence(commit: Commit) -> int:
    return commit.sequence

"""Following a live query from outside: it is opened again where it was when the link or the leaf is lost."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.lean import lean_of
from cim.adapters.nats.wire import Wire
from cim.contract import codec
from cim.contract.live import Change, Place, Told
from cim.contract.subjects import MACHINE, query
from cim.contract.subjects import live as live_subject
from cim.domain.errors import CimError
from cim.doors.asker import Unanswered, ask_query
from cim.doors.live import BEAT, OPEN
from cim.log.backoff import delays
from cim.ports.clock import Clock, Entropy
from cim.ports.log import LinkLost

SILENCE = 3 * BEAT
"""Seconds without a message after which a query is opened again."""


@dataclass(frozen=True, slots=True)
class Anew:
    """A snapshot begins: what was told before is no longer of use, for this reason."""

    why: str


async def live(
    client: Client,
    clock: Clock,
    entropy: Entropy,
    question: Mapping[str, Any],
    sender: str,
    *,
    since: Place | None = None,
    patience: float = 10.0,
    trouble: Callable[[str], None] = lambda reason: None,
) -> AsyncGenerator[Anew | Change | Place, None]:
    """What a live query tells, without an end: a snapshot, a place, then what changes, each time with the
    place where whoever has taken it in is. ``question`` is that of
    :class:`cim.contract.live.LiveQuestion`, as plain data.

    Whoever keeps a place with what was told up to it may go on ``since`` there, also as another process.
    Where the query is cut it is opened again from its last place, for ever; ``trouble`` is told why. Raises
    :class:`cim.doors.asker.Unanswered` where nobody answers in ``patience`` seconds to begin with,
    :class:`CimError` with the door's own words where it cannot be asked.
    """
    place, opened = since, False
    while True:
        stream = _Stream(client, sender, entropy.new_id())
        snapshot, whole = False, list[Change]()
        try:
            await stream.open(clock, {**question, "since": place}, patience)
            opened = True
            async for told in stream.messages():
                if told.began == "anew":
                    snapshot, place = True, None
                    yield Anew(told.why or "")
                whole += told.changes
                # What changed is told up to a place or not at all: from the last one it is told again.
                if snapshot or told.reached is not None:
                    for change in whole:
                        yield change
                    whole = []
                if told.reached is not None:
                    snapshot, place = False, told.reached
                    yield place
                stream.took(told.number)
        except (LinkLost, Unanswered) as cut:
            if not opened or lean_of(client).over:
                raise
            trouble(f"{question.get('of')}: {cut}; it goes on as soon as it can")
            await clock.sleep(next(delays()))
        finally:
            await stream.close()


class _Stream:
    """One opening of a query, on a connection of its own."""

    def __init__(self, client: Client, sender: str, id: str) -> None:
        self._client, self._sender, self._id = client, sender, id
        self._came: asyncio.Queue[bytes | None] = asyncio.Queue()  # the leaf sends so many and no more
        self._wire: Wire | None = None
        self._beat: asyncio.Task[None] | None = None
        self._number = 0

    async def open(self, clock: Clock, question: Mapping[str, Any], patience: float) -> None:
        """Hear the query, then ask for it: raises as :func:`ask_query` does, and :class:`LinkLost`."""
        self._wire = await lean_of(self._client).own("a live query")
        await self._wire.serve(self, live_subject(self._id, self._sender), self._id)
        await ask_query(self._client, clock, OPEN, {**question, "query": self._id}, self._sender, patience)
        self._beat = asyncio.create_task(self._keep(clock))

    async def messages(self) -> AsyncIterator[Told]:
        """What is told, until that ends for good: raises :class:`LinkLost` where it is worth asking again."""
        while True:
            told = await self._next()
            if told.number != self._number + 1:
                raise LinkLost(f"message {self._number + 1} of the live query did not come")
            self._number = told.number
            if told.ended is not None:
                raise LinkLost(told.ended) if told.again else CimError(f"the live query ended: {told.ended}")
            yield told

    async def _next(self) -> Told:
        # The first message takes as long as the leaf has to look back: that it is there is asked meanwhile.
        patience = SILENCE if self._number else None
        try:
            async with asyncio.timeout(patience):
                body = await self._came.get()
        except TimeoutError:
            raise LinkLost(f"nothing was heard of the live query for {SILENCE:g} s") from None
        if body is None:
            raise LinkLost("the leaf knows nothing of the live query any more")
        return msgspec.json.decode(body, type=Told)

    def took(self, number: int) -> None:
        """Say how many messages were taken, which makes room for more."""
        self._say(taken=number)

    def _say(self, **said: Any) -> None:
        if self._wire is not None and not self._wire.closed:
            body = codec.json_bytes({"query": self._id, **said})
            self._wire.publish(query(MACHINE, "taken", self._sender), "", b"", body)

    async def _keep(self, clock: Clock) -> None:
        """Say that somebody is there, however slow, and find out when the leaf no longer is."""
        assert self._wire is not None
        subject, body = query(MACHINE, "taken", self._sender), codec.json_bytes({"query": self._id})
        with suppress(LinkLost):
            known = True
            while known:
                await clock.sleep(BEAT)
                _, answer = await self._wire.ask(subject, b"", body, BEAT)
                known = msgspec.json.decode(answer, type=dict[str, Any]).get("known", False)
        self._came.put_nowait(None)

    async def close(self) -> None:
        """Hear no more, and say so."""
        if self._beat is not None:
            self._beat.cancel()
        if self._wire is not None:
            self._say(over=True)
            self._wire.close()

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        """See :class:`cim.adapters.nats.wire.Listener`."""
        self._came.put_nowait(body)

    def take_run(self, data: bytes, place: int) -> int:
        """See :class:`cim.adapters.nats.wire.Listener`."""
        return place

    def lose(self) -> None:
        """See :class:`cim.adapters.nats.wire.Listener`."""
        self._came.put_nowait(None)

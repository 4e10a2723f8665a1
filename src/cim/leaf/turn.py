"""Whose turn it is to run the leaf, where a machine has several hosts: an entry beside the log, written with
what is expected of it, so that two hosts never both succeed.

The turn keeps order. What must not be lost, doubled or forked is not its business: each append is guarded by
its own expectation, so that a host that was cut off and has not heard yet that its turn is over does no harm.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.direct import Found, held
from cim.adapters.nats.lean import Lean, lean_of
from cim.adapters.nats.link import refusal
from cim.adapters.nats.stream import found_or_made
from cim.contract.envelope import header_block
from cim.log.backoff import outlast
from cim.ports.clock import Clock
from cim.ports.log import LinkLost

STREAM, SUBJECT = "TURN", "turn.leaf"

RENEWED = 3.0
"""Seconds after which who has the turn says so again."""

LASTS = 20.0
"""Seconds without that, with a link all the time, after which another host takes it. The nodes take less to
elect a leader, and until then nobody can write."""

GLANCE = 1.0
PARTING = 2.0
"""Seconds at the end for giving the turn back."""

_MADE_WITH: dict[str, Any] = {
    "name": STREAM,
    "subjects": [SUBJECT],
    "storage": "file",
    "discard": "old",
    "max_msgs_per_subject": 1,
}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands there: whose turn it is ("" for nobody), in which life, and how often it was renewed."""

    host: str
    life: str
    renewal: int


class Turn:
    """This host's part in it. ``life`` is told by nobody else, not even by an earlier process here."""

    def __init__(self, client: Client, host: str, life: str, clock: Clock, tell: Tell) -> None:
        self._lean, self._host, self._clock, self._tell = lean_of(client), host, clock, tell
        self._own = Entry(host, life, 0)
        self._sequence = 0

    async def come(self) -> None:
        """Wait until it is this host's turn.

        Nobody else runs on its folder: an entry of its own is an earlier life's and is taken over at once.
        """
        await outlast(lambda: _open(self._lean), self._clock)
        told, seen, since = "", -1, self._clock.monotonic()
        while True:
            try:
                found = await held(self._lean, STREAM, {"last_by_subj": SUBJECT})
                entry, sequence = _read(found), 0 if found is None else found.sequence
                now = self._clock.monotonic()
                if sequence != seen:
                    seen, since = sequence, now
                if entry.host in ("", self._host) or now - since > LASTS:
                    if await self._write(sequence):
                        return
                    continue
                if entry.host != told:
                    told = entry.host
                    self._tell(f"the leaf runs at {told}: this host stands by")
            except LinkLost:
                since = self._clock.monotonic()
            await self._clock.sleep(GLANCE)

    async def over(self) -> str:
        """Say again and again that it is this host's turn, until another one has taken it: its name.

        While the link is lost it stays: nobody can take it then without this host hearing of it later.
        """
        while True:
            await self._clock.sleep(RENEWED)
            with suppress(LinkLost):
                if not await self._write(self._sequence):
                    return _read(await held(self._lean, STREAM, {"last_by_subj": SUBJECT})).host

    async def give_back(self) -> None:
        """Leave it to whoever stands by, if the link is there."""
        with suppress(LinkLost, TimeoutError):
            async with asyncio.timeout(PARTING):
                self._own = Entry("", self._own.life, self._own.renewal)
                await self._write(self._sequence)

    async def _write(self, expected: int) -> bool:
        """Write the entry behind what is expected; False where another one's stands there.

        An answer that is not a clear yes is settled by reading back. Raises :class:`LinkLost`.
        """
        self._own = Entry(self._own.host, self._own.life, self._own.renewal + 1)
        block = header_block({"Nats-Expected-Last-Subject-Sequence": str(expected)})
        wire = await self._lean.wire()
        try:
            _, body = await wire.ask(SUBJECT, block, msgspec.json.encode(self._own))
            answer = msgspec.json.decode(body, type=dict[str, Any])
            if refusal(answer) is None:
                self._sequence = int(answer["seq"])
                return True
        except LinkLost:
            pass  # it may stand there all the same
        found = await held(self._lean, STREAM, {"last_by_subj": SUBJECT})
        ours = found is not None and _read(found).life == self._own.life
        if found is not None and ours:
            self._sequence = found.sequence
        elif found is None or found.sequence == expected:
            raise LinkLost("the turn was not written, and nobody else wrote it")
        return ours


def _read(found: Found | None) -> Entry:
    return Entry("", "", 0) if found is None else msgspec.json.decode(found.body, type=Entry)


async def _open(lean: Lean) -> None:
    """Make the stream where it is missing. Raises :class:`LinkLost`."""
    trouble = refusal(await found_or_made(lean, _MADE_WITH))
    if trouble is not None:
        raise LinkLost(f"whose turn it is cannot be told: {trouble[1]} (code {trouble[0]})")

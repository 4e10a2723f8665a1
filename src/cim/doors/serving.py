"""Answering requests side by side: one that waits must not hold up the others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client

from cim.adapters.nats.lean import Lean, lean_of
from cim.adapters.nats.wire import Wire
from cim.contract import codec
from cim.domain.errors import CimError
from cim.log.append import OutcomeUnknown
from cim.log.backoff import delays
from cim.ports.log import LinkLost, LogRefused


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks: on which subject, with which header block (empty without one) and body."""

    subject: str
    block: bytes
    body: bytes


Answer = Callable[[Request], Awaitable[dict[str, Any]]]
Trouble = Callable[[str], None]

QUEUE = "door"


@asynccontextmanager
async def serve(
    client: Client, subject: str, answer: Answer, trouble: Trouble, queue: str = QUEUE
) -> AsyncIterator[None]:
    """Answer requests on a subject, each in a task of its own, and in any case, until the block ends. Of all
    who serve it under one ``queue`` one answers.

    What is under way at the end is given up without an answer: whoever asked repeats, and another process may
    be there for it, where this one's world is kept no more.

    An error is answered as ``{"error": TEXT}``, with ``"again": true`` where the log was not reached
    and the same request may be granted later. What a module's code raises is told to ``trouble``, too.
    """
    door = _Door(lean_of(client), subject, answer, trouble, queue)
    try:
        await door.open()
        yield
    finally:
        await door.close()


def publisher(client: Client, trouble: Trouble) -> Callable[[str, bytes], Awaitable[None]]:
    """Publishing to who follows something: what cannot be sent is told and lost, and they begin again when
    the link is back."""
    lean = lean_of(client)

    async def publish(subject: str, body: bytes) -> None:
        try:
            (await lean.wire()).publish(subject, "", b"", body)
        except (LinkLost, LogRefused) as error:
            trouble(f"{subject}: a change was not sent: {error}")

    return publish


class _Door:
    """Hears a subject over the lean connection, and again over the next one when that is lost."""

    def __init__(self, lean: Lean, subject: str, answer: Answer, trouble: Trouble, queue: str) -> None:
        self._lean, self._subject, self._answer, self._trouble = lean, subject, answer, trouble
        self._queue = queue
        self._tasks: set[asyncio.Task[None]] = set()
        self._wire: Wire | None = None
        self._number = 0
        self._hears = False

    async def open(self) -> None:
        """Begin to hear; tried until it succeeds or the general connection is closed."""
        for delay in delays():
            if self._lean.over:
                break
            with suppress(LinkLost):
                self._wire = await self._lean.wire()
                self._number = await self._wire.serve(self, self._subject, self._queue)
                self._hears = True
                break
            await asyncio.sleep(delay)

    async def close(self) -> None:
        """Hear no more, and give up what is under way."""
        if self._wire is not None and self._hears:
            self._wire.hush(self._number)
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        """See :class:`cim.adapters.nats.wire.Listener`."""
        assert self._wire is not None
        self._run(self._respond(self._wire, reply, Request(subject, block, body)))

    def take_run(self, data: bytes, place: int) -> int:
        """See :class:`cim.adapters.nats.wire.Listener`."""
        return place

    def lose(self) -> None:
        """See :class:`cim.adapters.nats.wire.Listener`."""
        if self._hears:  # or it is being opened
            self._hears = False
            self._run(self.open())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, wire: Wire, reply: str, request: Request) -> None:
        body = codec.json_bytes(await self._answered(request))
        if len(body) > wire.max_payload:
            error = f"the answer has {len(body):,} bytes, {wire.max_payload:,} fit in a message: ask for less"
            body = codec.json_bytes({"error": error})
        # Where the connection was lost meanwhile, whoever asked repeats or tells that the outcome is unknown.
        if reply:
            wire.publish(reply, "", b"", body)

    async def _answered(self, request: Request) -> dict[str, Any]:
        try:
            return await self._answer(request)
        except (LinkLost, OutcomeUnknown) as lost:
            return {"error": str(lost), "again": True}
        except CimError as error:
            return {"error": str(error)}
        except Exception as error:
            self._trouble(f"{request.subject}: {type(error).__name__}: {error}")
            return {"error": f"the machine failed on it: {type(error).__name__}: {error}"}

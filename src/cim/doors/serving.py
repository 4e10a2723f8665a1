"""Answering requests side by side: one that waits must not hold up the others."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.contract import codec
from cim.domain.errors import CimError
from cim.log.append import OutcomeUnknown
from cim.ports.log import LinkLost

Answer = Callable[[Msg], Awaitable[dict[str, Any]]]
Trouble = Callable[[str], None]

QUEUE = "door"


async def serve(client: Client, subject: str, answer: Answer, trouble: Trouble) -> None:
    """Answer requests on a subject from now on, each in a task of its own, and in any case.

    An error is answered as ``{"error": TEXT}``, with ``"again": true`` where the log was not reached
    and the same request may be granted later. What a module's code raises is told to ``trouble``, too.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def start(message: Msg) -> None:
        task = asyncio.create_task(_respond(client, message, answer, trouble))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    await client.subscribe(subject, queue=QUEUE, cb=start)


async def _respond(client: Client, message: Msg, answer: Answer, trouble: Trouble) -> None:
    body = codec.json_bytes(await _answered(message, answer, trouble))
    if len(body) > client.max_payload:
        error = f"the answer has {len(body):,} bytes, {client.max_payload:,} fit in a message: ask for less"
        body = codec.json_bytes({"error": error})
    try:
        if message.reply:
            await message.respond(body)
    except errors.Error as lost:  # whoever asked repeats, or tells that the outcome is unknown
        trouble(f"{message.subject}: the answer was not sent: {type(lost).__name__} {lost}".rstrip())


async def _answered(message: Msg, answer: Answer, trouble: Trouble) -> dict[str, Any]:
    try:
        return await answer(message)
    except (LinkLost, OutcomeUnknown) as lost:
        return {"error": str(lost), "again": True}
    except CimError as error:
        return {"error": str(error)}
    except Exception as error:
        trouble(f"{message.subject}: {type(error).__name__}: {error}")
        return {"error": f"the machine failed on it: {type(error).__name__}: {error}"}

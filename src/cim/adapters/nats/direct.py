"""Reading a stream page by page with batched direct gets: nothing is made on the server for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TypeVar

import msgspec
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.adapters.nats.link import ask_api, noticing_loss, refusal, replicas_of
from cim.ports.log import LinkLost

NO_MESSAGE = 10037
"""The server's code for: there is no such message."""

_PAGE = 256
_SILENCE = 2.0
_GLANCE = 0.01


T = TypeVar("T")


async def whole(
    client: Client,
    stream: str,
    subject: str,
    after: int,
    read: Callable[[int], AsyncIterator[T]],
    place: Callable[[T], int],
) -> AsyncIterator[T]:
    """All that ``read`` gives past ``after``, up to what the stream's leader holds on the subject.

    A direct get is answered by any replica, and in a cluster it may lag behind: then it is asked again.
    Raises :class:`LinkLost` where none has caught up in two seconds.
    """
    newest = await newest_on(client, stream, subject) if replicas_of(client) > 1 else 0
    glances = int(_SILENCE / _GLANCE)
    for _ in range(glances):
        async for one in read(after):
            yield one
            after = place(one)
        if after >= newest:
            return
        await asyncio.sleep(_GLANCE)
    raise LinkLost(f"{subject}: the replicas are behind: at {after}, the leader at {newest}")


async def newest_on(client: Client, stream: str, subject: str) -> int:
    """The sequence of the last message on a subject, as the stream's leader holds it; 0 for none.

    Raises :class:`LinkLost`.
    """
    answer = await ask_api(client, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
    trouble = refusal(answer)
    if trouble is None:
        return int(answer["message"]["seq"])
    if trouble[0] == NO_MESSAGE:
        return 0
    raise LinkLost(f"{subject}: the last message was not told: {trouble[1]} (code {trouble[0]})")


def messages(client: Client, stream: str, subject: str, after: int = 0) -> AsyncIterator[Msg]:
    """The stored messages on a subject (``*`` and ``>`` as wildcards) past the sequence ``after``, in
    order; ends at the newest. Each tells its place in its headers. Raises :class:`LinkLost`."""
    read = partial(_pages, client, stream, subject)
    return whole(client, stream, subject, after, read, sequence_of)


async def _pages(client: Client, stream: str, subject: str, after: int) -> AsyncIterator[Msg]:
    while True:
        try:
            page, more = await _page(client, stream, subject, after)
        except errors.Error as error:
            raise LinkLost(f"{subject}: read failed: {type(error).__name__} {error}".rstrip()) from error
        for message in page:
            yield message
        if not more:
            return
        after = sequence_of(page[-1])


def sequence_of(message: Msg) -> int:
    """The sequence of a message that a direct get brought."""
    return int((message.headers or {})["Nats-Sequence"])


async def _page(client: Client, stream: str, subject: str, after: int) -> tuple[list[Msg], bool]:
    """One batched direct get: its messages, and whether there are more."""
    inbox = client.new_inbox()
    answers: asyncio.Queue[Msg | None] = asyncio.Queue()
    subscription = await client.subscribe(
        inbox, cb=answers.put, pending_msgs_limit=-1, pending_bytes_limit=-1
    )
    query = {"seq": after + 1, "next_by_subj": subject, "batch": _PAGE}
    try:
        with noticing_loss(client, lambda: answers.put_nowait(None)):
            await client.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(query), reply=inbox)
            return await _gather(answers, f"{subject} behind sequence {after}")
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()


async def _gather(answers: "asyncio.Queue[Msg | None]", what: str) -> tuple[list[Msg], bool]:
    page: list[Msg] = []
    while True:
        try:
            async with asyncio.timeout(_SILENCE):
                message = await answers.get()
        except TimeoutError as silent:
            raise LinkLost(f"{what}: a read was not answered") from silent
        if message is None:
            raise LinkLost(f"{what}: the link was lost in the middle of a read")
        headers = message.headers or {}
        if "Nats-Sequence" in headers:
            # A stored message tells its place, whatever its own headers say of a status.
            page.append(message)
            continue
        match headers.get("Status"):
            case "204":
                return page, bool(page) and headers.get("Nats-Num-Pending", "0") != "0"
            case "404":
                return page, False
            case status:
                raise LinkLost(f"{what}: read failed: {status} {headers.get('Description', '')}")

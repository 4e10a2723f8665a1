"""How the processes that run systems hear of each other: each says each second that it is there."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.contract.subjects import share
from cim.ports.clock import Clock
from cim.world.division import Division, Member

BEAT = 1.0
"""Seconds between two words of a process."""


@asynccontextmanager
async def divided(
    client: Client, division: Division, clock: Clock, again: Callable[[], None]
) -> AsyncIterator[Callable[[], Coroutine[Any, Any, None]]]:
    """Take part until the block ends; gives what is to run beside it. ``again`` is called when there may be
    more to do here: another process has gone."""
    body = msgspec.json.encode(division.own)

    async def say(word: bytes) -> None:
        with suppress(errors.Error, OSError):  # a word that is lost is said again
            await client.publish(share(division.own.id), word)

    async def hear(message: Msg) -> None:
        id = message.subject.rpartition(".")[2]
        if not message.data:
            if division.leave(id):
                again()
            return
        with suppress(msgspec.MsgspecError):
            member = msgspec.json.decode(message.data, type=Member)
            if division.hear(member, clock.monotonic()):
                await say(body)  # who has just come need not wait to hear of this one

    async def beat() -> None:
        while True:
            await say(body)
            if division.expire(clock.monotonic()):
                again()
            await clock.sleep(BEAT)

    heard = await client.subscribe(share("*"), cb=hear)
    try:
        yield beat
    finally:
        await say(b"")
        with suppress(errors.Error, OSError):
            await heard.unsubscribe()

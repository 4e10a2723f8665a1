"""Answering messages side by side: one that waits must not hold up the others."""

import asyncio
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg

Take = Callable[[Msg], Awaitable[None]]


def concurrently(take: Take) -> Take:
    """The same handler, each message in a task of its own; the tasks are held until they end."""
    tasks: set[asyncio.Task[None]] = set()

    async def start(message: Msg) -> None:
        async def run() -> None:
            await take(message)

        task = asyncio.create_task(run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return start

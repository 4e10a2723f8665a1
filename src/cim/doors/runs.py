"""The door that tells what a process that runs systems is at. Each such process answers, so that who asks
hears of those that joined with modules of their own, too."""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import TimeoutError as NothingCame

from cim.contract.subjects import runs
from cim.doors.serving import Request, serve
from cim.world.schedule import Schedule

MOST = 1000
"""Runs that one process tells of by name; how many there are it tells in any case."""

QUIET = 0.3
"""Seconds after which nobody else is taken to answer."""

PATIENCE = 5.0
"""Seconds that the leaf has to answer."""


class Trying(msgspec.Struct, frozen=True):
    """A run that could not be made now: why, after how many tries, and seconds until the next one."""

    entity: str
    system: str
    cause: str
    tries: int
    next: float


class LeftAlone(msgspec.Struct, frozen=True):
    """A binding over NATS that nobody is asked of for now: why, and seconds until the next trial."""

    subject: str
    cause: str
    left: float


class AtWork(msgspec.Struct, frozen=True):
    """What one process is at: its systems and the version of each, of how many old entities all is ``done``,
    how many runs are ``left`` for now, of those that are tried again the first, with how many tries each has,
    and the bindings over NATS that it leaves alone; the systems that may not work now, and why."""

    pid: int
    systems: tuple[str, ...]
    done: int
    of: int
    left: int
    most: int
    trying: tuple[Trying, ...] = ()
    alone: tuple[LeftAlone, ...] = ()
    versions: tuple[str, ...] = ()
    closed: dict[str, str] = {}

    def version(self, system: str) -> str | None:
        """The version in which it runs a system; None where it does not run it."""
        return dict(zip(self.systems, self.versions, strict=False)).get(system)


def at_work(schedule: Schedule, alone: Iterable[LeftAlone] = ()) -> AtWork:
    """What this process is at."""
    done, of = schedule.progress
    trying = tuple(
        Trying(str(one.entity), one.system, one.cause, one.tries, round(one.next, 3))
        for one in schedule.trying(MOST)
    )
    systems = tuple(map(str, schedule.systems))
    left, most = schedule.left, schedule.most_tries
    versions = tuple(system.version for system in schedule.systems)
    return AtWork(os.getpid(), systems, done, of, left, most, trying, tuple(alone), versions, schedule.closed)


def serve_runs(
    client: Client,
    schedule: Schedule,
    id: str,
    trouble: Callable[[str], None],
    alone: Callable[[], Iterable[LeftAlone]] = tuple,
) -> AbstractAsyncContextManager[None]:
    """Tell whoever asks, until the block ends; ``id`` is this process's alone, ``alone`` says which bindings
    it leaves alone."""

    async def answer(request: Request) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.to_builtins(at_work(schedule, alone()))
        return told

    return serve(client, runs("*"), answer, trouble, queue=id)


async def ask_runs(client: Client, sender: str, leaf: int) -> list[AtWork]:
    """What each process is at that runs systems; waits for the one with the pid ``leaf``, if it runs any."""
    found: list[AtWork] = []
    inbox = client.new_inbox()
    heard = await client.subscribe(inbox)
    await client.publish(runs(sender), b"", reply=inbox)
    deadline = asyncio.get_running_loop().time() + PATIENCE
    with suppress(NothingCame):
        while True:
            is_there = any(one.pid == leaf for one in found)
            left = deadline - asyncio.get_running_loop().time()
            message = await heard.next_msg(timeout=QUIET if is_there else max(left, QUIET))
            if not message.data:  # the server's own word that nobody serves it
                break
            found.append(msgspec.json.decode(message.data, type=AtWork))
    await heard.unsubscribe()
    return found

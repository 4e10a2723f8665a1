"""A worker as the leaf sees it: one process, its pipe, and how it ended."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cim.contract import codec
from cim.domain.errors import Misdeclared
from cim.leaf import die_with_parent
from cim.leaf.frames import LENGTH, Frame, Serve, packed, unpacked
from cim.leaf.machine import Limits

NICE = 2
"""How far a worker stands back behind the leaf, whose answers people wait for."""

START = 60.0
"""Seconds that a worker has to load its modules and weights."""


class Gone(Exception):
    """A worker ended in the middle of a run."""


@dataclass(eq=False, slots=True)
class Worker:
    """One process and its pipe."""

    process: asyncio.subprocess.Process
    limits: Limits

    @classmethod
    async def start(cls, serve: Serve, limits: Limits, *, behind: bool = False) -> "Worker":
        """Start one and wait until it is ready; while it starts it stands back only if ``behind``.

        Raises :class:`Misdeclared` with its reason if it cannot be, :class:`Gone` if it ended without one.
        """
        command = [sys.executable, "-m", "cim.leaf.worker"]
        if sys.platform == "linux":
            guard = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
            command = guard + command
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        worker = cls(process, limits)
        if behind:
            worker.stand_back(NICE)
        try:
            async with asyncio.timeout(START):
                await worker.say(Frame("serve", "", codec.plain(serve)))
                first = await worker.hear()
        except TimeoutError as error:
            await worker.end()
            raise Misdeclared(f"a worker did not start: it was not ready in {START:g} s") from error
        except BaseException:
            await worker.end()
            raise
        if first.kind != "ready":
            await worker.end()
            raise Misdeclared(first.text)
        worker.stand_back(NICE)
        return worker

    async def say(self, frame: Frame) -> None:
        """Send a frame; raises :class:`Gone`."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(packed(frame))
            await self.process.stdin.drain()
        except OSError as error:
            raise Gone(await self.manner()) from error

    async def hear(self) -> Frame:
        """The next frame; raises :class:`Gone`."""
        assert self.process.stdout is not None
        try:
            size = int.from_bytes(await self.process.stdout.readexactly(LENGTH), "big")
            return unpacked(await self.process.stdout.readexactly(size))
        except asyncio.IncompleteReadError as error:
            raise Gone(await self.manner()) from error

    def stand_back(self, nice: int) -> None:
        """Let it stand that far behind the leaf from now on."""
        # Where the leaf itself stands further back, it may not be let forward.
        with suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PROCESS, self.process.pid, nice)
        # Linux may share out the processors by sessions first, and a worker has a session of its own: then
        # what counts is how far that stands back (sched(7), "The autogroup feature").
        with suppress(OSError):
            Path(f"/proc/{self.process.pid}/autogroup").write_text(str(nice))

    def held_up(self) -> float:
        """Seconds in which it would have worked and others had the processors; 0 where the system does not
        tell."""
        with suppress(OSError, LookupError, ValueError):
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9
        return 0.0

    async def manner(self) -> str:
        """How it ended, in words."""
        code = await self.process.wait()
        return f"it crashed ({signal.Signals(-code).name})" if code < 0 else f"it ended with code {code}"

    async def end(self) -> None:
        """Kill it and wait until it is gone."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

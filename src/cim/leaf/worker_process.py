"""A worker as the leaf sees it: one process, its pipe, and how it ended."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cim.contract import codec
from cim.domain.errors import Misdeclared
from cim.leaf import die_with_parent
from cim.leaf.frames import LENGTH, Frame, Serve, packed, unpacked

NICE = 2
"""How far a worker stands back behind the leaf, whose answers people wait for."""

START = 60.0
"""Seconds that a worker has to load its modules and weights."""

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What keeps native code from threads of its own, unless somebody wants them: there are as many workers as
cores, and a process with threads cannot be forked."""


class Gone(Exception):
    """A worker ended in the middle of a run."""


class Process(Protocol):
    """What the leaf knows of a process: one that it started, or that was forked from its seed."""

    @property
    def pid(self) -> int:
        """Its number, which the kernel may give to another process once this one has ended."""
        ...

    @property
    def returncode(self) -> int | None:
        """How it ended: its code, or the signal as a negative number; None while it runs."""
        ...

    def kill(self) -> None:
        """Kill it, if it runs."""
        ...

    async def wait(self) -> int:
        """Its return code, when it has ended."""
        ...


@dataclass(eq=False, slots=True)
class Worker:
    """One process and its pipe."""

    process: Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    # Kept open, for it is read twice a step; None where the system does not tell.
    _waited: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        with suppress(OSError):
            self._waited = os.open(f"/proc/{self.process.pid}/schedstat", os.O_RDONLY)

    @classmethod
    async def start(cls, serve: Serve, *, behind: bool = False) -> "Worker":
        """Start one and wait until it is ready; while it starts it stands back only if ``behind``.

        Raises :class:`Misdeclared` with its reason if it cannot be, :class:`Gone` if it ended without one.
        """
        worker, _ = await cls.load(serve, None, behind=behind)
        return worker

    @classmethod
    async def load(
        cls, serve: Serve, control: socket.socket | None, *, behind: bool
    ) -> tuple["Worker", Frame]:
        """Start a process that loads everything, to be a seed if there is a ``control`` to ask it over; the
        process, and what it says when it has loaded."""
        worker = await cls._spawn(control)
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
        if first.kind == "refused":
            await worker.end()
            raise Misdeclared(first.text)
        worker.stand_back(NICE)
        return worker, first

    @classmethod
    async def _spawn(cls, control: socket.socket | None) -> "Worker":
        command = [sys.executable, "-m", "cim.leaf.worker"]
        if control is not None:
            command.append(str(control.fileno()))
        if sys.platform == "linux":
            guard = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
            command = guard + command
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=() if control is None else (control.fileno(),),
            env={**ONE_THREAD, **os.environ},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        return cls(process, process.stdout, process.stdin)

    async def say(self, frame: Frame) -> None:
        """Send a frame; raises :class:`Gone`."""
        try:
            self.writer.write(packed(frame))
            await self.writer.drain()
        except OSError as error:
            raise Gone(await self.manner()) from error

    async def hear(self) -> Frame:
        """The next frame; raises :class:`Gone`."""
        try:
            size = int.from_bytes(await self.reader.readexactly(LENGTH), "big")
            return unpacked(await self.reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Gone(await self.manner()) from error

    def stand_back(self, nice: int) -> None:
        """Let it stand that far behind the leaf from now on."""
        if self.process.returncode is not None:
            return
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
        if self._waited is not None:
            with suppress(OSError, LookupError, ValueError):
                return int(os.pread(self._waited, 100, 0).split()[1]) / 1e9
        return 0.0

    async def manner(self) -> str:
        """How it ended, in words."""
        code = await self.process.wait()
        return f"it crashed ({signal.Signals(-code).name})" if code < 0 else f"it ended with code {code}"

    async def end(self) -> None:
        """Kill it and wait until it is gone."""
        with suppress(ProcessLookupError):
            self.process.kill()
        if self._waited is not None:
            os.close(self._waited)
            self._waited = None
        self.writer.close()
        await self.process.wait()

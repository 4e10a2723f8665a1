"""Systems in processes of their own: what hangs, crashes or eats memory takes down nothing but itself.

A worker runs one system at a time. It is killed when it takes longer over one step (a provider's call,
or its own code between two) than the machine allows, and started again when it is needed. Before that,
a run with a long step steps aside: it goes on behind the others, and another worker takes its place.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cim.contract import codec
from cim.contract.system import SystemType
from cim.domain.component import Component
from cim.domain.errors import CimError, Failure, Misdeclared
from cim.leaf import die_with_parent
from cim.leaf.frames import LENGTH, Frame, Serve, packed, unpacked
from cim.leaf.machine import Limits
from cim.log.backoff import outlast
from cim.ports.blobs import BlobMissing, BlobStore
from cim.ports.clock import Clock

TRIES = 3
"""Workers that a run may end before it is taken to be its fault."""

START = 60.0
"""Seconds that a worker has to load its modules and weights."""

LONG = 1 / 6
"""The share of a step's limit after which its run steps aside: 5 s of 30."""

ROOM_ASIDE = 2
"""Runs that may be aside at once, for each worker."""

BEHIND = 15
"""How far a worker then stands back behind the leaf and the other workers."""


class Gone(Exception):
    """A worker ended in the middle of a run."""


@dataclass(eq=False, slots=True)
class Worker:
    """One process and its pipe."""

    process: asyncio.subprocess.Process
    limits: Limits

    @classmethod
    async def start(cls, serve: Serve, limits: Limits) -> "Worker":
        """Start one and wait until it is ready; raises :class:`Misdeclared` with its reason if it cannot
        be, :class:`Gone` if it ended without one."""
        command = [sys.executable, "-m", "cim.leaf.worker"]
        if sys.platform == "linux":
            guard = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
            command = guard + command
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        worker = cls(process, limits)
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

    async def manner(self) -> str:
        """How it ended, in words."""
        code = await self.process.wait()
        return f"it crashed ({signal.Signals(-code).name})" if code < 0 else f"it ended with code {code}"

    async def end(self) -> None:
        """Kill it and wait until it is gone."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@dataclass(eq=False, slots=True)
class Run:
    """A run under way; ``tell_aside`` tells the schedule that it has stepped aside."""

    system: SystemType
    values: Mapping[str, Any]
    tell_aside: Callable[[], None]
    is_aside: bool = False


class Workers:
    """Runs systems in worker processes; fulfils :class:`cim.world.runner.Runner`.

    There are as many as it was opened with, and at most :data:`ROOM_ASIDE` times as many for runs that
    stepped aside.
    """

    def __init__(
        self,
        serve: Serve,
        limits: Limits,
        blobs: BlobStore,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._serve, self._limits = serve, limits
        self._blobs, self._clock, self._tell = blobs, clock, tell
        self._all: set[Worker] = set()
        # A place for each run at once, and the workers that wait for one; where none does, one is started.
        self._places = asyncio.Semaphore(0)
        self._idle: list[Worker] = []
        self._room_aside = 0

    async def open(self, count: int) -> None:
        """Start the first workers side by side; a run waits for one of them. Raises :class:`Misdeclared`
        where a worker cannot be, such as for weights that are damaged."""
        self._room_aside = ROOM_ASIDE * count

        async def one() -> None:
            self._idle.append(await self._first())
            self._places.release()

        for error in await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True):
            if isinstance(error, BaseException):
                raise error

    async def close(self) -> None:
        """End all of them."""
        while self._all:
            await self._all.pop().end()

    async def run(
        self, system: SystemType, given: Mapping[str, Any], aside: Callable[[], None]
    ) -> tuple[Component | None, ...]:
        """One run; raises :class:`Failure` with the cause of whatever ended it.

        A worker that ends by itself may have been killed by somebody else: the run is made again, in a
        fresh one, and only what ends :data:`TRIES` of them is at fault.
        """
        values = {name: codec.plain(value) for name, value in given.items() if not isinstance(value, type)}
        for _ in range(TRIES):
            try:
                return await self._once(Run(system, values, aside))
            except Gone as gone:
                manner = str(gone)
                self._tell(f"a worker at {system} is gone: {manner}")
        raise Failure(f"the process that worked on it ended {TRIES} times: {manner}")

    async def _once(self, run: Run) -> tuple[Component | None, ...]:
        await self._places.acquire()
        worker: Worker | None = None
        try:
            worker = await self._idle_one() or await self._start()
            answer = await self._answer(worker, run)
        except BaseException:
            # Nobody waits for its answer any more, so it must not give it to the next run.
            self._give_back(run)
            if worker is not None:
                await self._end(worker)
            raise
        if run.is_aside:  # nobody may let it come forward again
            await self._end(worker)
        else:
            self._idle.append(worker)
        self._give_back(run)
        if answer.kind == "failed":
            raise Failure(answer.text)
        return tuple(_output(run.system, one) for one in answer.data)

    async def _idle_one(self) -> Worker | None:
        """A worker that waits; one that ended while it did is no run's fault."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.returncode is None:
                return worker
            self._tell(f"a worker that waited is gone: {await worker.manner()}")
            await self._end(worker)
        return None

    async def _end(self, worker: Worker) -> None:
        self._all.discard(worker)
        await worker.end()

    def _step_aside(self, run: Run, worker: Worker) -> None:
        if run.is_aside or not self._room_aside:
            return
        self._room_aside -= 1
        run.is_aside = True
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, worker.process.pid, BEHIND)
        self._places.release()
        run.tell_aside()

    def _give_back(self, run: Run) -> None:
        """Give back the run's place, or the room that it took aside."""
        if run.is_aside:
            self._room_aside += 1
            run.is_aside = False
        else:
            self._places.release()

    async def _first(self) -> Worker:
        """One of the first workers: one that is ended while it starts is no fault of the machine's either."""
        for _ in range(TRIES):
            try:
                return await self._start()
            except Gone as gone:
                manner = str(gone)
                self._tell(f"a worker that started is gone: {manner}")
        raise Misdeclared(f"no worker starts: {TRIES} ended, the last because {manner}")

    async def _start(self) -> Worker:
        worker = await Worker.start(self._serve, self._limits)
        self._all.add(worker)
        return worker

    async def _answer(self, worker: Worker, run: Run) -> Frame:
        await worker.say(Frame("run", str(run.system), run.values))
        while True:
            said = await self._step(worker, run)
            match said.kind:
                case "done" | "failed":
                    return said
                case "step":
                    continue
                case "load":
                    await worker.say(await self._loaded(said.text))
                case "keep":
                    await worker.say(await self._kept(said))
                case strange:
                    raise Gone(f"it said {strange!r}, which is no frame of a worker")

    async def _step(self, worker: Worker, run: Run) -> Frame:
        """What the worker says at the end of its step; raises :class:`Failure` at the limit."""
        limit = self._limits.seconds
        long = asyncio.get_running_loop().call_later(LONG * limit, self._step_aside, run, worker)
        try:
            async with asyncio.timeout(limit):
                return await worker.hear()
        except TimeoutError as error:
            raise Failure(f"stopped: one step of it took more than {limit:g} seconds") from error
        finally:
            long.cancel()

    async def _loaded(self, sha256: str) -> Frame:
        try:
            return Frame("content", "", await outlast(lambda: self._blobs.load(sha256), self._clock))
        except BlobMissing as missing:
            return Frame("missing", str(missing))

    async def _kept(self, said: Frame) -> Frame:
        blob = await outlast(lambda: self._blobs.keep(said.data, said.text), self._clock)
        return Frame("kept", "", codec.plain(blob))


def _output(system: SystemType, said: tuple[str, Any] | None) -> Component | None:
    if said is None:
        return None
    name, data = said
    for kind in system.writes:
        if kind.name == name:
            return codec.typed(data, kind.component)
    names = ", ".join(kind.name for kind in system.writes)
    raise CimError(f"{system} returned {name}, its signature says {names}")

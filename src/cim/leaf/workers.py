"""Systems in processes of their own: what hangs, crashes or eats memory takes down nothing but itself.

A worker runs one system at a time. It is killed when it takes longer over one step (a provider's call,
or its own code between two) than the machine allows, and started again when it is needed. Before that,
a run whose step takes longer than is usual steps aside when others wait: it goes on behind them, and
another worker takes its place.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cim.agents.runs import Runs, UnderWay
from cim.agents.steps import Step
from cim.capabilities.calls import Calls
from cim.contract import codec
from cim.contract.system import SystemType
from cim.domain.component import Component
from cim.domain.errors import CimError, Failure, Misdeclared, Unavailable
from cim.leaf.frames import Frame, Serve
from cim.leaf.machine import Limits
from cim.leaf.seed_process import Nursery
from cim.leaf.usual import LONG, Usual
from cim.leaf.watch import Watch
from cim.leaf.worker_process import Gone, Worker
from cim.log.backoff import delays, outlast
from cim.ports.blobs import BlobMissing, BlobStore
from cim.ports.clock import Clock
from cim.ports.log import LinkLost
from cim.world.due import Call
from cim.world.runner import Asks, Halted, Place

TRIES = 3
"""Workers that a run may end before it is taken to be its fault."""

ROOM_ASIDE = 2
"""Runs that may be aside at once, for each worker."""

SPARE = 1
"""Workers more than it was opened with: nobody waits for the start of one when a run hangs or crashes."""

BEHIND = 10
"""How far a worker then stands back behind the leaf and the other workers: it gets about a sixth of what they
get, so that it ends in any case."""


@dataclass(eq=False, slots=True)
class Run:
    """A run under way, its place among those at once, and where an agent makes it what that does, and why it
    ends before it is done."""

    system: SystemType
    values: Mapping[str, Any]
    place: Place
    thinks: UnderWay | None = None
    ends: Asks | Halted | None = None
    is_aside: bool = False


class Workers:
    """Runs systems in worker processes; fulfils :class:`cim.world.runner.Runner`.

    There are as many as it was opened with, :data:`SPARE` more, and at most :data:`ROOM_ASIDE` times as
    many for runs that stepped aside. A run waits until one of them is free.
    """

    def __init__(
        self,
        serve: Serve,
        limits: Limits,
        blobs: BlobStore,
        clock: Clock,
        tell: Callable[[str], None],
        calls: Calls | None = None,
        runs: Runs | None = None,
    ) -> None:
        self._calls, self._runs = calls, runs
        self._nursery, self._limits = Nursery(serve, tell), limits
        self._usual = Usual(limits.seconds)
        self._blobs, self._clock, self._tell = blobs, clock, tell
        self._all: set[Worker] = set()
        # The workers that wait for a run, and as many permits.
        self._idle: list[Worker] = []
        self._ready = asyncio.Semaphore(0)
        self._room_aside = self._aside = self._wanted = self._most = 0
        # Runs that would step aside if there were room.
        self._stuck: dict[Run, Worker] = {}
        self._spare_later: asyncio.TimerHandle | None = None
        self._filling: asyncio.Task[None] | None = None

    async def open(self, count: int, most: int = 0) -> None:
        """Start the first workers side by side; a run waits for one of them. Where there may be ``most``,
        more are started while runs find none. Raises :class:`Misdeclared` where a worker cannot be, such as
        for weights that are damaged."""
        self._room_aside, self._most = ROOM_ASIDE * max(count, most), most

        async def one() -> None:
            self._put(await self._first())

        for error in await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True):
            if isinstance(error, BaseException):
                raise error
        if count:
            self._want(count)
            # Where a spare one has to load everything, the first runs have the cores to themselves so long.
            when = 0.0 if self._nursery.can_fork else LONG * self._limits.seconds / 2
            loop = asyncio.get_running_loop()
            self._spare_later = loop.call_later(when, self._want, count + SPARE)

    async def close(self) -> None:
        """End all of them."""
        self._wanted = 0
        if self._spare_later is not None:
            self._spare_later.cancel()
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
        while self._all:
            await self._all.pop().end()
        await self._nursery.close()

    async def run(
        self, system: SystemType, given: Mapping[str, Any], place: Place, call: Call | None = None
    ) -> tuple[Component | None, ...]:
        """One run; raises :class:`Failure` with the cause of whatever ended it, :class:`Unavailable` where
        what it needs could not be reached.

        A worker that ends by itself may have been killed by somebody else: the run is made again, in a
        fresh one, and only what ends :data:`TRIES` of them is at fault.
        """
        values = {name: codec.plain(value) for name, value in given.items() if not isinstance(value, type)}
        for _ in range(TRIES):
            try:
                return await self._once(Run(system, values, place, self._thinking(call, values)))
            except Gone as gone:
                manner = str(gone)
                self._tell(f"a worker at {system} is gone: {manner}")
        raise Failure(f"the process that worked on it ended {TRIES} times: {manner}")

    def _thinking(self, call: Call | None, values: Mapping[str, Any]) -> UnderWay | None:
        if call is None or call.system.agent is None or self._runs is None:
            return None
        return self._runs.open(call, values)

    async def _once(self, run: Run) -> tuple[Component | None, ...]:
        worker = await self._take()
        try:
            answer = await self._answer(worker, run)
        except BaseException:
            # Nobody waits for its answer any more, so it must not give it to the next run.
            await self._end(worker, run)
            raise
        if run.is_aside:  # nobody may let it come forward again
            await self._end(worker, run)
        else:
            self._put(worker)
        if answer.kind == "ended" and run.ends is not None:
            raise run.ends
        if answer.kind != "done":
            raise Unavailable(answer.text) if answer.kind == "unavailable" else Failure(answer.text)
        return tuple(_output(run.system, one) for one in answer.data)

    async def _take(self) -> Worker:
        """A worker that waits, the one that worked last; one that ended while it waited is no run's fault."""
        while True:
            if self._ready.locked() and self._wanted < self._most:
                self._want(self._wanted + 1)
            await self._ready.acquire()
            worker = self._idle.pop()
            if worker.process.returncode is None:
                return worker
            self._tell(f"a worker that waited is gone: {await worker.manner()}")
            await self._end(worker)

    def _put(self, worker: Worker) -> None:
        """Let a worker wait for its next run."""
        self._idle.append(worker)
        self._ready.release()

    async def _end(self, worker: Worker, run: Run | None = None) -> None:
        """End a worker, and give back the room that its run took aside."""
        if run is not None and run.is_aside:
            self._aside -= 1
            run.is_aside = False
            for stuck, its_worker in list(self._stuck.items()):
                self._step_aside(stuck, its_worker)
        self._all.discard(worker)
        await worker.end()
        self._fill_up()

    def _want(self, count: int) -> None:
        """Have so many workers from now on, those aside not counted."""
        self._wanted = count
        self._fill_up()

    def _fill_up(self) -> None:
        """See to it that there are as many workers as are wanted."""
        if self._missing > 0 and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill())

    @property
    def _missing(self) -> int:
        return self._wanted - (len(self._all) - self._aside)

    async def _fill(self) -> None:
        told = ""
        for delay in delays():
            try:
                while self._missing > 0:
                    worker = await self._start(behind=True)
                    self._idle.insert(0, worker)  # behind those that are warm
                    self._ready.release()
                return
            except (Gone, Misdeclared) as error:
                if told != (told := str(error)):
                    self._tell(f"a worker does not start: {error}; trying again")
            await self._clock.sleep(delay)

    def _step_aside(self, run: Run, worker: Worker) -> None:
        if run.is_aside or not run.place.is_wanted():
            return
        if self._aside == self._room_aside:
            self._stuck[run] = worker
            return
        self._stuck.pop(run, None)
        self._aside += 1
        run.is_aside = True
        worker.stand_back(BEHIND)
        run.place.leave()
        self._fill_up()

    async def _first(self) -> Worker:
        """One of the first workers: one that is ended while it starts is no fault of the machine's either."""
        for _ in range(TRIES):
            try:
                return await self._start()
            except Gone as gone:
                manner = str(gone)
                self._tell(f"a worker that started is gone: {manner}")
        raise Misdeclared(f"no worker starts: {TRIES} ended, the last because {manner}")

    async def _start(self, *, behind: bool = False) -> Worker:
        worker = await self._nursery.worker(behind=behind)
        self._all.add(worker)
        return worker

    async def _answer(self, worker: Worker, run: Run) -> Frame:
        await worker.say(Frame("run", str(run.system), run.values))
        kind, limit = str(run.system), self._limits.seconds
        while True:
            said = await self._watched(worker, run, kind, worker.hear(), limit)
            limit = self._limits.seconds
            match said.kind:
                case "done" | "failed" | "unavailable" | "ended":
                    return said
                case "step":
                    kind = said.text
                case "think":
                    kind, limit = f"{run.system} thinks", self._limits.thinking_seconds
                case "recall" | "note" | "act":
                    await worker.say(
                        await self._watched(worker, run, said.kind, self._thought(run, said), math.inf)
                    )
                case "load":
                    await worker.say(await self._loaded(said.text))
                case "keep":
                    await worker.say(await self._kept(said))
                case "ask":
                    await worker.say(await self._watched(worker, run, said.text, self._ask(said), math.inf))
                case strange:
                    raise Gone(f"it said {strange!r}, which is no frame of a worker")

    async def _watched(
        self, worker: Worker, run: Run, kind: str, step: Awaitable[Frame], limit: float
    ) -> Frame:
        """What the worker says at the end of its step, or what is done for it; let aside when it takes long.
        Raises :class:`Failure` at the limit."""
        watch = Watch(
            worker,
            self._usual.long(kind),
            limit,
            is_aside=lambda: run.is_aside,
            step_aside=lambda: self._step_aside(run, worker),
        )
        try:
            said = await watch.over(step)
        except TimeoutError as error:
            raise Failure(f"stopped: one step of it took more than {limit:g} seconds") from error
        finally:
            self._stuck.pop(run, None)
        self._usual.note(kind, watch.took)
        return said

    async def _loaded(self, sha256: str) -> Frame:
        try:
            return Frame("content", "", await outlast(lambda: self._blobs.load(sha256), self._clock))
        except BlobMissing as missing:
            return Frame("missing", str(missing))

    async def _ask(self, said: Frame) -> Frame:
        """What a provider over NATS answers; a call that is lost with the server is made again."""
        (subject, arguments), calls = said.data, self._calls
        if calls is None:
            return Frame("missing", f"{subject}: nothing is asked over NATS here")
        try:
            answered = await outlast(lambda: calls.ask(subject, said.text, arguments), self._clock)
        except Unavailable as error:
            return Frame("unavailable", str(error))
        except Failure as error:
            return Frame("missing", str(error))
        return Frame("answered", answered.provider, answered.body)

    async def _thought(self, run: Run, said: Frame) -> Frame:
        """What is remembered, written down or done for an agent."""
        if run.thinks is None:
            return Frame("missing", f"{run.system} is no agent, and asks to {said.kind}")
        try:
            match said.kind:
                case "recall":
                    prompt, steps = await run.thinks.recall()
                    return Frame("recalled", prompt, [codec.plain(step) for step in steps])
                case "note":
                    await run.thinks.note(codec.typed(said.data, Step))
                    return Frame("noted")
                case _:
                    think, number, arguments = said.data
                    return Frame("acted", "", await run.thinks.act((think, number), said.text, arguments))
        except (Asks, Halted) as ends:
            run.ends = ends
            return Frame("end")
        except (Unavailable, LinkLost) as error:
            return Frame("unavailable", str(error))
        except CimError as error:
            return Frame("missing", str(error))

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

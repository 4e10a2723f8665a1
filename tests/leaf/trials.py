"""A machine whose one system does what the trial says, in real worker processes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cim.adapters.memory.blobs import MemoryBlobs
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.system import SystemType
from cim.leaf.frames import Serve
from cim.leaf.machine import Limits, load_contexts, load_machine
from cim.leaf.process import command_line
from cim.leaf.workers import Workers

MODULE = """
import os, random, sys, time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol
from cim import Blobs, Blob, Capability, Changed, Command, Component, Context, Event, Failure, State
from cim import Unavailable

trials = Context("trials")
LOADED_BY = os.getpid()
HOLD = Path(__file__).parents[1] / "hold"

def has(file: int) -> bool:
    return os.path.islink(f"/proc/self/fd/{file}")

class Begin(Command):
    trial: str

class Begun(Event):
    trial: str

@trials.entity(key="trial")
class Trial(State):
    what: str = ""
    def decide(self, command: Begin) -> Iterable[Begun]:
        return [Begun(command.trial)]
    def evolve(self, event: Begun) -> "Trial":
        return self

@trials.component(of=Trial)
class Result(Component):
    text: str

class Slow(Capability, Protocol):
    def step(self, seconds: float) -> None: ...
    def weigh(self) -> float: ...

class Sleeper:
    def weigh(self) -> float:
        return "a kilogram"
    def step(self, seconds: float) -> None:
        time.sleep(seconds)

@trials.system
def attempt(trial: Changed[Trial], blobs: Blobs, slow: Slow) -> Result | None:
    match trial.what:
        case "pid":
            return Result(str(os.getpid()))
        case "origin":
            return Result(f"{LOADED_BY} {os.getppid()} {os.getpid()}")
        case "files":
            return Result(" ".join(sorted(os.readlink(f"/proc/self/fd/{n}") for n in range(3, 99) if has(n))))
        case "dice":
            return Result(f"{random.random()} {numpy.random.random()}")  # numpy: where a test brings it along
        case "wait":
            HOLD.with_name("held").touch()
            while HOLD.exists(): time.sleep(0.01)
        case "print":
            print("to standard output, as native code does", flush=True)
            os.write(1, b"and past Python")
        case "hang":
            while True: pass
        case "long":
            for _ in range(6): slow.step(0.3)
        case "lie":
            slow.weigh()
        case "sleep":
            time.sleep(1.0)
        case "abort":
            os.abort()
        case "exit":
            sys.exit(7)
        case "leave":
            os._exit(7)
        case "eat":
            whole = [bytearray(64 * 1024 * 1024) for _ in range(1000)]
        case "raise":
            raise KeyError("no such page")
        case "refuse":
            raise Failure("the paper is blank")
        case "away":
            raise Unavailable("the reader is not there now")
        case "cut":
            raise ConnectionResetError("cut off")
        case "late":
            raise TimeoutError("no answer in 5 s")
        case "stop":
            next(iter(()))
        case "nothing":
            return None
        case "content":
            blob = blobs.keep(b"a" * 3_000_000, "text/plain")
            return Result(f"{blob.sha256} {len(blobs.load(blob))}")
        case "missing":
            blobs.load(Blob("ab" * 32, 1, "text/plain"))
    return Result(trial.what)
"""
THREAD = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
OPEN_FILE = """
kept_open = open(__file__)
"""
TOML = """name = "trials"
modules = ["trials_module.trials"]

[providers]
Slow = "trials_module.trials:Sleeper"
"""

DEADLINE = 30.0
"""Seconds after which a run counts as hung."""

GENEROUS = Limits(seconds=20.0)


@dataclass(frozen=True)
class Place:
    """A run's place, wanted by others or not; fulfils :class:`cim.world.runner.Place`."""

    leave: Callable[[], None]
    is_wanted: Callable[[], bool]


class Trials:
    """A machine whose one system does what the trial says."""

    def __init__(self, folder: Path, more: str = "") -> None:
        (folder / "trials_module").mkdir()
        (folder / "trials_module" / "trials.py").write_text(MODULE + more)
        (folder / "machine.toml").write_text(TOML)
        self.found(folder)

    def found(self, folder: Path) -> None:
        """Take one that is there already."""
        self.folder, self.blobs, self.told = folder, MemoryBlobs(), list[str]()
        machine = load_machine(folder)
        self.system: SystemType = compose(load_contexts(machine, machine.modules)).systems[0]

    @asynccontextmanager
    async def open(self, limits: Limits = GENEROUS, count: int = 1) -> AsyncIterator[Workers]:
        serve = Serve(str(self.folder), ("trials_module.trials",), (str(self.system),), limits.memory_mb)
        workers = Workers(serve, limits, self.blobs, SystemClock(), self.told.append)
        try:
            await workers.open(count)
            yield workers
        finally:
            await workers.close()

    async def run(
        self,
        workers: Workers,
        what: str,
        aside: Callable[[], None] = lambda: None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> str | None:
        state = self.system.reads[0].type(what)
        async with asyncio.timeout(DEADLINE):
            (output,) = await workers.run(self.system, {"trial": state}, Place(aside, wanted))
        return None if output is None else str(getattr(output, "text"))  # noqa: B009


async def until(done: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while not done():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"it did not come to pass that {what}")


def forked() -> list[int]:
    """The workers of this process; other tests' servers may be its children, too."""
    return [pid for seed in children() for pid in children(seed)]


def children(of: int = os.getpid()) -> list[int]:
    """The children of a process that loaded what a worker loads."""
    found = Path(f"/proc/{of}/task/{of}/children").read_text()
    return [int(pid) for pid in found.split() if "cim.leaf.worker" in command_line(int(pid))]

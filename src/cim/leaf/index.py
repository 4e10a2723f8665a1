"""Where a process keeps its world on disk: a leaf in the machine's folder, who works beside it in a copy."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO

from cim.adapters.sqlite.derived import copy
from cim.adapters.sqlite.index import FILE, SqliteIndex
from cim.leaf.machine import Machine
from cim.leaf.private import private_folder
from cim.log.backoff import delays
from cim.ports.clock import Clock
from cim.ports.index import IndexAway

Tell = Callable[[str], None]

PREFIX = "beside-"
"""What the names of the folders of those who work beside a leaf begin with."""

LOCK = "lock"
"""The file in such a folder that is locked as long as its process lives."""


@asynccontextmanager
async def leafs_index(machine: Machine, clock: Clock, tell: Tell) -> AsyncIterator[SqliteIndex]:
    """The file of the leaf, which one process has at a time. ``tell`` is told where it waits for room."""
    async with _opened(private_folder(machine.state) / FILE, clock, tell) as index:
        yield index


@asynccontextmanager
async def index_beside(machine: Machine, clock: Clock, tell: Tell) -> AsyncIterator[SqliteIndex]:
    """A file of this process's own, which is gone with the block: it begins as a copy of what the leaf has
    kept, empty where there is nothing of that here. What a killed process left is removed."""
    state = private_folder(machine.state)
    await asyncio.to_thread(_tidy, state)
    with _folder(state) as own:
        await asyncio.to_thread(copy, state / FILE, own / FILE)
        async with _opened(own / FILE, clock, tell) as index:
            yield index


@asynccontextmanager
async def _opened(path: Path, clock: Clock, tell: Tell) -> AsyncIterator[SqliteIndex]:
    """Closed apart from the loop: what is under way is written first."""
    index = await _there(path, clock, tell)
    try:
        yield index
    finally:
        await asyncio.to_thread(index.close)


async def _there(path: Path, clock: Clock, tell: Tell) -> SqliteIndex:
    """The index, once there is room for it: a start on a full disk is no end."""
    told = ""
    for delay in delays():
        try:
            return SqliteIndex(path)
        except IndexAway as away:
            if told != (told := str(away)):
                tell(f"{away}: waiting until it can be")
        await clock.sleep(delay)
    raise AssertionError("the delays have no end")


@contextmanager
def _folder(state: Path) -> Iterator[Path]:
    """A folder that nobody else takes for left over."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=state))
        with suppress(FileNotFoundError):  # removed before it was locked: another one is made
            lock = (path / LOCK).open("wb")
            if _is_locked(lock) and (path / LOCK).exists():
                break
            lock.close()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        lock.close()


def _tidy(state: Path) -> None:
    """Remove the folders of processes that live no more."""
    for path in state.glob(f"{PREFIX}*"):
        with suppress(OSError), (path / LOCK).open("wb") as lock:
            if _is_locked(lock):
                shutil.rmtree(path, ignore_errors=True)


def _is_locked(file: IO[bytes]) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

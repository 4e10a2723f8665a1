"""Where a fault run takes place: a machine's folder on a disk of its own, its processes, and the links
between them. Everything that is made here is gone when it is closed, however that comes about."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from cim.leaf import die_with_parent
from cim.leaf.configuration import NODES
from cim.leaf.machine import STATE_FOLDER
from cim.leaf.process import command_line
from cim.testing.faults.module import lay
from cim.testing.faults.proxy import Proxy
from cim.testing.faults.reaching import address_of, credentials_of
from cim.testing.small_disk import SmallDisk

SENDERS, TASKS, JARS = 2, 6, 12


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
    """The machine, its leaf, a second door, senders, and a proxy before each node."""

    def __init__(self, scratch: Path, durability: str, seed: int, guard: str | None) -> None:
        self.scratch, self.durability, self._seed, self._guard = scratch, durability, seed, guard
        self.folder = scratch / "machine"
        self.state = self.folder / STATE_FOLDER
        self.proxies = [Proxy(lambda node=node: self._port(node)) for node in range(self.nodes)]  # type: ignore[misc]
        self.disk: SmallDisk | None = None
        self.leaf = self._part("leaf", lambda: ["cim", "up", str(self.folder), "--port", "0"])
        self.door = self._part("door", lambda: ["cim.testing.faults.door", str(self.folder), self.urls])
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
        return [self.leaf, self.door, *self.senders]

    async def open(self, *, small_disk: bool) -> None:
        """Lay the machine and start everything; returns when the leaf is up."""
        lay(self.folder, self.durability)
        self.state.mkdir(mode=0o700, exist_ok=True)
        if small_disk:
            self.disk = SmallDisk(self.state)
        for proxy in self.proxies:
            await proxy.start()
        await self.leaf.start()
        await self.until_up()
        for part in (self.door, *self.senders):
            await part.start()

    async def until_up(self) -> None:
        """Wait for the leaf's address."""
        async with asyncio.timeout(120):
            await credentials_of(self.folder)

    async def close(self) -> None:
        """End all that runs here, and unmount the disk."""
        try:
            for part in (*self.senders, self.door, self.leaf):
                await part.end(20)
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
        """The leaf's processes that run systems."""
        leaf = self.leaf.pid
        with suppress(OSError):
            children = Path(f"/proc/{leaf}/task/{leaf}/children").read_text().split()
            return [int(pid) for pid in children if "cim.leaf.worker" in command_line(int(pid))]
        return []

    def _port(self, node: int) -> int | None:
        address = address_of(self.folder)
        urls = address.url.split(",") if address is not None else []
        return urlsplit(urls[node]).port if node < len(urls) else None

    def _sender(self, number: int) -> Part:
        life = iter(range(1_000_000))

        def command() -> list[str]:
            # A life of its own has a journal and ids of its own.
            name = f"s{number}x{next(life)}"
            journal, seed = self.scratch / f"{name}.journal", f"{self._seed} {name}"
            where = [str(self.folder), self.urls, str(journal)]
            return ["cim.testing.faults.sender", *where, seed, str(TASKS), str(JARS)]

        return self._part(f"sender {number}", command)

    def _part(self, name: str, module: Callable[[], list[str]]) -> Part:
        return Part(
            name,
            lambda: [*self.python, *module()],
            self.scratch,
            self.scratch / f"{name.replace(' ', '-')}.txt",
        )

"""The nats-server of one leaf: started, watched, started again when it dies, stopped.

Nobody but the holder of the leaf's lock may start it: see :mod:`cim.leaf.lock`.
"""

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from cim.leaf.accounts import Credentials, Keys, machine_credentials, public_key
from cim.leaf.configuration import HOST, Configuration, Durability, Member, Ports
from cim.leaf.disk import Disk
from cim.leaf.private import private_folder, write_private
from cim.leaf.process import ServerFailed, end, end_left_over, manner_of_death, spawn

PATIENCE = 300.0
"""Seconds that a server may take until JetStream has read its store and answers."""

_GLANCE, _LONGEST_GLANCE = 0.002, 0.05
_LOOK = 0.5
_ATTEMPTS = 20
_STEADY = 1.0
_SHORTEST, _LONGEST = 0.05, 2.0
_TAIL = 12


class Server:
    """A nats-server with JetStream on loopback, on the folder of one leaf (``<machine>/.cim``).

    When it dies it is started again on the same ports, at once; if it keeps dying, after a pause that
    doubles up to two seconds. ``on_event`` is told each time, in words.
    """

    def __init__(self, configuration: Configuration, on_event: Callable[[str], None]) -> None:
        self._configuration = configuration
        self._on_event = on_event
        self._ports = Ports(0, 0)
        self._process: asyncio.subprocess.Process | None = None
        self._disk = Disk(configuration.folder, configuration.log_file)
        self._supervisor: asyncio.Task[None] | None = None
        self._started = 0.0
        self._pause = 0.0
        # Whether enough of the other hosts are there is not for this one to judge.
        alone = configuration.member is None or configuration.member.fixed is None
        self._patience = PATIENCE if alone else math.inf

    @classmethod
    async def start(
        cls,
        folder: Path,
        *,
        keys: Keys,
        origins: Sequence[str],
        cookie: str,
        durability: Durability = "dev",
        member: Member | None = None,
        ports: Ports | None = None,
        on_event: Callable[[str], None] = lambda text: None,
    ) -> Self:
        """Start it on ``folder``; return when JetStream answers the machine's user.

        As ``member`` of a cluster it is ready once enough of the nodes are, so start them side by side.
        ``keys`` are those of the folder, ``origins`` the pages that may connect (``http://127.0.0.1:8600``),
        ``cookie`` the name under which they bring their token. A server that a crash left running there is
        ended first. Where one of ``ports`` is taken, free ones are chosen. ``on_event`` is told of both.
        Without ``ports`` they are those of the last start, or free ones.

        Raises:
            ServerFailed: with the end of the server's log.
        """
        configuration = Configuration(
            private_folder(folder), keys, tuple(origins), cookie, durability, member
        )
        server = cls(configuration, on_event)
        server._check_store()
        await server._take_over()
        await server._start_on(ports or configuration.last_ports() or configuration.free_ports())
        server._supervisor = asyncio.create_task(server._supervise(), name="nats-server supervisor")
        return server

    @property
    def url(self) -> str:
        """Where the machine's programs connect."""
        return f"nats://{self._ports.host}:{self._ports.client}"

    @property
    def websocket_port(self) -> int:
        """Where pages connect."""
        return self._ports.websocket

    @property
    def websocket_ports(self) -> tuple[int, ...]:
        """Where pages connect: there is but one."""
        return (self.websocket_port,)

    @property
    def ports(self) -> Ports:
        """All of them, as they came to be."""
        return self._ports

    @property
    def pid(self) -> int:
        """The process that runs now; another one after a restart."""
        assert self._process is not None
        return self._process.pid

    @property
    def trouble(self) -> str | None:
        """Why nothing can be stored now, in words; None while it can, as far as is known here."""
        return self._disk.trouble

    async def stop(self) -> None:
        """End the server and the watch over it. Nothing of it runs afterwards; a second call does nothing."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        if self._process is not None:
            await end(self._process)
        self._configuration.pid_file.unlink(missing_ok=True)

    def _check_store(self) -> None:
        keys = self._configuration.keys
        ours = [public_key(seed) for seed in (keys.system, keys.machine, keys.page)]
        for account in (self._configuration.store / "jetstream").glob("A*"):
            if len(account.name) == 56 and account.name not in ours:
                raise ServerFailed(
                    f"{account} was written under other keys than those of this leaf, so what it holds "
                    f"cannot be reached. Put back the keys.json that belongs to it, or move the folder away"
                )

    async def _take_over(self) -> None:
        configuration = self._configuration
        pid = await end_left_over(configuration.pid_file, configuration.file)
        configuration.pid_file.unlink(missing_ok=True)
        if pid is not None:
            self._tell(f"nats-server {pid} was left over by an earlier run: taken over (ended, started anew)")

    async def _start_on(self, ports: Ports) -> None:
        for _ in range(_ATTEMPTS):
            taken = ports.taken()
            if not taken:
                self._ports = ports
                try:
                    return await self._launch()
                except ServerFailed:
                    if not (taken := ports.taken()):
                        raise
            if ports.fixed and ports.client in taken:
                raise ServerFailed(
                    f"port {ports.client} of {ports.host} is taken by another program, and the other hosts "
                    f"look for this one there: end that program, or give this host another one in [cluster]"
                )
            ports = ports.others()
            self._tell(f"port {taken[0]} of {HOST} is taken: {ports.client} and {ports.websocket} instead")
        raise ServerFailed(
            f"no free port on {HOST} after {_ATTEMPTS} attempts: is something taking them all?"
        )

    async def _launch(self) -> None:
        """Start a process on the ports that are set and wait until it is ready; no process is left if not."""
        configuration = self._configuration
        log = configuration.log_file
        seen = log.stat().st_size if log.exists() else 0
        self._started = asyncio.get_running_loop().time()
        write_private(configuration.file, configuration.text(self._ports))
        while True:
            self._disk.begin()
            process = self._process = await spawn(configuration.file, log)
            try:
                if await self._until_ready(process):
                    return
                await end(process)
            except ServerFailed as error:
                await end(process)
                raise ServerFailed(f"{error}. The end of {log}:\n{_tail(log, seen)}") from None
            except BaseException:
                await end(process)
                raise

    async def _until_ready(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until it is ready; False where it could not write and must be started anew."""
        clock = asyncio.get_running_loop().time
        until, look, glance = self._started + self._patience, clock() + _LOOK, _GLANCE
        while clock() < until:
            if process.returncode is not None:
                raise ServerFailed(f"nats-server {manner_of_death(process.returncode)} before it was ready")
            if await self._jetstream_answers():
                return True
            if clock() > look:
                look = clock() + _LOOK
                if self._must_start_anew(process):
                    return False
            await asyncio.sleep(glance)
            glance = min(1.2 * glance, _LONGEST_GLANCE)
        raise ServerFailed(f"nats-server was not ready after {self._patience:.0f} seconds")

    def _look_after_disk(self) -> bool:
        """Tell when it is full; whether the server must be started anew for it."""
        before = self._disk.trouble
        anew = self._disk.look()
        if self._disk.trouble is not None and before is None:
            self._tell(self._disk.trouble)
        return anew

    def _must_start_anew(self, process: asyncio.subprocess.Process) -> bool:
        anew = self._look_after_disk()
        if anew:
            self._tell(f"nats-server {process.pid} could not write, and there is room: started anew")
        return anew

    async def _jetstream_answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(self._ports.host, self._ports.client)
        except OSError:
            return False
        try:
            async with asyncio.timeout(1):
                return await _ask_jetstream(reader, writer, machine_credentials(self._configuration.keys))
        except (OSError, ValueError, LookupError):
            return False
        finally:
            writer.close()

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None
            code = await self._until_it_ends(self._process)
            died = loop.time()
            if died - self._started > _STEADY:
                self._pause = 0.0
            self._tell(f"nats-server {self.pid} {manner_of_death(code)}; it is started again on its ports")
            while not await self._start_again():
                pass
            self._tell(f"nats-server {self.pid} started again after {1000 * (loop.time() - died):.0f} ms")

    async def _until_it_ends(self, process: asyncio.subprocess.Process) -> int:
        """Its return code, whoever ended it; ends it where it cannot write though there is room."""
        ending = asyncio.ensure_future(process.wait())
        try:
            while not (await asyncio.wait([ending], timeout=_LOOK))[0]:
                if self._must_start_anew(process):
                    await end(process)
            return ending.result()
        finally:
            ending.cancel()

    async def _start_again(self) -> bool:
        await asyncio.sleep(self._pause)
        self._pause = min(_LONGEST, max(_SHORTEST, 2 * self._pause))
        try:
            await self._launch()
        except (ServerFailed, OSError) as error:
            self._look_after_disk()
            self._tell(f"nats-server could not be started again, next try in {self._pause:.2f} s: {error}")
            return False
        return True

    def _tell(self, text: str) -> None:
        # Through the loop: an error of the listener must not end the supervision.
        asyncio.get_running_loop().call_soon(self._on_event, text)


def _tail(log: Path, seen: int) -> str:
    with log.open("rb") as file:
        file.seek(seen if seen <= log.stat().st_size else 0)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL:]) or "(nothing)"


async def _ask_jetstream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: Credentials
) -> bool:
    """Whether JetStream knows the user. By hand: nats-py waits two seconds after a refused connection."""
    info = json.loads((await reader.readline()).removeprefix(b"INFO "))
    opening = json.dumps({"verbose": False, "jwt": user.jwt, "sig": user.sign(info["nonce"]).decode()})
    question = "SUB _INBOX.ready 1\r\nPUB $JS.API.INFO _INBOX.ready 0\r\n\r\n"
    writer.write(f"CONNECT {opening}\r\n{question}".encode())
    head = await reader.readline()
    return head.startswith(b"MSG ") and "error" not in json.loads(await reader.readline())

"""Three hosts of one machine, each in a network of its own: a node, a world and a door, and a sender at each.

The hosts are processes of the machine's own parts (see :mod:`cim.testing.faults.host`): with ``[cluster]`` in
``machine.toml`` one of them at a time would be the leaf, here all work at once.
"""

import asyncio
import pickle
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cim.leaf.accounts import Keys
from cim.leaf.configuration import NODES
from cim.leaf.machine import STATE_FOLDER
from cim.leaf.process import command_line
from cim.ports.log import LinkLost
from cim.testing.faults.ground import UP, Ground
from cim.testing.faults.journal import Line
from cim.testing.faults.module import lay
from cim.testing.faults.networks import Networks
from cim.testing.faults.reaching import credentials_of
from cim.testing.faults.verdict import History

ROUTES = 7422
HOSTS = range(1, NODES + 1)


class Hosts(Ground):
    """What a :class:`Ground` is, on three hosts. Raises :class:`cim.testing.faults.networks.NoNetworks`."""

    faults: Mapping[str, int] = {
        "kill server": 6,
        "kill leaf": 6,
        "kill worker": 3,
        "kill sender": 2,
        "stop server": 3,
        "stop leaf": 2,
        "partition": 8,
        "kill and partition": 4,
    }

    def __init__(self, scratch: Path, seed: int, guard: str | None) -> None:
        super().__init__(scratch, "ha", seed, guard)
        self._networks = Networks(NODES)
        self.doors, self.proxies = [], []
        self.leaves = [
            self._part(f"host {host}", lambda host=host: self._host(host), self._networks.inside(host))  # type: ignore[misc]
            for host in HOSTS
        ]
        self.senders = [
            self._part(
                f"sender {host}",
                self._sending(host, self._folder(host), lambda: "-"),
                self._networks.inside(host),
            )
            for host in HOSTS
        ]

    async def open(self, *, small_disk: bool) -> None:
        """Lay the machine at each host, with the same keys, and start everything."""
        for host in HOSTS:
            folder = self._folder(host)
            lay(folder, "ha")
            keys = folder / STATE_FOLDER / "keys.json"
            if host == 1:
                Keys.load_or_make(keys, now=int(time.time()))
            else:
                keys.parent.mkdir(mode=0o700, exist_ok=True)
                shutil.copy2(self._folder(1) / STATE_FOLDER / "keys.json", keys)
        await self._start_parts()

    async def until_up(self, seconds: float = UP) -> None:
        """Wait for the address of each host's leaf; raises :class:`TimeoutError`."""
        async with asyncio.timeout(seconds):
            for host in HOSTS:
                await credentials_of(self._folder(host))

    async def close(self) -> None:
        """End all that runs here, and remove the networks."""
        try:
            await super().close()
        finally:
            self._networks.close()

    @asynccontextmanager
    async def parted(self, host: int) -> AsyncIterator[None]:
        """Cut a host off while the block runs."""
        self._networks.part(host)
        try:
            yield
        finally:
            self._networks.join(host)

    def servers(self) -> list[int]:
        """The servers that run now, by their process ids."""
        found: list[int] = []
        for host in HOSTS:
            node = self._folder(host) / STATE_FOLDER / f"node-{host}"
            with suppress(OSError, ValueError):
                pid = int((node / "nats.pid").read_text())
                if str(node / "nats.conf") in command_line(pid):
                    found.append(pid)
        return found

    async def read(self) -> History:
        """The log, which must be the same at each host."""
        histories: list[History] = []
        for host in HOSTS:
            file = self.scratch / f"log-{host}.pickle"
            file.unlink(missing_ok=True)
            module = ["cim.testing.faults.reader", str(self._folder(host)), str(file)]
            process = await asyncio.create_subprocess_exec(
                *self._networks.inside(host), *self.python, *module, stderr=subprocess.DEVNULL
            )
            if await process.wait() != 0:
                raise LinkLost(f"the log cannot be read at host {host}")
            histories.append(pickle.loads(file.read_bytes()))
        if any(history != histories[0] for history in histories):
            raise LinkLost("the hosts do not hold the same log yet")
        return histories[0]

    async def cim(self, *arguments: str) -> list[list[Line]]:
        """What a command prints as JSON, a line each, at every host."""
        return [
            await self._printed(
                ["cim", *arguments, "--machine", str(self._folder(host))], self._networks.inside(host)
            )
            for host in HOSTS
        ]

    def _folder(self, host: int) -> Path:
        return self.scratch / f"machine-{host}"

    def _host(self, host: int) -> list[str]:
        route = {one: f"{self._networks.address(one)}:{ROUTES}" for one in HOSTS}
        others = [route[one] for one in HOSTS if one != host]
        return ["cim.testing.faults.host", str(self._folder(host)), str(host), route[host], *others]

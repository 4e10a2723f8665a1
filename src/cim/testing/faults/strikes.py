"""The faults, and how they are chosen: by the seed alone, whatever the machine does meanwhile."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from cim.testing.faults.ground import Ground, Part

LONGEST_STOP = 4.0
LONGEST_FULL = 4.0
LONGEST_PARTITION = 12.0


class Strikes:
    """Strikes a ground. ``counted`` counts what was done, ``skipped`` says what cannot be done and why."""

    def __init__(
        self, ground: Ground, seed: int, skipped: Collection[str], only: Collection[str] = ()
    ) -> None:
        self._ground, self._chance = ground, random.Random(seed)
        self.counted: Counter[str] = Counter()
        chosen = only or ground.faults
        possible = {kind: weight for kind, weight in ground.faults.items() if kind not in skipped}
        self._kinds = {kind: weight for kind, weight in possible.items() if kind in chosen}
        self._does: dict[str, Callable[[random.Random], Awaitable[str]]] = {
            "kill server": self._kill_server,
            "kill leaf": lambda chance: self._kill_part(chance.choice(ground.leaves)),
            "kill worker": self._kill_worker,
            "kill door": lambda chance: self._kill_part(chance.choice(ground.doors)),
            "kill sender": lambda chance: self._kill_part(chance.choice(ground.senders)),
            "stop server": lambda chance: self._stop(chance, ground.servers()),
            "stop leaf": lambda chance: self._stop(chance, [leaf.pid for leaf in ground.leaves]),
            "stop door": lambda chance: self._stop(chance, [door.pid for door in ground.doors]),
            "cut": self._cut,
            "stall": self._stall,
            "one direction": self._deafen,
            "disk full": self._fill,
            "partition": self._part_one,
            "kill and partition": self._kill_and_part,
        }

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return self.counted["kill"]

    async def strike(self) -> str:
        """Do one or two things at once; what they were, in words."""
        kinds = self._chance.choices(
            list(self._kinds), list(self._kinds.values()), k=self._chance.choice([1, 1, 1, 2])
        )
        # Each has a chance of its own, so that what one finds changes nothing for the others.
        chances = [random.Random(self._chance.random()) for _ in kinds]
        done = await asyncio.gather(
            *(self._does[kind](chance) for kind, chance in zip(kinds, chances, strict=True))
        )
        return " and ".join(done)

    async def _kill_server(self, chance: random.Random) -> str:
        running = self._ground.servers()
        chosen = chance.sample(running, min(len(running), chance.choice([1, 1, 1, 2])))
        for pid in chosen:
            self._kill(pid, "server")
        return f"{len(chosen)} of {self._ground.nodes} servers killed"

    async def _kill_worker(self, chance: random.Random) -> str:
        running = self._ground.workers()
        for pid in chance.sample(running, min(len(running), 1)):
            self._kill(pid, "worker")
        return "a worker killed" if running else "no worker to kill"

    async def _kill_part(self, part: Part) -> str:
        part.killed.add(part.pid)
        self._kill(part.pid, part.name.split()[0])
        return f"{part.name} killed"

    def _kill(self, pid: int, what: str) -> None:
        if pid == 0:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.counted["kill"] += 1
            self.counted[f"{what} killed"] += 1

    async def _stop(self, chance: random.Random, running: list[int]) -> str:
        running = [pid for pid in running if pid]
        if not running:
            return "nobody to stop"
        pid, seconds = chance.choice(running), chance.uniform(0.3, LONGEST_STOP)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self.counted["stop"] += 1
        await asyncio.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        return f"process {pid} stopped for {seconds:.1f} s"

    async def _cut(self, chance: random.Random) -> str:
        chance.choice(self._ground.proxies).cut()
        self.counted["cut"] += 1
        return "a link cut"

    async def _stall(self, chance: random.Random) -> str:
        seconds = chance.uniform(0.3, LONGEST_STOP)
        self.counted["stall"] += 1
        await chance.choice(self._ground.proxies).stall(seconds)
        return f"a link stalled for {seconds:.1f} s"

    async def _deafen(self, chance: random.Random) -> str:
        way, seconds = chance.choice(["there", "back"]), chance.uniform(0.3, LONGEST_STOP)
        self.counted["one direction lost"] += 1
        await chance.choice(self._ground.proxies).deafen(way, seconds)
        return f"what goes {way} lost for {seconds:.1f} s"

    async def _fill(self, chance: random.Random) -> str:
        assert self._ground.disk is not None
        seconds = chance.uniform(0.5, LONGEST_FULL)
        self.counted["disk full"] += 1
        self._ground.disk.fill(chance.choice([0, 0, 4096, 50_000]))
        await asyncio.sleep(seconds)
        self._ground.disk.make_room()
        return f"disk full for {seconds:.1f} s"

    async def _part_one(self, chance: random.Random) -> str:
        host, seconds = chance.randint(1, self._ground.nodes), chance.uniform(1.0, LONGEST_PARTITION)
        self.counted["partition"] += 1
        async with self._ground.parted(host):
            await asyncio.sleep(seconds)
        return f"host {host} cut off for {seconds:.1f} s"

    async def _kill_and_part(self, chance: random.Random) -> str:
        """One host dies while another is cut off: the third is alone until the first is back."""
        first, second = chance.sample(self._ground.leaves, 2)
        host, seconds = self._ground.leaves.index(second) + 1, chance.uniform(1.0, LONGEST_PARTITION)
        self.counted["partition"] += 1
        async with self._ground.parted(host):
            done = await self._kill_part(first)
            await asyncio.sleep(seconds)
        return f"{done} while host {host} was cut off for {seconds:.1f} s"

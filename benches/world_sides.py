"""The sides of the world's bench: a leaf with a system, and a stream with a pipeline that a user would write.

Each is given readings by the same client, fire and forget, and tells how many outputs stand in its log.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from cim import Event
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.schema import dataschema
from cim.contract.subjects import Ref
from cim.leaf.accounts import Credentials
from cim.log.chain import Head
from cim.ports.clock import stamp
from cim.testing.processes import Place, place
from costs import spent
from log_sides import SOURCE, server_on
from world_heat import Measured
from world_rivals import JUDGEMENTS, READINGS, Judgement
from world_work import Brought

CLOCK = SystemClock()
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Called:
    """When a reading was published, and when its function was called, by the wall clock."""

    name: str
    sent: float
    called: float


class Side(Protocol):
    """Something that judges readings."""

    pid: int

    async def publish(self, name: str) -> None:
        """Give it a reading of a sensor of this name, which is new."""
        ...

    async def outputs(self) -> int:
        """How many outputs it has written since it was opened."""
        ...

    async def calls(self) -> Sequence[Called]:
        """All of them, in the log's order."""
        ...


class World:
    """A leaf with one system, asked from outside through its log."""

    def __init__(self, client: Client, log: NatsLog, pid: int, first: int, component: str) -> None:
        self._client, self._log, self.pid = client, log, pid
        self._first, self._component, self._published = first, component, 0

    async def publish(self, name: str) -> None:
        """The commit that its actor would write."""
        await self._write(Ref("world_heat", "Sensor", name), Measured(name, 21.5, time.time()))

    async def bring(self, prefix: str, numbers: Iterable[int]) -> None:
        """Lumps for the system that computes."""
        for number in numbers:
            name = f"{prefix}{number}"
            await self._write(Ref("world_work", "Lump", name), Brought(name))

    async def _write(self, ref: Ref, event: Event) -> None:
        commit = Head().link(
            Commit(
                subject=ref.events,
                number=0,
                origin=Origin.root(f"{type(event).__name__}-{ref.id}", "person:bench"),
                source=SOURCE,
                type=f"{ref.context}.{ref.entity}.Committed",
                time=stamp(CLOCK),
                schema=_SCHEMAS[type(event)],
                body=codec.write([event]),
            )
        )
        self._published += 1
        await self._client.publish(commit.subject, commit.body, headers=commit.headers())

    async def outputs(self) -> int:
        """What stands in the log beside the readings."""
        return await self._log.last() - self._first - self._published

    async def calls(self) -> Sequence[Called]:
        """What the system wrote."""
        found: list[Called] = []
        async for batch in self._log.follow(self._first):
            if not batch:
                return found
            for commit in batch:
                if commit.subject.startswith("cmp."):
                    name = commit.subject.split(".")[3]
                    found += [
                        Called(name, item.data["sent"], item.data["called"])
                        for item in codec.decode(commit.body)
                        if item.type == self._component
                    ]
        raise AssertionError("the log has no end")


_SCHEMAS: dict[type[Event], str] = {kind: dataschema([kind]) for kind in (Measured, Brought)}


class Pipeline:
    """A stream of readings and a process that judges them."""

    def __init__(self, client: Client, pid: int) -> None:
        self._client, self._stream, self.pid = client, client.jetstream(), pid

    async def publish(self, name: str) -> None:
        """A message, as any program would send it."""
        reading = {"sensor": name, "celsius": 21.5, "sent": time.time()}
        await self._client.publish(f"bench.readings.{name}", msgspec.json.encode(reading))

    async def outputs(self) -> int:
        """The messages of the second stream."""
        return (await self._stream.stream_info(JUDGEMENTS)).state.messages

    async def calls(self) -> Sequence[Called]:
        """All that stands in the second stream."""
        count = await self.outputs()
        reader = await self._stream.pull_subscribe(
            "bench.judgements.*", stream=JUDGEMENTS, config=ConsumerConfig(ack_policy=AckPolicy.NONE)
        )
        found: list[Called] = []
        while len(found) < count:
            for message in await reader.fetch(500, timeout=10):
                judged = msgspec.json.decode(message.data, type=Judgement)
                found.append(Called(judged.sensor, judged.sent, judged.called))
        await reader.unsubscribe()
        return found


@asynccontextmanager
async def world(folder: Path, modules: Sequence[str], workers: int, component: str) -> AsyncIterator[World]:
    """A leaf that runs modules of this folder, with so many workers."""
    async with _leaf(folder, modules, workers) as leaf:
        found = leaf.address
        async with connect(found.url, Credentials(found.jwt, found.seed), "bench") as client:
            log = await NatsLog.open(client)
            yield World(client, log, found.pid, await log.last(), component)


@asynccontextmanager
async def _leaf(folder: Path, modules: Sequence[str], workers: int) -> AsyncIterator[Place]:
    machine = folder / "machine"
    machine.mkdir(parents=True)
    paths = ", ".join(f'"{FOLDER / name}.py"' for name in modules)
    (machine / "machine.toml").write_text(f'name = "bench"\nworkers = {workers}\nmodules = [{paths}]\n')
    with place(machine, folder / "said") as leaf:
        leaf.up()
        yield leaf


@asynccontextmanager
async def pipeline(folder: Path, kind: str) -> AsyncIterator[Pipeline]:
    """A pipeline of its kind in a process of its own, on an empty server."""
    async with server_on(folder, "dev") as (server, user), connect(server.url, user, "bench") as client:
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(READINGS, subjects=["bench.readings.*"]))
        program = [sys.executable, str(FOLDER / "world_rivals.py"), kind, str(folder), server.url]
        process = await asyncio.create_subprocess_exec(
            *program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert await process.stdout.readline() == b"ready\n", f"the pipeline {kind} did not come up"
            yield Pipeline(client, process.pid)
        finally:
            process.stdin.close()
            await process.wait()


def processor(pid: int) -> tuple[float, float]:
    """Processor seconds of a process until now, and those of all processes below it but its nats-server."""
    below = [one for one in _descendants(pid) if "nats-server" not in _command(one)]
    return spent(pid) or 0.0, sum(filter(None, map(spent, below)))


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found, open = list[int](), [pid]
    while open:
        below = parents.get(open.pop(), [])
        found += below
        open += below
    return found


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()

"""A full disk: it is told, loses nothing that was acknowledged, and heals when there is room again."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.leaf.cluster import Cluster
from cim.leaf.disk import Disk
from cim.leaf.heads import keep_head, read_head
from cim.log.append import Appended, append
from cim.log.backoff import outlast
from cim.log.chain import Head
from cim.ports.log import Stored
from cim.testing.bare_leaf import BareCluster, BareLeaf, bare_cluster, bare_leaf
from cim.testing.log_conformance import DEADLINE, commit, read_all
from cim.testing.machine import COMPOSITION
from cim.testing.small_disk import NoDisk, SmallDisk
from cim.world.world import World

Start = Callable[[Path, Callable[[str], None]], AbstractAsyncContextManager[BareLeaf | BareCluster]]
MEGABYTE = 1024 * 1024
FULL = re.compile("is full .*: nothing is stored until there is room")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        made = SmallDisk(folder)
    except NoDisk as none:
        pytest.skip(str(none))
    yield made
    made.close()


async def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, f"not within {DEADLINE} s: {what}"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("left", [0, 20_000])
@pytest.mark.parametrize("start", [bare_leaf, bare_cluster], ids=["dev", "ha"])
async def test_a_log_on_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(
    disk: SmallDisk, start: Start, left: int
) -> None:
    told: list[str] = []
    clock = SystemClock()
    async with start(disk.folder / ".cim", told.append) as leaf:
        log = await outlast(lambda: NatsLog.open(leaf.client), clock, DEADLINE)
        stored: list[str] = []

        async def fill_up() -> None:
            for number in range(100_000):
                given = commit(f"evt.documents.Document.d{number}", f"id-{number}", b"x" * 500)
                if not isinstance(await log.attempt(given, 0), Stored):
                    return
                stored.append(given.id)
                if number == 200:
                    disk.fill(left)

        await fill_up()
        assert len(stored) > 200
        await until(lambda: leaf.server.trouble is not None, "the trouble")
        await until(lambda: any(FULL.search(one) for one in told), "the news")
        disk.make_room()
        given = commit("evt.documents.Document.later", "later")
        assert isinstance(await append(log, clock, given, Head(), DEADLINE), Appended)
        # Two of three are enough to store it; each looks after its own disk in its own time.
        await until(lambda: leaf.server.trouble is None, "no trouble any more")
        found = [one.id for one in await outlast(lambda: read_all(log), clock, DEADLINE)]
        # The one that got no answer may stand there, too.
        assert found[: len(stored)] == stored
        assert [one for one in found[len(stored) :] if one != f"id-{len(stored)}"] == ["later"]


async def test_a_head_that_cannot_be_written_is_told_and_written_later(disk: SmallDisk) -> None:
    told: list[str] = []
    world = World(COMPOSITION)
    world.apply(replace(commit("evt.jars.Jar.a", "a"), sequence=1))
    await world.take([])
    disk.fill()
    keeping = asyncio.create_task(keep_head(world, disk.folder, SystemClock(), told.append))
    await until(lambda: bool(told), "the news")
    assert "head.json was not written: No space left on device" in told[0]
    disk.make_room()
    await until(lambda: read_head(disk.folder) is not None, "the head")
    keeping.cancel()
    await asyncio.wait([keeping])
    assert len(told) == 1


def test_a_server_that_failed_to_write_is_started_anew_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, free = tmp_path / "nats.log", 100 * MEGABYTE
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage(free))
    disk = Disk(tmp_path, log)
    assert not disk.look()
    log.write_bytes(b"[ERR] write 1.blk: no space left on device\n")
    free = 4096
    assert not disk.look()
    assert disk.trouble is not None
    assert "(4 KB are free)" in disk.trouble
    free = 100 * MEGABYTE
    assert disk.look()
    assert disk.trouble is None
    assert not disk.look()
    with log.open("ab") as more:
        more.write(b"[ERR] JetStream failed to store a msg on stream: input/output error\n")
    assert disk.look()
    log.write_bytes(b"[INF] JetStream Shutdown\n")
    disk.begin()
    assert not disk.look(), "that was an earlier server's end"
    # It could not log that it failed, either.
    free = 4096
    assert not disk.look()
    free = 100 * MEGABYTE
    assert disk.look()


@pytest.mark.parametrize("start", [bare_leaf, bare_cluster], ids=["dev", "ha"])
async def test_servers_that_come_up_on_a_full_disk_are_there_once_there_is_room(
    disk: SmallDisk, start: Start
) -> None:
    told: list[str] = []
    async with start(disk.folder / ".cim", told.append) as leaf:
        log = await outlast(lambda: NatsLog.open(leaf.client), SystemClock(), DEADLINE)
        servers = leaf.server.nodes.values() if isinstance(leaf.server, Cluster) else [leaf.server]
        disk.fill(4096)
        for server in servers:
            os.kill(server.pid, signal.SIGKILL)
        await until(lambda: any(FULL.search(one) for one in told), "the news")
        disk.make_room()
        given = commit("evt.documents.Document.later", "later")
        assert isinstance(await append(log, SystemClock(), given, Head(), DEADLINE), Appended)


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free

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
from cim.leaf.compose import leaf
from cim.leaf.disk import Disk, outlast_full
from cim.leaf.heads import keep_head, read_head
from cim.leaf.index import leafs_index
from cim.leaf.lock import find_running
from cim.leaf.machine import load_machine
from cim.leaf.private import write_private
from cim.log.append import Appended, append
from cim.log.backoff import outlast
from cim.log.chain import Head
from cim.ports.index import Standing
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
    async with start(disk.folder / ".cim", told.append) as bare:
        log = await outlast(lambda: NatsLog.open(bare.client), clock, DEADLINE)
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
        await until(lambda: bare.server.trouble is not None, "the trouble")
        await until(lambda: any(FULL.search(one) for one in told), "the news")
        disk.make_room()
        given = commit("evt.documents.Document.later", "later")
        assert isinstance(await append(log, clock, given, Head(), DEADLINE), Appended)
        # Two of three are enough to store it; each looks after its own disk in its own time.
        await until(lambda: bare.server.trouble is None, "no trouble any more")
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


@pytest.mark.parametrize("before", [False, True], ids=["the first start", "after a crash"])
async def test_a_leaf_that_starts_on_a_full_disk_waits_for_room_with_a_word(
    disk: SmallDisk, before: bool
) -> None:
    (disk.folder / "machine.toml").write_text('name = "notes"\nmodules = []\n')
    machine, told = load_machine(disk.folder), list[str]()
    if before:  # what SQLite leaves behind when its process is killed
        async with leafs_index(machine, SystemClock(), told.append) as index:
            await index.write([], {}, Standing(3, "evt.jars.Jar.a", "d", "v1"))
            kept = {path.name: path.read_bytes() for path in machine.state.glob("world.sqlite*")}
        for name in ("world.sqlite", "world.sqlite-wal"):
            (machine.state / name).write_bytes(kept[name])
    disk.fill()
    opening = leafs_index(machine, SystemClock(), told.append)
    opened = asyncio.ensure_future(opening.__aenter__())
    await until(lambda: bool(told), "the word")
    assert re.search(r"world\.sqlite cannot be opened: .*: waiting until it can be", told[0])
    disk.make_room()
    standing = (await opened).standing()
    assert (standing is not None and standing.sequence == 3) == before
    await opening.__aexit__(None, None, None)
    assert len(told) <= 2


async def test_a_leaf_that_is_started_while_the_disk_is_full_comes_up_once_there_is_room(
    disk: SmallDisk,
) -> None:
    (disk.folder / "machine.toml").write_text('name = "notes"\nmodules = []\n')
    machine, told = load_machine(disk.folder), list[str]()
    async with leaf(machine, told.append, port=0):
        pass  # all that a first start makes is there
    disk.fill()
    opening = leaf(machine, told.append, port=0)
    opened = asyncio.ensure_future(opening.__aenter__())
    await until(lambda: any(FULL.search(one) for one in told), "the word")
    assert not opened.done()
    disk.make_room()
    await opened
    assert find_running(machine.state) is not None
    await opening.__aexit__(None, None, None)


async def test_where_a_leaf_is_is_written_once_there_is_room(disk: SmallDisk) -> None:
    """The disk is full only when all else of the start is done."""
    told, path = list[str](), disk.folder / "leaf.json"
    disk.fill()
    writing = asyncio.ensure_future(
        outlast_full("where it is", lambda: write_private(path, "here"), SystemClock(), told.append)
    )
    await until(lambda: bool(told), "the word")
    assert told == ["where it is was not written: No space left on device: it is tried again"]
    assert [one.name for one in disk.folder.iterdir()] == ["something"], "no draft is left"
    disk.make_room()
    await writing
    assert (path.read_text(), len(told)) == ("here", 1)
    with pytest.raises(PermissionError):
        await outlast_full("it", _refuse, SystemClock(), told.append)


def _refuse() -> None:
    raise PermissionError(13, "Permission denied")


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
    async with start(disk.folder / ".cim", told.append) as bare:
        log = await outlast(lambda: NatsLog.open(bare.client), SystemClock(), DEADLINE)
        servers = bare.server.nodes.values() if isinstance(bare.server, Cluster) else [bare.server]
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

"""One leaf a folder, and how others find it."""

import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cim.leaf.lock import LeafAddress, LeafRunning, LeafUnreadable, MachineLock, find_running
from cim.leaf.server import Server

HOLDER = """
import sys
from pathlib import Path
from cim.leaf.lock import LeafAddress, MachineLock
lock = MachineLock.take(Path(sys.argv[1]))
if len(sys.argv) > 2:
    import os
    lock.announce(LeafAddress(os.getpid(), "nats://127.0.0.1:1", (2,), sys.argv[2], "jwt", "seed"))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold(folder: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """``hold()``: another process that has the lock of the folder; with a page, it announces itself."""
    holders: list[subprocess.Popen[str]] = []

    def held(*page: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", HOLDER, str(folder), *page]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        return holder

    yield held
    for holder in holders:
        holder.kill()
        holder.communicate()


def address(pid: int = 1) -> LeafAddress:
    return LeafAddress(pid, "nats://127.0.0.1:4222", (4223,), "http://127.0.0.1:8080", "token", "SUsecret")


def test_a_second_leaf_is_told_who_runs_and_what_to_do(
    folder: Path, hold: Callable[..., "subprocess.Popen[str]"]
) -> None:
    holder = hold("http://127.0.0.1:8080")
    with pytest.raises(LeafRunning) as error:
        MachineLock.take(folder)
    told = str(error.value)
    for part in (
        str(folder),
        f"process {holder.pid}",
        "http://127.0.0.1:8080",
        "nats://",
        f"kill {holder.pid}",
    ):
        assert part in told


def test_a_second_leaf_is_told_the_process_before_there_is_an_address(
    folder: Path, hold: Callable[..., "subprocess.Popen[str]"]
) -> None:
    holder = hold()
    with pytest.raises(LeafRunning, match=f"process {holder.pid}; it has not told its address yet"):
        MachineLock.take(folder)


def test_a_leaf_that_is_killed_lets_go(folder: Path, hold: Callable[..., "subprocess.Popen[str]"]) -> None:
    holder = hold("http://127.0.0.1:8080")
    found = find_running(folder)
    assert found is not None
    assert found.pid == holder.pid
    holder.kill()
    holder.wait()
    assert (folder / "leaf.json").exists()
    assert find_running(folder) is None
    with MachineLock.take(folder):
        assert not (folder / "leaf.json").exists()


def test_the_same_process_cannot_run_two_leaves_on_one_folder(folder: Path) -> None:
    with MachineLock.take(folder), pytest.raises(LeafRunning, match=f"process {os.getpid()}"):
        MachineLock.take(folder)
    MachineLock.take(folder).release()


def test_an_address_is_found_while_the_lock_is_held(folder: Path) -> None:
    assert find_running(folder) is None
    lock = MachineLock.take(folder)
    assert find_running(folder) is None
    lock.announce(address())
    assert find_running(folder) == address()
    assert "SUsecret" not in repr(find_running(folder))
    lock.release()
    lock.release()
    assert find_running(folder) is None
    assert not (folder / "leaf.json").exists()


def test_only_the_owner_reads_the_address(folder: Path) -> None:
    before = os.umask(0)
    try:
        with MachineLock.take(folder) as lock:
            lock.announce(address())
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
            assert modes == {"lock": 0o600, "leaf.json": 0o600}
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_an_address_that_cannot_be_read_is_told(folder: Path) -> None:
    with MachineLock.take(folder):
        (folder / "leaf.json").write_text('{"pid": 1}')
        with pytest.raises(LeafUnreadable, match=r"leaf\.json.*Stop the leaf"):
            find_running(folder)
        with pytest.raises(LeafRunning):
            MachineLock.take(folder)


def test_who_only_looks_keeps_no_leaf_from_starting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MachineLock.take(folder).release()
    looking = os.open(folder / "lock", os.O_RDWR)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("cim.leaf.lock.time.sleep", lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
    MachineLock.take(folder).release()
    os.close(looking)


async def test_the_server_does_not_hold_the_lock(
    folder: Path, start: Callable[..., Awaitable[Server]]
) -> None:
    lock = MachineLock.take(folder)
    await start()
    lock.release()
    MachineLock.take(folder).release()

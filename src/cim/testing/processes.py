"""The command ``cim`` on a machine's folder, each run a process of its own that is sure to end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cim.leaf.lock import LeafAddress, find_running
from cim.leaf.machine import STATE_FOLDER

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds that anything may take here before it counts as hung."""


def wait_until(holds: Callable[[], T | None], what: str, seconds: float = DEADLINE) -> T:
    """What ``holds`` gives once that is true; raises :class:`AssertionError` by name after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (result := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        threading.Event().wait(0.01)
    return result


def stop_for_now(pid: int) -> None:
    """Stop a process as ``kill -STOP`` does; on Linux wait until each of its threads stands still."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")

    def stands() -> bool:
        return all("\nState:\tT" in (one / "status").read_text() for one in threads.iterdir())

    if threads.exists():
        wait_until(stands, f"process {pid} stands still")


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended: its exit code, what it printed, and its news."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> list[dict[str, Any]]:
        """What it printed as JSON, a line each."""
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in self.out.splitlines()]


class Running:
    """A command under way; what it says goes to files, so that nobody need read it."""

    def __init__(self, command: list[str], said: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self._said = said
        with said.with_suffix(".out").open("wb") as out, said.with_suffix(".err").open("wb") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder, env=environment
            )

    @property
    def out(self) -> str:
        """What it has printed by now."""
        return self._said.with_suffix(".out").read_text()

    @property
    def err(self) -> str:
        """Its news by now."""
        return self._said.with_suffix(".err").read_text()

    def prints(self, text: str) -> str:
        """Wait until it has printed ``text``; all that it printed."""

        def printed() -> bool:
            assert text in self.out or self.process.poll() is None, f"it ended: {self.err}"
            return text in self.out

        wait_until(printed, f"{text!r} on standard output")
        return self.out

    def send(self, number: signal.Signals) -> Done:
        """Send it a signal and wait until it has ended."""
        self.process.send_signal(number)
        return self.end()

    def kill(self) -> None:
        """Kill it with signal 9."""
        self.process.kill()
        self.process.wait(DEADLINE)

    def end(self) -> Done:
        """Wait until it has ended by itself."""
        code = self.process.wait(DEADLINE)
        return Done(code, self.out, self.err)


class Place:
    """A machine's folder, and what runs on it. ``folder`` need not be there yet.

    Commands find the machine by ``CIM_MACHINE``; what they say is kept in ``scratch``. ``inside`` stands
    before each command: how it is run at another host.
    """

    def __init__(self, folder: Path, scratch: Path, inside: Sequence[str] = ()) -> None:
        self.folder, self._scratch, self._inside = folder, scratch, inside
        self._started: list[Running] = []

    @property
    def state(self) -> Path:
        """The leaf's own folder."""
        return self.folder / STATE_FOLDER

    @property
    def address(self) -> LeafAddress:
        """Where the leaf runs that runs now; raises :class:`AssertionError` when none does."""
        found = find_running(self.state)
        assert found is not None, f"no leaf runs on {self.folder}"
        return found

    @property
    def servers(self) -> list[int]:
        """The nats-servers that run on this folder, by their process ids."""
        listing = subprocess.run(["ps", "-eww", "-o", "pid=,command="], capture_output=True, text=True)
        lines = [line.split(maxsplit=1) for line in listing.stdout.splitlines()]
        return [int(pid) for pid, command in lines if f"nats-server -c {self.state}" in command]

    def start(self, *arguments: str | Path, **environment: str) -> Running:
        """Start ``cim`` with these arguments; ended by :meth:`close` if nobody ends it before."""
        known = {name: value for name, value in os.environ.items() if name != "CIM_MACHINE"}
        command = [*self._inside, str(Path(sys.executable).with_name("cim")), *map(str, arguments)]
        said = self._scratch / f"{len(self._started)} {arguments[0] if arguments else 'cim'}"
        given = {**known, "CIM_MACHINE": str(self.folder), **environment}
        running = Running(command, said, self._scratch, given)
        self._started.append(running)
        return running

    def cim(self, *arguments: str | Path, **environment: str) -> Done:
        """Run ``cim`` with these arguments to its end."""
        return self.start(*arguments, **environment).end()

    def up(self, port: int = 0) -> Running:
        """Start the leaf; returns when it has told its address."""
        running = self.start("up", "--port", str(port))
        running.prints(" is up: ")
        return running

    def close(self) -> None:
        """End all that was started here and still runs; raises when that needs force."""
        left = [one for one in self._started if one.process.poll() is None]
        for running in left:
            running.process.terminate()
        for running in left:
            try:
                running.end()
            except subprocess.TimeoutExpired:
                running.kill()
                raise


@contextmanager
def place(folder: Path, scratch: Path, inside: Sequence[str] = ()) -> Iterator[Place]:
    """A :class:`Place` that is closed at the end of the block."""
    scratch.mkdir(parents=True, exist_ok=True)
    made = Place(folder, scratch, inside)
    try:
        yield made
    finally:
        made.close()

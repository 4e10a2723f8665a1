"""One leaf a folder: the lock that says so, and the file that tells other commands where it is.

The kernel lets go of the lock when its holder ends, however that happens. So the lock alone says whether a
leaf runs; ``leaf.json`` says where, and is not believed without it.
"""

import fcntl
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from cim.domain.errors import CimError
from cim.leaf.private import private_folder, write_private

_ATTEMPTS = 500
_GLANCE = 0.001


class LeafRunning(CimError):
    """Another process runs the leaf of this folder."""


class LeafUnreadable(CimError):
    """A leaf runs, and what it tells about itself cannot be read."""


@dataclass(frozen=True, slots=True)
class LeafAddress:
    """Where a running leaf is, and the credentials of its machine.

    Args:
        pid: the process that runs the leaf.
        url: of NATS, for programs of the machine.
        websocket_ports: of NATS, for pages.
        page: URL of the machine's page.
        jwt: of the machine's user.
        seed: of the machine's user.
    """

    pid: int
    url: str
    websocket_ports: tuple[int, ...]
    page: str
    jwt: str
    seed: str = field(repr=False)


class MachineLock:
    """The right to run the leaf of a folder, held until :meth:`release` or the end of the process.

    Children do not inherit it when they are started by ``subprocess``; those of a bare ``os.fork`` do, and
    hold it on.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder = folder
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Take the lock of ``folder`` (``<machine>/.cim``), which is made where it is missing.

        Raises:
            LeafRunning: somebody holds it; the text tells who and where.
        """
        folder = private_folder(folder)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock_alone(descriptor):
            os.close(descriptor)
            raise LeafRunning(_who_runs(folder))
        (folder / "leaf.json").unlink(missing_ok=True)
        # In this order it needs no room on a full disk but the first time.
        os.truncate(descriptor, os.pwrite(descriptor, str(os.getpid()).encode(), 0))
        return cls(folder, descriptor)

    def announce(self, address: LeafAddress) -> None:
        """Write ``leaf.json``, mode 0600, at once and whole: from now on others find this leaf."""
        write_private(self._folder / "leaf.json", msgspec.json.encode(address).decode())

    def release(self) -> None:
        """Take back the announcement and let go; a second call does nothing."""
        if self._descriptor is not None:
            (self._folder / "leaf.json").unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def find_running(folder: Path) -> LeafAddress | None:
    """The leaf that runs on ``folder`` (``<machine>/.cim``); None when none runs, or none is ready yet.

    Raises:
        LeafUnreadable: it runs, and its ``leaf.json`` is damaged or of another version.
    """
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        return None if _lock(descriptor, fcntl.LOCK_SH) else _read(folder)
    finally:
        os.close(descriptor)


def _read(folder: Path) -> LeafAddress | None:
    path = folder / "leaf.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=LeafAddress)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise LeafUnreadable(f"{path}: {error}. Stop the leaf that runs here and start it again") from error


def _who_runs(folder: Path) -> str:
    try:
        leaf = _read(folder)
    except LeafUnreadable:
        leaf = None
    pid = leaf.pid if leaf else (folder / "lock").read_text() or "unknown"
    where = "it has not told its address yet"
    if leaf:
        where = f"its page is {leaf.page or 'elsewhere'}, its NATS {leaf.url}"
    return (
        f"{folder}: a leaf runs here already, process {pid}; {where}. "
        f"Use that one, or end it first (Ctrl-C in its terminal, or: kill {pid})"
    )


def _lock_alone(descriptor: int) -> bool:
    """Take the lock for us alone; False if a leaf has it. One that only looks holds it for a moment."""
    for _ in range(_ATTEMPTS):
        if _lock(descriptor, fcntl.LOCK_EX):
            return True
        if not _lock(descriptor, fcntl.LOCK_SH):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(_GLANCE)
    return False


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

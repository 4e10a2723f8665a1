"""The disk under a server: whether there is room, and whether the server must be started anew to see it.

A nats-server that could not write once keeps that error: it answers no publish any more, also when there is
room again (seen with 2.15.1). Its log is the only place where it tells.
"""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

from cim.log.backoff import delays
from cim.ports.clock import Clock

ROOM = 16 * 1024 * 1024
"""Bytes that must be free, two of the largest messages."""

_FAILED = (b"no space left on device", b"JetStream failed to store", b"JetStream Shutdown")


class Disk:
    """What is known of the disk that holds ``folder``, from its free space and the server's log.

    ``trouble`` says in words that there is no room; None while there is.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder, self._log = folder, log
        self.trouble: str | None = None
        self.begin()

    def begin(self) -> None:
        """The server is started anew: what an earlier one logged counts no more."""
        self._seen = self._log.stat().st_size if self._log.exists() else 0
        self._failed = False

    def look(self) -> bool:
        """Look again; whether the server may have failed to write and there is room now: start it anew."""
        free = shutil.disk_usage(self._folder).free
        self.trouble = None
        if free < ROOM:
            self.trouble = _full(self._folder, free)
        news = self._news()
        # What it could not write it may not have been able to log either: a full disk alone is enough.
        self._failed = self._failed or self.trouble is not None or any(one in news for one in _FAILED)
        anew = self._failed and self.trouble is None
        self._failed = self._failed and not anew
        return anew

    def _news(self) -> bytes:
        """What the server has logged since the last look."""
        try:
            with self._log.open("rb") as file:
                file.seek(0, 2)
                if file.tell() < self._seen:  # the server began a new file
                    self._seen = 0
                file.seek(self._seen)
                news = file.read()
        except FileNotFoundError:
            return b""
        self._seen += len(news)
        return news


async def until_room(folder: Path, clock: Clock, tell: Callable[[str], None]) -> None:
    """Wait until the disk that holds ``folder`` has room; ``tell`` is told once that it has none."""
    is_told = False
    for delay in delays():
        free = shutil.disk_usage(folder).free
        if free >= ROOM:
            return
        if not is_told:
            tell(_full(folder, free))
        is_told = True
        await clock.sleep(delay)


async def outlast_full(
    what: str, write: Callable[[], None], clock: Clock, tell: Callable[[str], None]
) -> None:
    """Write ``what``, again and again while there is no room for it; ``tell`` is told once."""
    is_told = False
    for delay in delays():
        try:
            write()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            if not is_told:
                tell(f"{what} was not written: {error.strerror}: it is tried again")
        else:
            return
        is_told = True
        await clock.sleep(delay)


def _full(folder: Path, free: int) -> str:
    return (
        f"the disk that holds {folder} is full ({free // 1024:,} KB are free): nothing is stored until there "
        f"is room"
    )

"""A small file system in memory that can be filled to the last byte. Needs to be root."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

SIZE = "4g"
"""Its size while there is room: memory is taken for what it holds only."""


_TRIES = 100


class NoDisk(Exception):
    """None can be made here; the text says why."""


class SmallDisk:
    """Mounted on ``folder``, over whatever is there, until :meth:`close`. Raises :class:`NoDisk`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if os.geteuid() != 0:
            raise NoDisk("a small file system can be mounted by root only")
        try:
            self._mount(f"size={SIZE},mode=700")
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoDisk(f"no file system can be mounted here: {error}") from error
        # A size of nothing would be none at all.
        (folder / "something").write_bytes(bytes(65_536))

    def fill(self, left: int = 0) -> None:
        """Leave as many bytes free."""
        for _ in range(_TRIES):
            found = os.statvfs(self.folder)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize
            # Somebody may write in between: no file system is made smaller than what it holds.
            with suppress(subprocess.CalledProcessError):
                return self._mount(f"remount,size={(used + left) // 1024}k")
        raise NoDisk(f"{self.folder} cannot be filled: too much is written there")

    def make_room(self) -> None:
        """As much as there was."""
        self._mount(f"remount,size={SIZE}")

    def close(self) -> None:
        """Unmount it, also while somebody still uses it."""
        subprocess.run(["umount", "-l", self.folder], check=True)

    def _mount(self, options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder], check=True, capture_output=True
        )

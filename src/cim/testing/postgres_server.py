"""A throw-away PostgreSQL for tests: a cluster in a folder of its own, on a socket there and no port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGED = Path("/usr/lib/postgresql")
"""Where Debian has the server's programs, a folder a version; they are on no path."""

OWNERS = ("postgres", "nobody")
"""Users of whom one runs the server where the tests run as root, which it refuses."""

_PATIENCE = 60.0


def programs() -> Path | None:
    """The folder of the newest server's programs; None where there is none."""
    found = sorted(PACKAGED.glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    return Path(path).resolve().parent if path else None


class PostgresServer:
    """A server on the cluster in a folder; ``url`` leads to a database of it. It syncs nothing."""

    def __init__(self, bin: Path, folder: Path) -> None:
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        self._bin, self._folder, self._user = bin, folder, _owner()
        if self._user is not None:
            shutil.chown(folder, self._user)
        words = ["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        # As most databases are: words in the order of a dictionary, unless a column says otherwise.
        words += ["--locale-provider=icu", "--icu-locale=en-US"]
        self._run("initdb", "--pgdata", folder / "data", *words)
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        said = self._folder / "said"
        program, data = self._bin / "postgres", self._folder / "data"
        with said.open("ab") as out:
            self._server = subprocess.Popen(
                [program, "-D", data, "-k", self._folder, "-c", "listen_addresses=", "-c", "fsync=off"],
                stdout=out,
                stderr=subprocess.STDOUT,
                user=self._user,
                cwd=self._folder,
                process_group=0,
            )
        end = time.monotonic() + _PATIENCE
        while subprocess.run([self._bin / "pg_isready", "-q", "-h", self._folder], check=False).returncode:
            if self._server.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"PostgreSQL did not start: {said.read_text(errors='replace')}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash does; nothing happens where it has ended."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(_PATIENCE)

    def _run(self, program: str, *words: str | Path) -> None:
        command = [self._bin / program, *words]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=self._folder)


@contextmanager
def postgres_server(bin: Path) -> Iterator[PostgresServer]:
    """One that runs until the block ends, when all of it is gone."""
    folder = Path(tempfile.mkdtemp(prefix="cim-postgres-"))
    try:
        server = PostgresServer(bin, folder)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner() -> str | None:
    if os.getuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return next(name for name in OWNERS if name in known)

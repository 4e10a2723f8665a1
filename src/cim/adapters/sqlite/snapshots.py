"""Snapshots in a SQLite file: read where they are asked for, written in a thread of their own."""

import sqlite3
import threading
from asyncio import wrap_future
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cim.adapters.sqlite.derived import Layout, connect, discard, is_ruined
from cim.ports.snapshots import Place, Snapshot

FILE = "snapshots.sqlite"
"""The file's name in the leaf's own folder."""

MOST_AT_ONCE = 64
"""Snapshots that are written in one transaction."""

LAYOUT = Layout(
    1,
    (
        "CREATE TABLE snapshot (entity INTEGER PRIMARY KEY, subject TEXT NOT NULL UNIQUE,"
        " sequence INTEGER NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL, version TEXT NOT NULL,"
        " state BLOB NOT NULL) STRICT",
        "CREATE TABLE seen (entity INTEGER, id TEXT, sequence INTEGER NOT NULL, PRIMARY KEY (entity, id))"
        " STRICT, WITHOUT ROWID",
    ),
)

_LOAD = "SELECT subject, sequence, number, digest, version, state FROM snapshot WHERE subject = ?"
_FIND = (
    "SELECT seen.sequence, digest FROM snapshot"
    " LEFT JOIN seen ON seen.entity = snapshot.entity AND seen.id = ? WHERE subject = ?"
)
_STANDS = "SELECT entity, digest FROM snapshot WHERE subject = ?"
_FORGET = "DELETE FROM seen WHERE entity = ?"
_PUT = (
    "INSERT INTO snapshot (subject, sequence, number, digest, version, state) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (subject) DO UPDATE SET sequence = excluded.sequence, number = excluded.number,"
    " digest = excluded.digest, version = excluded.version, state = excluded.state RETURNING entity"
)
_SEEN = "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A snapshot that waits to be kept; ``kept`` tells whether it is, or the error that it met."""

    make: Callable[[], Snapshot]
    ids: Sequence[tuple[str, int]]
    behind: str | None
    kept: Future[bool | Exception] = field(default_factory=Future)


class _Side:
    """One thread's connection: opened when it is needed, and anew after the file was thrown away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._of = -1

    def at(self, generation: int) -> sqlite3.Connection:
        """The connection to the file of this generation."""
        if self._of != generation:
            self.close()
        if self._connection is None:
            self._connection, self._of = connect(self._path, LAYOUT), generation
        return self._connection

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SqliteSnapshots:
    """Fulfils :class:`cim.ports.snapshots.Snapshots` with a file; a ruined one is made anew.

    ``tell`` is told what the file suffers. To be closed by whoever made it.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path, self._tell = path, tell
        self._reader, self._writer = _Side(path), _Side(path)
        self._generation, self._lock = 0, threading.Lock()
        self._thread = ThreadPoolExecutor(1, "snapshots")
        self._waiting: list[_Asked] = []
        self._told = ""
        self._closed = False

    def load(self, subject: str) -> Snapshot | None:
        found = self._read(_LOAD, subject)
        return None if found is None else Snapshot(*found)

    def find(self, subject: str, id: str) -> Place:
        found = self._read(_FIND, id, subject)
        return Place(None, None) if found is None else Place(*found)

    async def keep(
        self, make: Callable[[], Snapshot], ids: Sequence[tuple[str, int]], behind: str | None
    ) -> bool:
        if self._closed:
            return False
        asked = _Asked(make, ids, behind)
        self._waiting.append(asked)
        self._thread.submit(self._write)
        kept = await wrap_future(asked.kept)
        if isinstance(kept, Exception):
            self._complain(kept)
            return False
        return kept

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        self._closed = True
        self._thread.shutdown()
        self._writer.close()
        self._reader.close()

    def _read(self, query: str, *values: str) -> Any:
        """The first row; None where there is none, or the file cannot be read."""
        if self._closed:
            return None
        generation = self._generation
        try:
            return self._reader.at(generation).execute(query, values).fetchone()
        except sqlite3.Error as error:
            self._suffer(error, generation)
            self._complain(error)
            return None

    def _write(self) -> None:
        """Keep what waits, in one transaction; in the writing thread."""
        taken = self._waiting[:MOST_AT_ONCE]
        del self._waiting[: len(taken)]
        wanted = [one for one in taken if one.kept.set_running_or_notify_cancel()]
        if not wanted:
            return
        generation = self._generation
        results: list[bool | Exception]
        try:
            with self._writer.at(generation) as connection:
                connection.execute("BEGIN IMMEDIATE")
                results = [_keep(connection, one) for one in wanted]
        except Exception as error:  # whatever it is: nobody waits for ever
            self._suffer(error, generation)
            results = [error] * len(wanted)
        for one, result in zip(wanted, results, strict=True):
            one.kept.set_result(result)

    def _suffer(self, error: Exception, generation: int) -> None:
        """Throw a ruined file away, once; both threads open the new one when they next need it."""
        with self._lock:
            if isinstance(error, sqlite3.Error) and is_ruined(error) and generation == self._generation:
                discard(self._path)
                self._generation += 1

    def _complain(self, error: Exception) -> None:
        if self._told != (text := f"{self._path}: {error}: entities are read from their beginning meanwhile"):
            self._told = text
            self._tell(text)


def _keep(connection: sqlite3.Connection, asked: _Asked) -> bool:
    try:
        made = asked.make()
    except Exception:  # a module's own values: whoever made it knows the cause
        return False
    entity, stands = connection.execute(_STANDS, (made.subject,)).fetchone() or (None, None)
    if asked.behind is None:
        connection.execute(_FORGET, (entity,))
    elif asked.behind != stands:
        return False
    values = (made.subject, made.sequence, made.number, made.digest, made.version, made.state)
    ((entity,),) = connection.execute(_PUT, values).fetchall()
    connection.executemany(_SEEN, ((entity, id, sequence) for id, sequence in asked.ids))
    return True

"""Keys of persons in a file of their own.

A key that was destroyed must not stay anywhere in the file or beside it: pages that are let go are
overwritten (``secure_delete``), and the journal is a file that is removed with each transaction, not a
write-ahead log in which old pages live on. A transaction that is cut leaves the key or the tombstone:
SQLite takes it back or has it whole. What the disk itself keeps of overwritten blocks is out of reach.
"""

import os
import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cim.domain.errors import CimError
from cim.ports.keys import PersonErased

KEY_BYTES = 32
PATIENCE = 2.0
"""Seconds that a transaction waits for another process's: an erasure waits in the loop that all share."""

WARM = 50_000
"""Keys that are held in memory."""

_TABLE = "CREATE TABLE IF NOT EXISTS keys (person TEXT PRIMARY KEY, key BLOB) STRICT, WITHOUT ROWID"
_FIND = "SELECT key FROM keys WHERE person = ?"
_MAKE = "INSERT INTO keys VALUES (?, ?) ON CONFLICT DO NOTHING"
_DESTROY = "INSERT INTO keys VALUES (?, NULL) ON CONFLICT DO UPDATE SET key = NULL"


class KeysUnreadable(CimError):
    """The file of keys cannot be read or written."""


class SqliteKeys:
    """Fulfils :class:`cim.ports.keys.KeyStore` in the file at ``path``, which is made with the first key.

    Another process that destroys a key is not seen by what is held in memory here: whoever follows the
    log destroys it here, too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._warm: dict[str, bytes] = {}
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None

    def find(self, person: str) -> bytes | None:
        """See :meth:`cim.ports.keys.KeyStore.find`."""
        warm = self._warm.get(person)
        if warm is not None:
            return warm
        with self._lock:
            if self._reader is None and not self.path.exists():
                return None
            with self._told():
                self._reader = self._reader or self._opened()
                return self._taken(person, self._reader)

    def is_at_hand(self, person: str) -> bool:
        """See :meth:`cim.ports.keys.KeyStore.is_at_hand`."""
        return person in self._warm

    def make(self, person: str) -> bytes:
        """See :meth:`cim.ports.keys.KeyStore.make`."""
        found = self.find(person)
        if found is None:
            self.prepare([person])
            found = self.find(person)
        assert found is not None
        return found

    def prepare(self, persons: Collection[str]) -> None:
        """See :meth:`cim.ports.keys.KeyStore.prepare`."""
        with self._changing() as writer:
            made = [
                (person, os.urandom(KEY_BYTES)) for person in persons if self._row(person, writer) is None
            ]
            if made:
                with writer:
                    writer.execute("BEGIN IMMEDIATE")
                    writer.executemany(_MAKE, made)
            for person in persons:
                with suppress(PersonErased):
                    self._taken(person, writer)

    def destroy(self, person: str) -> None:
        """See :meth:`cim.ports.keys.KeyStore.destroy`."""
        with self._changing() as writer:
            if self._row(person, writer) != (None,):
                writer.execute(_DESTROY, (person,))
            with self._lock:  # who was finding it has put it at hand by now
                self._warm.pop(person, None)

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._lock:
            self._warm.clear()
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None

    def _taken(self, person: str, connection: sqlite3.Connection) -> bytes | None:
        """The key in the file, kept at hand."""
        found = self._row(person, connection)
        if found is None:
            return None
        (key,) = found
        if key is None:
            raise PersonErased(person)
        if len(self._warm) >= WARM:
            self._warm.clear()
        self._warm[person] = key
        return key

    def _row(self, person: str, connection: sqlite3.Connection) -> tuple[bytes | None] | None:
        found: tuple[bytes | None] | None = connection.execute(_FIND, (person,)).fetchone()
        return found

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes. Who finds meanwhile has one of their own, and waits for the last moment
        of a transaction only."""
        with self._writing, self._told():
            self._writer = self._writer or self._opened()
            yield self._writer

    def _opened(self) -> sqlite3.Connection:
        if not self.path.exists():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        opened = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        opened.execute("PRAGMA secure_delete = ON")
        opened.execute("PRAGMA synchronous = EXTRA")
        opened.execute(_TABLE)
        return opened

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise KeysUnreadable(f"{self.path}: {error}. Without it no personal value is opened") from error

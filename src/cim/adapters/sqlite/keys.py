"""Keys of persons in a file of their own.

A key that was destroyed must not stay anywhere in the file or beside it: pages that are let go are
overwritten (``secure_delete``), and the journal is a file that is removed with each transaction, not a
write-ahead log in which old pages live on. A transaction that is cut leaves the key or the tombstone:
SQLite takes it back or has it whole. What the disk itself keeps of overwritten blocks is out of reach.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cim.domain.errors import CimError
from cim.ports.keys import PersonErased

KEY_BYTES = 32
PATIENCE = 10.0
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
        self._path = path
        self._lock = threading.Lock()
        self._warm: dict[str, bytes] = {}
        self._connection: sqlite3.Connection | None = None

    def find(self, person: str) -> bytes | None:
        """See :meth:`cim.ports.keys.KeyStore.find`."""
        with self._lock:
            return self._find(person)

    def make(self, person: str) -> bytes:
        """See :meth:`cim.ports.keys.KeyStore.make`."""
        with self._lock:
            found = self._find(person)
            if found is None:
                self._write(_MAKE, (person, os.urandom(KEY_BYTES)))
                found = self._find(person)
            assert found is not None
            return found

    def destroy(self, person: str) -> None:
        """See :meth:`cim.ports.keys.KeyStore.destroy`."""
        with self._lock:
            self._warm.pop(person, None)
            if not self._path.exists() or self._rows(person) != [(None,)]:
                self._write(_DESTROY, (person,))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._warm.clear()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _find(self, person: str) -> bytes | None:
        warm = self._warm.get(person)
        if warm is not None:
            return warm
        rows = self._rows(person) if self._path.exists() else []
        if not rows:
            return None
        ((key,),) = rows
        if key is None:
            raise PersonErased(person)
        if len(self._warm) >= WARM:
            self._warm.clear()
        self._warm[person] = key
        return key

    def _rows(self, person: str) -> list[tuple[bytes | None]]:
        with self._told():
            return self._opened().execute(_FIND, (person,)).fetchall()

    def _write(self, statement: str, values: tuple[str | bytes, ...]) -> None:
        with self._told():
            self._opened().execute(statement, values)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            if not self._path.exists():
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            # Each statement is a transaction of its own.
            self._connection = sqlite3.connect(
                self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.execute("PRAGMA synchronous = EXTRA")
            self._connection.execute(_TABLE)
        return self._connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise KeysUnreadable(f"{self._path}: {error}. Without it no personal value is opened") from error

"""Rows in SQLite: a file a projection. A commit waits for no disk: a power cut takes the file back to an
earlier whole state, and what came after is folded again."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from cim.adapters.sqlite import derived
from cim.ports.rows import NEVER, Deadline, Layout, RowsFailed, RowsRuined, Table, TooLate

ENDING = ".sqlite"

_STEPS = 1000
"""How many steps SQLite makes before it asks whether it is late."""


class SqliteSession:
    """Fulfils :class:`cim.ports.rows.Session` by a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._reading: set[sqlite3.Cursor] = set()

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            _raise(error, "")

    def run_each(self, statement: str, values: Sequence[Sequence[Any]]) -> None:
        with _translated(""):
            self._connection.executemany(statement, values)

    def first(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        try:
            found: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            _raise(error, "")
        return found

    def each(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        with _translated(""):
            cursor = self._connection.execute(statement, values)
            self._reading.add(cursor)
            try:
                yield from cursor
            finally:
                self._reading.discard(cursor)
                cursor.close()

    def end(self) -> None:
        """End the moment that was read: whoever still reads of it reads no more, and keeps it no longer."""
        for cursor in self._reading:
            cursor.close()
        self._reading.clear()
        self._connection.rollback()

    def create(self, table: Table) -> None:
        self.run(creation(table))

    @contextmanager
    def writing(self) -> Iterator[None]:
        with _translated(""), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield

    def wipe(self) -> None:
        # The log beside the file holds the old rows until it is cut.
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """Fulfils :class:`cim.ports.rows.Place` by a file."""

    path: Path

    @property
    def name(self) -> str:
        """The projection's."""
        return self.path.stem

    def __str__(self) -> str:
        return str(self.path)

    def open(self, layout: Layout, *, wiping: bool) -> SqliteSession:
        """See :class:`cim.ports.rows.Place`."""
        made = derived.Layout(layout.number, tuple(map(creation, layout.tables)))
        with _translated(""):
            connection = derived.connect(self.path, made)
            if wiping:
                connection.execute("PRAGMA secure_delete = ON")
        return SqliteSession(connection)

    @contextmanager
    def look(self, until: Deadline = NEVER) -> Iterator[SqliteSession | None]:
        """See :class:`cim.ports.rows.Place`."""
        with closing(KeptPlace(self)) as kept, kept.look(until) as session:
            yield session

    def discard(self) -> None:
        """See :class:`cim.ports.rows.Place`."""
        derived.discard(self.path)


class KeptPlace:
    """Fulfils :class:`cim.ports.rows.Readable` by files that stay open between looks: one for each look that
    is under way, and each as long as it is the file that stands there. What was thrown away is read no more.
    """

    def __init__(self, place: SqlitePlace) -> None:
        self._place = place
        self._idle: list[_Opened] = []

    @property
    def name(self) -> str:
        """See :class:`cim.ports.rows.Readable`."""
        return self._place.name

    def __str__(self) -> str:
        return str(self._place)

    @contextmanager
    def look(self, until: Deadline = NEVER) -> Iterator[SqliteSession | None]:
        """See :class:`cim.ports.rows.Readable`."""
        with _translated(f"{self._place}: "):
            opened = self._opened()
            if opened is None:
                yield None
                return
            connection = opened.connection
            try:
                session = SqliteSession(connection)
                connection.set_progress_handler(until.passed, _STEPS)
                connection.execute("BEGIN")
                (made,) = connection.execute("PRAGMA user_version").fetchone()
                # Whoever makes the file may not have come that far.
                yield session if made else None
                session.end()
            except BaseException:
                connection.close()
                raise
            self._idle.append(opened)

    def _opened(self) -> "_Opened | None":
        """The file that stands there now, open."""
        try:
            found = os.stat(self._place.path)
        except FileNotFoundError:
            return None
        file = found.st_dev, found.st_ino
        while self._idle:
            kept = self._idle.pop()
            if kept.file == file:
                return kept
            kept.connection.close()
        address = f"{self._place.path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(address, uri=True, timeout=derived.PATIENCE)
        # Not opened for reading alone: what a process that was killed left behind is tidied up first.
        connection.execute("PRAGMA query_only = ON")
        return _Opened(connection, file)

    def close(self) -> None:
        """Let go of the files."""
        while self._idle:
            self._idle.pop().connection.close()


class _Opened(NamedTuple):
    """An open file, by the numbers that tell it from a later one of its name."""

    connection: sqlite3.Connection
    file: tuple[int, int]


class SqliteReader:
    """Fulfils :class:`cim.ports.rows.Reader`."""

    def __init__(self, rows: "SqliteRows") -> None:
        self._rows = rows
        self._kept: dict[str, KeptPlace] = {}

    def place(self, name: str) -> KeptPlace:
        """See :class:`cim.ports.rows.Reader`."""
        if name not in self._kept:
            self._kept[name] = KeptPlace(self._rows.place(name))
        return self._kept[name]

    def close(self) -> None:
        """See :class:`cim.ports.rows.Reader`."""
        for kept in self._kept.values():
            kept.close()


@dataclass(frozen=True, slots=True)
class SqliteRows:
    """Fulfils :class:`cim.ports.rows.RowStore` by a folder."""

    folder: Path

    def place(self, name: str) -> SqlitePlace:
        """See :class:`cim.ports.rows.RowStore`."""
        return SqlitePlace(self.folder / f"{name}{ENDING}")

    def names(self) -> list[str]:
        """See :class:`cim.ports.rows.RowStore`."""
        return sorted(path.stem for path in self.folder.glob(f"*{ENDING}"))

    def reader(self) -> SqliteReader:
        """See :class:`cim.ports.rows.RowStore`."""
        return SqliteReader(self)


def creation(table: Table) -> str:
    """The statement that makes a table."""
    columns = ", ".join(f'"{name}" {type}' for name, type in table.columns)
    key = ", ".join(f'"{name}"' for name in table.key)
    return f'CREATE TABLE "{table.name}" ({columns}, PRIMARY KEY ({key})) STRICT, WITHOUT ROWID'


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        _raise(error, where)


def _raise(error: sqlite3.Error, where: str) -> NoReturn:
    """SQLite's error as the port's; what only a value is to blame for stays what it is."""
    if derived.is_ruined(error):
        raise RowsRuined(f"{where}{error}") from error
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        raise TooLate("the time for reading is over") from error
    if isinstance(error, sqlite3.OperationalError):  # a full disk, a locked file
        raise RowsFailed(f"{where}{error}") from error
    raise error

"""Rows in SQLite: a file a projection. A commit waits for no disk: a power cut takes the file back to an
earlier whole state, and what came after is folded again."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cim.adapters.sqlite import derived
from cim.ports.rows import NEVER, Deadline, Layout, RowsFailed, RowsRuined, Table, TooLate

ENDING = ".sqlite"

_STEPS = 1000
"""How many steps SQLite makes before it asks whether it is late."""


class SqliteSession:
    """Fulfils :class:`cim.ports.rows.Session` by a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

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
            yield from self._connection.execute(statement, values)

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
        if not self.path.exists():
            yield None
            return
        with (
            _translated(f"{self.path}: "),
            closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True)) as connection,
        ):
            # Not opened for reading alone: what a process that was killed left behind is tidied up first.
            connection.execute("PRAGMA query_only = ON")
            connection.set_progress_handler(until.passed, _STEPS)
            connection.execute("BEGIN")
            (made,) = connection.execute("PRAGMA user_version").fetchone()
            # Whoever makes the file may not have come that far.
            yield SqliteSession(connection) if made else None

    def discard(self) -> None:
        """See :class:`cim.ports.rows.Place`."""
        derived.discard(self.path)


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

"""Opening a SQLite file of what is derived from the log, and thrown away at will.

A commit waits for no disk: a power cut takes the file back to an earlier whole state. A file that cannot
be read, or has another layout, is made anew.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 5.0
"""Seconds that a transaction waits for another process's."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The tables of a kind of file: its number in the file's ``user_version``, and the statements that
    make them."""

    number: int
    statements: Sequence[str]


def connect(path: Path, layout: Layout) -> sqlite3.Connection:
    """The file at ``path``, made where it is missing, cannot be read, or has another layout.

    Not for two threads at a time. Raises :class:`sqlite3.Error` for what is not the file's fault.
    """
    connection = _opened(path)
    try:
        if _laid_out(connection, layout):
            return connection
    except sqlite3.Error as error:
        if not is_ruined(error):
            connection.close()
            raise
    connection.close()
    discard(path)
    connection = _opened(path)
    _laid_out(connection, layout)
    return connection


def _laid_out(connection: sqlite3.Connection, layout: Layout) -> bool:
    """Whether a file has our layout; an empty one is given it."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        if number == layout.number:
            return True
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
            return False
        for statement in layout.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {layout.number}")
        return True


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.DatabaseError as error:
        if not is_ruined(error):
            connection.close()
            raise
    return connection


def copy(path: Path, to: Path) -> None:
    """Put what the file holds now into a new one, also while another process writes to it; nothing where it
    is not there or cannot be read."""
    if not path.exists():
        return
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(to)) as target,
        ):
            source.backup(target)
    except sqlite3.Error:
        discard(to)


def is_ruined(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is no database, or no longer a whole one."""
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def may_pass(error: sqlite3.Error) -> bool:
    """Whether an error is the disk's and no fault of the file: there is no room, or it cannot be read now."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def discard(path: Path) -> None:
    """Throw the file away: what it held is in the log."""
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)

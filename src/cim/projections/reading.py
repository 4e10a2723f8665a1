"""Reading the rows of a projection, from any process, while another one folds them."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cim.domain.errors import CimError
from cim.projections.database import NEXT, SHOWN, place_of
from cim.projections.table import Column, quoted


class RowsUnreadable(CimError):
    """There are no rows to read, or their file cannot be read."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the rows are that can be read, and why they go no further, if they do not.

    ``anew`` is how far they are folded anew by newer code, beside these, where they are.
    """

    sequence: int
    stopped: str | None
    anew: int | None = None

    def stops_at(self, subject: str, sequence: int) -> bool:
        """Whether it is this message that the rows do not go past."""
        return (self.stopped or "").startswith(f"{place_of(subject, sequence)}:")


def standing(path: Path) -> Standing:
    """How far the projection in a file is; 0 where nothing was folded yet. Raises :class:`RowsUnreadable`."""
    if not path.exists():
        return Standing(0, None)
    with _reading(path) as connection:
        return _standing(connection)


def read_rows(path: Path, key: Sequence[str] = ()) -> tuple[Standing, list[dict[str, Any]]]:
    """The rows as plain data in the order of their key, and how far they are folded, both of one moment.

    ``key`` names one row, or by its first fields several. Raises :class:`RowsUnreadable`.
    """
    if not path.exists():
        return Standing(0, None), []
    with _reading(path) as connection:
        found = _standing(connection)
        written = _asked(connection, "SELECT columns FROM cim_checkpoint WHERE rows = ?", SHOWN)
        columns = msgspec.json.decode(written[0][0], type=list[Column]) if written else []
        return found, list(_rows(connection, columns, key)) if columns else []


def _rows(
    connection: sqlite3.Connection, columns: Sequence[Column], key: Sequence[str]
) -> Iterator[dict[str, Any]]:
    fields = [quoted(column.name) for column in columns if column.key]
    if len(key) > len(fields):
        raise RowsUnreadable(f"{len(key)} values name no row here: its key is {', '.join(fields)}")
    where = " AND ".join(f"{field} = ?" for field in fields[: len(key)]) or "TRUE"
    names = ", ".join(quoted(column.name) for column in columns)
    asked = f"SELECT {names} FROM {quoted(SHOWN)} WHERE {where} ORDER BY {', '.join(fields)}"
    for found in connection.execute(asked, tuple(key)):
        yield {one.name: one.plain(value) for one, value in zip(columns, found, strict=True)}


def _standing(connection: sqlite3.Connection) -> Standing:
    asked = _asked(connection, "SELECT rows, sequence, stopped FROM cim_checkpoint")
    found = {rows: (sequence, stopped) for rows, sequence, stopped in asked}
    sequence, stopped = found.get(SHOWN, (0, None))
    anew, newer = found.get(NEXT, (None, None))
    # Where newer code stopped, too, its reason is the one to act on.
    return Standing(sequence, newer or stopped, anew)


def _asked(connection: sqlite3.Connection, query: str, *values: str) -> list[Any]:
    """What the file tells of itself; nothing where whoever made it has not come that far."""
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    return connection.execute(query, values).fetchall() if layout else []


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, read at one moment."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            # Not opened for reading alone: what a process that was killed left behind is tidied up first.
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise RowsUnreadable(
            f"{path}: {error}. It is derived: remove it, and `cim up` folds it anew"
        ) from error

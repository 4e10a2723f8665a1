"""Rows in PostgreSQL: a schema a projection, named after machine and projection, in a database of the user's.

A commit waits for no disk, as in a file: when the server crashes the rows go back to an earlier whole state,
and what came after is folded again. One writer at a time holds a lock on the checkpoint's table; readers take
none of it, and see one moment. A reader holds the table that it reads, so that no rows that were folded anew
take its place meanwhile.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import errors, sql

from cim.domain.errors import Misdeclared
from cim.ports.rows import NEVER, Deadline, Layout, RowsFailed, RowsRuined, Table, TooLate

_TYPES = {"TEXT": 'TEXT COLLATE "C"', "INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION"}
_MARK = "CIM rows, layout "
_LONGEST = 63
"""Bytes of a name: PostgreSQL cuts off the rest without a word."""

_PATIENCE_MS = 5000
_CHECKPOINT, _SHOWN = "cim_checkpoint", "rows"
_FETCHED = 200
"""Rows that are fetched at once."""


class PostgresSession:
    """Fulfils :class:`cim.ports.rows.Session` by a connection whose search path is one schema."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self._connection = connection

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        with _translated(""):
            self._connection.execute(_worded(statement), _checked(values))

    def run_each(self, statement: str, values: Sequence[Sequence[Any]]) -> None:
        if values:
            with _translated(""), self._connection.cursor() as cursor:
                cursor.executemany(_worded(statement), map(_checked, values))

    def first(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        with _translated(""):
            return self._connection.execute(_worded(statement), _checked(values)).fetchone()

    def each(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        # By a cursor of the server: what nobody asks for is not sent.
        with _translated(""), self._connection.cursor(name="each") as cursor:
            cursor.itersize = _FETCHED
            cursor.execute(_worded(statement), _checked(values))
            yield from cursor

    def create(self, table: Table) -> None:
        self.run(creation(table))

    @contextmanager
    def writing(self) -> Iterator[None]:
        with _translated(""), self._connection.transaction():
            self._connection.execute(f"LOCK TABLE {_CHECKPOINT} IN EXCLUSIVE MODE")
            yield

    def wipe(self) -> None:
        """Nothing: a dropped table's file is gone, and PostgreSQL writes over the rest in its own time."""

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """Fulfils :class:`cim.ports.rows.Place` by a schema."""

    url: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"schema {self.schema} of PostgreSQL"

    def open(self, layout: Layout, *, wiping: bool) -> PostgresSession:
        """See :class:`cim.ports.rows.Place`."""
        if len(self.schema.encode()) > _LONGEST:
            raise Misdeclared(
                f"{self.schema!r} names a schema, which has {_LONGEST} bytes at most: rename one"
            )
        with _translated(f"{self}: "):
            connection = psycopg.connect(self.url, autocommit=True, connect_timeout=5)
            try:
                connection.execute(f"SET lock_timeout = {_PATIENCE_MS}")
                connection.execute("SET synchronous_commit = off")
                self._lay_out(connection, layout)
                _enter(connection, self.schema)
            except BaseException:
                connection.close()
                raise
            return PostgresSession(connection)

    @contextmanager
    def look(self, until: Deadline = NEVER) -> Iterator[PostgresSession | None]:
        """See :class:`cim.ports.rows.Place`."""
        with closing(PostgresReader(self.url)) as reader, reader.look(self, until) as session:
            yield session

    def discard(self) -> None:
        """See :class:`cim.ports.rows.Place`."""
        with _translated(f"{self}: "), psycopg.connect(self.url, connect_timeout=5) as connection:
            if _mark_of(connection, self.schema).startswith(_MARK):
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(self.schema)))

    def _lay_out(self, connection: "psycopg.Connection[tuple[Any, ...]]", layout: Layout) -> None:
        schema, mark = sql.Identifier(self.schema), f"{_MARK}{layout.number}"
        with connection.transaction():
            # Two processes that open a new place at once would both make it.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (self.schema,))
            (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("",)
            if encoding != "UTF8":
                raise Misdeclared(f"the database of {self} has the encoding {encoding}: make one with UTF8")
            found = _mark_of(connection, self.schema)
            if found == mark:
                return
            if found and not found.startswith(_MARK):
                raise Misdeclared(f"{self} is somebody else's ({found!r}): name another database")
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
            connection.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(schema, sql.Literal(mark)))
            _enter(connection, self.schema)
            for table in layout.tables:
                connection.execute(creation(table))


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """Fulfils :class:`cim.ports.rows.Readable` by the connection of a reader."""

    reader: "PostgresReader"
    place: PostgresPlace

    @property
    def name(self) -> str:
        """See :class:`cim.ports.rows.Readable`."""
        return self.place.name

    def __str__(self) -> str:
        return str(self.place)

    def look(self, until: Deadline = NEVER) -> AbstractContextManager[PostgresSession | None]:
        """See :class:`cim.ports.rows.Readable`."""
        return self.reader.look(self.place, until)


class PostgresReader:
    """Fulfils :class:`cim.ports.rows.Reader` by a connection for each look that is under way."""

    def __init__(self, url: str, machine: str = "") -> None:
        self._url, self._machine = url, machine
        self._idle: list[psycopg.Connection[tuple[Any, ...]]] = []

    def place(self, name: str) -> KeptPlace:
        """See :class:`cim.ports.rows.Reader`."""
        return KeptPlace(self, PostgresRows(self._url, self._machine).place(name))

    @contextmanager
    def look(self, place: PostgresPlace, until: Deadline) -> Iterator[PostgresSession | None]:
        """See :class:`cim.ports.rows.Readable`."""
        with _translated(f"{place}: "):
            connection = self._begun(place.schema, until)
            try:
                try:
                    # First of all, since a moment begins with the first statement that reads.
                    connection.execute(f'LOCK TABLE "{_SHOWN}" IN ACCESS SHARE MODE')
                except (errors.UndefinedTable, errors.InvalidSchemaName):
                    yield None
                else:
                    yield PostgresSession(connection)
                connection.execute("ROLLBACK")
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)

    def _begun(self, schema: str, until: Deadline) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection in a transaction that reads."""
        late = int(until.left() * 1000) + 1 if until.left() < 1e6 else 0
        begin = sql.SQL(
            "SET search_path TO {}; SET statement_timeout = {}; "
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        ).format(sql.Identifier(schema), sql.Literal(late))
        while self._idle:
            kept = self._idle.pop()
            try:
                kept.execute(begin)
            except psycopg.OperationalError:  # its server was away meanwhile
                kept.close()
            else:
                return kept
        made = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        try:
            made.execute(begin)
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """See :class:`cim.ports.rows.Reader`."""
        while self._idle:
            self._idle.pop().close()


@dataclass(frozen=True, slots=True)
class PostgresRows:
    """Fulfils :class:`cim.ports.rows.RowStore` by a database; ``machine`` keeps two machines in it apart."""

    url: str
    machine: str

    def place(self, name: str) -> PostgresPlace:
        """See :class:`cim.ports.rows.RowStore`."""
        return PostgresPlace(self.url, f"{self.machine}.{name}", name)

    def names(self) -> list[str]:
        """See :class:`cim.ports.rows.RowStore`."""
        asked = (
            "SELECT nspname FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') LIKE %s ORDER BY 1"
        )
        with _translated("PostgreSQL: "), psycopg.connect(self.url, connect_timeout=5) as connection:
            found = [name for (name,) in connection.execute(asked, (f"{_MARK}%",))]
        parts = [name.rsplit(".", 2) for name in found]
        return [f"{part[1]}.{part[2]}" for part in parts if len(part) == 3 and part[0] == self.machine]

    def reader(self) -> PostgresReader:
        """See :class:`cim.ports.rows.RowStore`."""
        return PostgresReader(self.url, self.machine)


def creation(table: Table) -> str:
    """The statement that makes a table."""
    columns = ", ".join(f'"{name}" {_TYPES[type]}' for name, type in table.columns)
    key = ", ".join(f'"{name}"' for name in table.key)
    return f'CREATE TABLE "{table.name}" ({columns}, PRIMARY KEY ({key}))'


def _enter(connection: "psycopg.Connection[tuple[Any, ...]]", schema: str) -> None:
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))


def _mark_of(connection: "psycopg.Connection[tuple[Any, ...]]", schema: str) -> str:
    """What a schema says of itself; empty where there is none, and a dash where it says nothing."""
    asked = "SELECT coalesce(obj_description(oid, 'pg_namespace'), '-') FROM pg_namespace WHERE nspname = %s"
    found = connection.execute(asked, (schema,)).fetchone()
    return "" if found is None else str(found[0])


@lru_cache(maxsize=1024)
def _worded(statement: str) -> bytes:
    """A statement in the client's words; none holds a percent sign, and no name a question mark."""
    return statement.replace("?", "%s").encode()


def _checked(values: Sequence[Any]) -> Sequence[Any]:
    for value in values:
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"PostgreSQL keeps no text with a character of code 0: {value[:48]!r}")
    return values


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """PostgreSQL's errors as the port's; what only a value is to blame for stays what it is."""
    try:
        yield
    except errors.QueryCanceled as error:
        raise TooLate("the time for reading is over") from error
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as error:
        raise RowsRuined(f"{where}{error}") from error  # somebody took apart what is there
    except (psycopg.DataError, psycopg.IntegrityError):
        raise
    except psycopg.Error as error:
        raise RowsFailed(f"{where}{error}".strip()) from error

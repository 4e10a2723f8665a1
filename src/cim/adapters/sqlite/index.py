"""An index in a SQLite file: read where it is asked for, written in a thread of its own.

Each row has a checksum, since what a disk gives back is believed by whoever folds on from it. Ids and names
are bytes, because a subject of a stranger may be no UTF-8. Bodies are deflated: what is known of an entity
says much twice, and a quarter of the bytes is fewer pages to write and to find again.
"""

import json
import sqlite3
from asyncio import Future, wrap_future
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zlib import compress, crc32, decompress

from cim.adapters.sqlite.derived import Layout, connect, discard, is_ruined, may_pass
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.ports.index import IndexAway, IndexRuined, Kind, Part, Row, Said, Standing

Shape = tuple[int, frozenset[str]]
"""The number of a kind, and what those of it carry that have this shape."""

FILE = "world.sqlite"
"""The file's name in the leaf's own folder."""

LAYOUT = Layout(
    5,
    (
        "CREATE TABLE kind (number INTEGER PRIMARY KEY, context BLOB NOT NULL, name BLOB NOT NULL) STRICT",
        "CREATE TABLE shape (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, carries TEXT NOT NULL)"
        " STRICT",
        "CREATE TABLE entity (first INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id BLOB NOT NULL,"
        " shape INTEGER NOT NULL,"
        " sequence INTEGER NOT NULL, troubled INTEGER NOT NULL, due INTEGER NOT NULL, sum INTEGER NOT NULL,"
        " body BLOB) STRICT",
        "CREATE UNIQUE INDEX by_id ON entity (kind, id)",
        "CREATE INDEX by_shape ON entity (shape, id)",
        "CREATE INDEX by_change ON entity (kind, sequence)",
        "CREATE INDEX by_trouble ON entity (first) WHERE troubled",
        "CREATE INDEX by_due ON entity (first) WHERE due",
        "CREATE INDEX bodiless ON entity (first) WHERE body IS NULL",
        "CREATE TABLE refers (target BLOB, first INTEGER, PRIMARY KEY (target, first)) STRICT, WITHOUT ROWID",
        "CREATE INDEX by_source ON refers (first)",
        "CREATE TABLE command (id BLOB PRIMARY KEY, kind INTEGER NOT NULL, entity BLOB NOT NULL,"
        " request TEXT) STRICT, WITHOUT ROWID",
        "CREATE TABLE part (kind TEXT, id TEXT, number INTEGER, sum INTEGER NOT NULL, body BLOB NOT NULL,"
        " PRIMARY KEY (kind, id, number)) STRICT, WITHOUT ROWID",
        "CREATE TABLE standing (one INTEGER PRIMARY KEY CHECK (one = 1), said TEXT NOT NULL) STRICT",
    ),
)

FAST = 1
"""How hard it is tried to make bodies small: more takes longer and gains little."""

_ROW = "SELECT kind, id, shape, first, sequence, body, troubled, due, sum FROM entity"
_PUT = (
    "INSERT INTO entity (kind, id, shape, first, sequence, body, troubled, due, sum)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (first) DO UPDATE"
    " SET shape = excluded.shape, sequence = excluded.sequence, body = excluded.body,"
    " troubled = excluded.troubled, due = excluded.due, sum = excluded.sum"
)


class SqliteIndex:
    """Fulfils :class:`cim.ports.index.Index` with a file. To be closed by whoever made it.

    Raises :class:`CimError` where the file cannot be had, :class:`cim.ports.index.IndexAway` where it may be
    had later.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ruin: IndexRuined | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(1, "index")
        self._open()

    def standing(self) -> Standing | None:
        for (said,) in self._read("SELECT said FROM standing"):
            return self._said(said)
        return None

    def find(self, ref: Ref) -> Row | None:
        self._check()
        kind = self._numbers.get((ref.context, ref.entity))
        if kind is None:
            return None
        found = self._rows(f"{_ROW} WHERE kind = ? AND id = ?", kind, _bytes(ref.id))
        return found[0] if found else None

    def kinds(self) -> list[Kind]:
        return sorted(self._numbers)

    def count(self, of: Kind | None = None) -> int:
        if of is None:
            ((count,),) = self._read("SELECT count(*) FROM entity")
        else:
            number = self._numbers.get(of)
            ((count,),) = self._read("SELECT count(*) FROM entity WHERE kind = ?", number)
        return int(count)

    def page(
        self,
        of: Kind,
        after: str | None,
        most: int,
        carrying: Collection[str] = (),
        lacking: Collection[str] = (),
    ) -> list[Row]:
        kind, past = self._numbers.get(of), ("id >= ?", b"") if after is None else ("id > ?", _bytes(after))
        if not (carrying or lacking):
            return self._rows(f"{_ROW} WHERE kind = ? AND {past[0]} ORDER BY id LIMIT ?", kind, past[1], most)
        ids: list[bytes] = []
        for number, (shaped, carries) in [*self._shapes.items()]:  # the writing thread may add some
            if shaped == kind and carries.issuperset(carrying) and carries.isdisjoint(lacking):
                query = f"SELECT id FROM entity WHERE shape = ? AND {past[0]} ORDER BY id LIMIT ?"
                ids += [id for (id,) in self._read(query, number, past[1], most)]
        ids = sorted(ids)[:most]
        places = ", ".join("?" * len(ids))
        return self._rows(f"{_ROW} WHERE kind = ? AND id IN ({places}) ORDER BY id", kind, *ids)

    def due(self, after: int, most: int) -> list[Row]:
        return self._rows(f"{_ROW} WHERE due AND first > ? ORDER BY first LIMIT ?", after, most)

    def count_due(self) -> int:
        ((count,),) = self._read("SELECT count(*) FROM entity WHERE due")
        return int(count)

    def changed_since(self, of: Kind, sequence: int, most: int) -> list[Row]:
        kind = self._numbers.get(of)
        return self._rows(
            f"{_ROW} WHERE kind = ? AND sequence > ? ORDER BY sequence LIMIT ?", kind, sequence, most
        )

    def troubled(self) -> list[Ref]:
        return self._refs("SELECT kind, id FROM entity WHERE troubled")

    def bodiless(self, most: int) -> list[Ref]:
        return self._refs("SELECT kind, id FROM entity WHERE body IS NULL LIMIT ?", most)

    def referring(self, ref: Ref) -> list[Ref]:
        return self._refs(
            "SELECT kind, id FROM refers JOIN entity USING (first) WHERE target = ? ORDER BY first", _key(ref)
        )

    def command(self, id: str) -> Said | None:
        query = "SELECT kind, entity, request FROM command WHERE id = ?"
        for kind, entity, request in self._read(query, _bytes(id)):
            return self._ref(kind, entity), request
        return None

    def parts(self) -> list[tuple[Part, bytes]]:
        found = self._read("SELECT kind, id, number, sum, body FROM part")
        return [self._part(*one) for one in found]

    def write(
        self,
        rows: Sequence[Row],
        commands: Mapping[str, Said],
        standing: Standing,
        parts: Mapping[Part, bytes | None] = MappingProxyType({}),
    ) -> Future[None]:
        self._check()
        return wrap_future(self._thread.submit(self._write, rows, commands, standing, parts))

    def clear(self) -> None:
        self._shut()
        discard(self._path)
        self._open()

    def close(self) -> None:
        self._closed = True
        self._thread.shutdown()
        self._shut()

    def _open(self) -> None:
        try:
            self._reader, self._writer = connect(self._path, LAYOUT), connect(self._path, LAYOUT)
        except sqlite3.Error as error:
            kind = IndexAway if may_pass(error) else CimError
            raise kind(f"{self._path} cannot be opened: {error}") from error
        self._kinds: dict[int, Kind] = {}
        self._numbers: dict[Kind, int] = {}
        for number, context, name in self._read("SELECT number, context, name FROM kind"):
            self._learn((_text(context), _text(name)), number)
        self._shapes: dict[int, Shape] = {}
        self._shape_numbers: dict[Shape, int] = {}
        for number, kind, carries in self._read("SELECT number, kind, carries FROM shape"):
            self._learn_shape((kind, frozenset(json.loads(carries))), number)

    def _shut(self) -> None:
        self._reader.close()
        self._writer.close()

    def _learn(self, kind: Kind, number: int) -> None:
        self._kinds[number] = kind
        self._numbers[kind] = number

    def _learn_shape(self, shape: Shape, number: int) -> None:
        self._shapes[number] = shape
        self._shape_numbers[shape] = number

    def _check(self) -> None:
        if self._closed:  # what it holds is sound: nobody throws it away for that
            raise CimError(f"{self._path} was closed: its leaf has ended here")
        if self._ruin is not None:
            raise self._ruin

    def _suffer(self, cause: object) -> IndexRuined:
        """Throw the file away: nobody believes it again."""
        self._ruin = IndexRuined(
            f"{self._path}: {cause}: what was kept of the world is damaged and was thrown away. Start again: "
            f"it is made anew from the log"
        )
        discard(self._path)
        return self._ruin

    def _read(self, query: str, *values: Any) -> list[Any]:
        self._check()
        try:
            return self._reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._suffer(error) from error

    def _rows(self, query: str, *values: Any) -> list[Row]:
        return [self._row(*found) for found in self._read(query, *values)]

    def _row(self, kind: int, id: bytes, *rest: Any) -> Row:
        shape, first, sequence, body, troubled, due, sum = rest
        if _sum(id, shape, first, sequence, body, troubled, due) != sum:
            raise self._suffer(f"the row of {id!r} is not the one that was written")
        whole = None if body is None else decompress(body)
        return Row(self._ref(kind, id), first, sequence, whole, bool(troubled), bool(due))

    def _part(self, kind: str, id: str, number: int, sum: int, body: bytes) -> tuple[Part, bytes]:
        part = kind, id, number
        if _part_sum(part, body) != sum:
            raise self._suffer(f"part {number} of {kind} {id} is not the one that was written")
        return part, decompress(body)

    def _refs(self, query: str, *values: Any) -> list[Ref]:
        return [self._ref(kind, id) for kind, id in self._read(query, *values)]

    def _ref(self, kind: int, id: bytes) -> Ref:
        found = self._kinds.get(kind)
        if found is None:
            raise self._suffer(f"the kind of {id!r} is not known")
        return Ref(*found, _text(id))

    def _said(self, text: str) -> Standing:
        try:
            return Standing(*json.loads(text))
        except (ValueError, TypeError) as error:
            raise self._suffer(error) from error

    def _write(
        self,
        rows: Sequence[Row],
        commands: Mapping[str, Said],
        standing: Standing,
        parts: Mapping[Part, bytes | None],
    ) -> None:
        """All of a write in one transaction; in the writing thread."""
        new: dict[Kind, int] = {}
        shapes: dict[Shape, int] = {}
        try:
            with self._writer as connection:
                connection.execute("BEGIN IMMEDIATE")
                refs = [*(row.ref for row in rows), *(ref for ref, _ in commands.values())]
                new = self._add_kinds(connection, refs)
                numbers = self._numbers | new
                shapes = self._add_shapes(connection, rows, numbers)
                shaped = self._shape_numbers | shapes
                connection.executemany(_PUT, (_values(row, numbers, shaped) for row in rows))
                _relate(connection, rows)
                connection.executemany(
                    "INSERT OR REPLACE INTO command VALUES (?, ?, ?, ?)",
                    (
                        (_bytes(id), numbers[ref.context, ref.entity], _bytes(ref.id), request)
                        for id, (ref, request) in commands.items()
                    ),
                )
                _put_parts(connection, parts)
                said = json.dumps(astuple(standing))
                connection.execute("INSERT OR REPLACE INTO standing VALUES (1, ?)", (said,))
        except sqlite3.Error as error:
            if is_ruined(error):
                raise self._suffer(error) from error
            raise CimError(f"{self._path} is not written: {error}") from error
        for kind, number in new.items():
            self._learn(kind, number)
        for shape, number in shapes.items():
            self._learn_shape(shape, number)

    def _add_kinds(self, connection: sqlite3.Connection, refs: Iterable[Ref]) -> dict[Kind, int]:
        new: dict[Kind, int] = {}
        for ref in refs:
            kind = ref.context, ref.entity
            if kind not in self._numbers and kind not in new:
                new[kind] = len(self._numbers) + len(new) + 1
                self._kinds[new[kind]] = kind  # whoever reads a row as soon as it is there knows its kind
                values = (new[kind], *map(_bytes, kind))
                connection.execute("INSERT INTO kind VALUES (?, ?, ?)", values)
        return new

    def _add_shapes(
        self, connection: sqlite3.Connection, rows: Iterable[Row], numbers: Mapping[Kind, int]
    ) -> dict[Shape, int]:
        new: dict[Shape, int] = {}
        for shape in (_shape(row, numbers) for row in rows):
            if shape not in self._shape_numbers and shape not in new:
                new[shape] = len(self._shape_numbers) + len(new) + 1
                values = (new[shape], shape[0], json.dumps(sorted(shape[1])))
                connection.execute("INSERT INTO shape VALUES (?, ?, ?)", values)
        return new


def _shape(row: Row, numbers: Mapping[Kind, int]) -> Shape:
    return numbers[row.ref.context, row.ref.entity], frozenset(row.carries)


def _values(row: Row, numbers: Mapping[Kind, int], shapes: Mapping[Shape, int]) -> tuple[Any, ...]:
    id, shape = _bytes(row.ref.id), _shape(row, numbers)
    body = None if row.body is None else compress(row.body, FAST)
    rest = shapes[shape], row.first, row.sequence, body, row.is_troubled, row.is_due
    return shape[0], id, *rest, _sum(id, *rest)


def _relate(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    for row in rows:
        connection.execute("DELETE FROM refers WHERE first = ?", (row.first,))
        connection.executemany(
            "INSERT INTO refers VALUES (?, ?)", ((_key(target), row.first) for target in row.targets)
        )


def _put_parts(connection: sqlite3.Connection, parts: Mapping[Part, bytes | None]) -> None:
    gone = (part for part, body in parts.items() if body is None)
    connection.executemany("DELETE FROM part WHERE kind = ? AND id = ? AND number = ?", gone)
    small = ((part, compress(body, FAST)) for part, body in parts.items() if body is not None)
    connection.executemany(
        "INSERT OR REPLACE INTO part (kind, id, number, sum, body) VALUES (?, ?, ?, ?, ?)",
        ((*part, _part_sum(part, body), body) for part, body in small),
    )


def _part_sum(part: Part, body: bytes) -> int:
    return crc32(body, crc32("\n".join(map(str, part)).encode()))


def _sum(
    id: bytes, shape: int, first: int, sequence: int, body: bytes | None, troubled: int, due: int
) -> int:
    said = b"%d %d %d %d %d %d %b" % (body is not None, shape, first, sequence, troubled, due, id)
    return crc32(body or b"", crc32(said))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _text(found: bytes) -> str:
    return found.decode(errors="surrogatepass")


def _key(ref: Ref) -> bytes:
    return b"\0".join(map(_bytes, (ref.context, ref.entity, ref.id)))

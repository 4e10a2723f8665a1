"""The table of a projection in its store: a column a field, derived from the row's annotations.

Texts, numbers and truths are columns of their own kind, so that any tool that reads the database can ask
for them; whatever is nested is JSON text, and so is a personal value, which stands sealed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cim.contract import codec
from cim.contract.personal import personal_fields
from cim.contract.projection import ProjectionType
from cim.domain.projection import Row
from cim.log.sealing import Sealing
from cim.ports.rows import Session, Table

_KINDS = {"string": "TEXT", "integer": "INTEGER", "number": "REAL", "boolean": "INTEGER"}


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a row: its name, its type there, whether it is of the key, and how its plain value
    stands there."""

    name: str
    type: str
    key: bool
    nested: bool
    truth: bool

    def stored(self, plain: Any) -> Any:
        """A plain value as the store keeps it."""
        if self.nested:
            return codec.json_bytes(plain).decode()
        return int(plain) if self.truth and plain is not None else plain

    def plain(self, stored: Any) -> Any:
        """What the store kept as a plain value."""
        if self.nested:
            return msgspec.json.decode(stored)
        return bool(stored) if self.truth and stored is not None else stored


def columns_of(kind: ProjectionType) -> tuple[Column, ...]:
    """The columns of a projection's table, in the order of its row's fields."""
    (schema,), definitions = msgspec.json.schema_components([kind.row])
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    personal = personal_fields(kind.row)
    sealed = personal.erased if personal is not None else {}
    return tuple(
        Column(name, "TEXT", key=False, nested=True, truth=False)
        if name in sealed
        else _column(name, name in kind.key, shape)
        for name, shape in schema["properties"].items()
    )


def _column(name: str, key: bool, shape: Mapping[str, Any]) -> Column:
    shapes = [one for one in shape.get("anyOf", [shape]) if one.get("type") != "null"]
    kinds = {_kind(one) for one in shapes}
    if len(kinds) != 1 or None in kinds:
        return Column(name, "TEXT", key, nested=True, truth=False)
    kind = str(kinds.pop())
    return Column(name, _KINDS[kind], key, nested=False, truth=kind == "boolean")


def _kind(shape: Mapping[str, Any]) -> str | None:
    """The JSON type of a shape where a store has one like it."""
    if "enum" in shape:
        return "string" if all(isinstance(one, str) for one in shape["enum"]) else None
    kind = shape.get("type")
    return kind if kind in _KINDS else None


ROW = "Row"
"""The type to which the personal values of all rows are sealed: whoever reads them need not know the code."""


def row_place(projection: str) -> str:
    """The place to which the personal values of a projection's rows are sealed."""
    return f"rows.{projection}"


class StoredTable:
    """Fulfils :class:`cim.domain.projection.Table` over an open transaction of a session."""

    def __init__(
        self, session: Session, kind: ProjectionType, name: str, sealing: Sealing | None = None
    ) -> None:
        self._session, self.kind = session, kind
        self._personal = personal_fields(kind.row) is not None
        self._sealing, self._place = sealing or Sealing(), row_place(str(kind))
        self._columns = columns_of(kind)
        fields = ", ".join(map(quoted, (column.name for column in self._columns)))
        where = " AND ".join(f"{quoted(field)} = ?" for field in kind.key)
        marks = ", ".join("?" * len(self._columns))
        self._get = f"SELECT {fields} FROM {quoted(name)} WHERE {where}"
        self._put = f"INSERT INTO {quoted(name)} ({fields}) VALUES ({marks}) {_instead(self._columns)}"
        self._remove = f"DELETE FROM {quoted(name)} WHERE {where}"

    def get(self, *key: str | int) -> Row | None:
        """See :meth:`cim.domain.projection.Table.get`."""
        self.kind.check_key(key)
        found = self._session.first(self._get, key)
        return None if found is None else self.row(found)

    def put(self, row: Row) -> None:
        """See :meth:`cim.domain.projection.Table.put`."""
        self._session.run(self._put, self.values(row))

    def remove(self, *key: str | int) -> None:
        """See :meth:`cim.domain.projection.Table.remove`."""
        self.kind.check_key(key)
        self._session.run(self._remove, key)

    def row(self, values: Sequence[Any]) -> Row:
        """The row that the store keeps as these values."""
        plain = {one.name: one.plain(value) for one, value in zip(self._columns, values, strict=True)}
        if self._personal:
            plain = self._sealing.opened(self._place, ROW, plain)
        return codec.typed(plain, self.kind.row)

    def values(self, row: Row) -> Sequence[Any]:
        """A row as the store keeps it; raises :class:`CimError` for one that it cannot keep."""
        plain = self.kind.check_row(row)
        if self._personal:
            plain = self._sealing.sealed(self._place, row, None, late=True, name=ROW)
        return [one.stored(plain[one.name]) for one in self._columns]

    def write(self, held: Mapping[tuple[str | int, ...], Sequence[Any] | None]) -> None:
        """Keep many rows as :meth:`values` gives them, by their keys; None takes one away."""
        self._session.run_each(self._put, [values for values in held.values() if values is not None])
        self._session.run_each(self._remove, [key for key, values in held.items() if values is None])


def _instead(columns: Sequence[Column]) -> str:
    """What is done where a row with the key is there: it is replaced."""
    key = ", ".join(quoted(one.name) for one in columns if one.key)
    put = ", ".join(f"{quoted(one.name)} = excluded.{quoted(one.name)}" for one in columns if not one.key)
    return f"ON CONFLICT ({key}) DO UPDATE SET {put}" if put else f"ON CONFLICT ({key}) DO NOTHING"


def table_of(kind: ProjectionType, name: str) -> Table:
    """A projection's table under a name."""
    return Table(name, tuple((one.name, one.type) for one in columns_of(kind)), tuple(kind.key))


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return f'"{name}"'

"""Which rows are asked for, as one statement of SQL over a projection's table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cim.contract.query import BadQuestion
from cim.projections.table import Column, quoted

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "TEXT": ((str,), "a text"),
    "INTEGER": ((int,), "a whole number"),
    "REAL": ((int, float), "a number"),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows whose key begins with ``key`` and whose columns equal ``where``, past the key ``after``, in the
    order of their keys, at most ``limit``."""

    key: Sequence[Any] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    after: Sequence[Any] | None = None
    limit: int | None = None

    def statement(self, columns: Sequence[Column], table: str) -> tuple[str, list[Any]]:
        """The statement and its values; raises :class:`BadQuestion` naming what the table does not have."""
        key = [column for column in columns if column.key]
        chosen, values = self._chosen(columns, key)
        order = ", ".join(quoted(column.name) for column in key)
        if self.after is not None:
            check_key(self.after, key, whole=True)
            chosen.append(f"({order}) > ({', '.join('?' * len(key))})")
            values += self.after
        names = ", ".join(quoted(column.name) for column in columns)
        where = " AND ".join(chosen) or "TRUE"
        limit = "" if self.limit is None else f" LIMIT {self.limit}"
        return f"SELECT {names} FROM {quoted(table)} WHERE {where} ORDER BY {order}{limit}", values

    def _chosen(self, columns: Sequence[Column], key: Sequence[Column]) -> tuple[list[str], list[Any]]:
        check_key(self.key, key)
        equal = dict(zip((column.name for column in key), self.key, strict=False))
        chosen = [f"{quoted(name)} = ?" for name in equal]
        values = [*equal.values()]
        for name, value in self.where.items():
            column = column_named(name, columns)
            check_value(value, column)
            chosen.append(f"{quoted(name)} IS NULL" if value is None else f"{quoted(name)} = ?")
            values += [] if value is None else [column.stored(value)]
        return chosen, values


def column_named(name: str, columns: Sequence[Column]) -> Column:
    """The column of a plain field; raises :class:`BadQuestion` for one that is not there or is nested."""
    plain = [column.name for column in columns if not column.nested]
    for column in columns:
        if column.name == name and not column.nested:
            return column
    raise BadQuestion(f"{name!r} is no column that rows can be chosen by; there are: {', '.join(plain)}")


def check_key(values: Sequence[Any], key: Sequence[Column], *, whole: bool = False) -> None:
    """Hold that values are a key, or the first of one; raises :class:`BadQuestion`."""
    if len(values) > len(key) or (whole and len(values) != len(key)):
        fields = ", ".join(column.name for column in key)
        raise BadQuestion(f"{len(values)} values name no row here: its key is {fields}")
    for column, value in zip(key, values, strict=False):
        if value is None:
            raise BadQuestion(f"{column.name} is of the key and never null")
        check_value(value, column)


def check_value(value: Any, column: Column) -> None:
    """Hold that a column can equal a value; raises :class:`BadQuestion` naming the column."""
    types, said = ((bool,), "true or false") if column.truth else _TYPES[column.type]
    if value is None or (isinstance(value, types) and (column.truth or not isinstance(value, bool))):
        if not isinstance(value, int) or abs(value) < 2**63:
            return
        said = f"{said} of 64 bits"
    raise BadQuestion(f"{column.name} is {said}, which {value!r} is not")


def key_of_text(texts: Sequence[str], columns: Sequence[Column]) -> list[str | int]:
    """The values of a key, or the first of them, that were given as text."""
    key = [column for column in columns if column.key]
    return [_of_text(text, column) for text, column in zip(texts, key, strict=False)] + [*texts[len(key) :]]


def _of_text(text: str, column: Column) -> str | int:
    try:
        return int(text) if column.type == "INTEGER" else text
    except ValueError:
        raise BadQuestion(f"{column.name} is a whole number, which {text!r} is not") from None

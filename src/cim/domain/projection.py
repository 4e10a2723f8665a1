"""What a projection writes: rows in a table of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Protocol, TypeVar

from cim.domain.record import Record

T = TypeVar("T")


class Row(Record):
    """One row of a read model. ``Key[...]`` marks the field, or the fields together, that name it."""


R = TypeVar("R", bound=Row)
Read = TypeVar("Read", bound=Row, covariant=True)


@dataclass(frozen=True, slots=True)
class KeyMark:
    """Says that a field of a row is of its key."""


Key = Annotated[T, KeyMark()]
"""A field that names its row: ``document: Key[str]``. A text or a whole number."""


class Table(Protocol[R]):
    """The rows of one projection, as the projection itself sees them while it folds an event.

    A key is given by the values of the row's key fields, in the order in which the row declares them.
    What was put is there for the next :meth:`get`, in the same event, too.
    """

    def get(self, *key: str | int) -> R | None:
        """The row with this key; None where there is none."""
        ...

    def put(self, row: R) -> None:
        """Keep a row; it takes the place of the one with the same key."""
        ...

    def remove(self, *key: str | int) -> None:
        """Take a row away; nothing happens where there is none with this key."""
        ...


class Rows(Protocol[Read]):
    """The rows of one projection, as a query reads them: all of one moment, and none of them changes."""

    def get(self, *key: str | int) -> Read | None:
        """The row with this key; None where there is none."""
        ...

    def each(self, *key: str | int, **columns: str | float | date | None) -> Iterator[Read]:
        """The rows whose key begins with these values and whose fields are equal to those named, in the
        order of their keys; without either, all of them. Each is read when it is asked for."""
        ...

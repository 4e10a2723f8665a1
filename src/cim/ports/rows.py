"""Where the rows of projections are kept: a database that speaks SQL, and one place in it a projection.

Statements are written once, in the words that SQLite and PostgreSQL share: ``?`` stands for a value, names
are quoted, and a column is TEXT (in the order of its bytes), INTEGER (64 bits) or REAL (a double). What the
two say differently an adapter says. The tests of ``tests/projections`` hold both to the same.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from cim.domain.errors import CimError


class RowsFailed(CimError):
    """The database cannot be used now, or not for this: no event's fault. Whoever folds tries again."""


class RowsRuined(RowsFailed):
    """What is kept there cannot be read. It is derived: :meth:`Place.discard` it, and fold it anew."""


class TooLate(CimError):
    """The time for reading is over."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When reading must be over."""

    end: float = math.inf
    now: Callable[[], float] = monotonic

    def passed(self) -> bool:
        """Whether it is over."""
        return self.now() > self.end

    def left(self) -> float:
        """The seconds until then."""
        return max(0.0, self.end - self.now())


NEVER = Deadline()


@dataclass(frozen=True, slots=True)
class Table:
    """The shape of a table: its name, its columns with their types, and those of its key."""

    name: str
    columns: Sequence[tuple[str, str]]
    key: Sequence[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """The tables that a place begins with; places of another number are made anew."""

    number: int
    tables: Sequence[Table]


class Session(Protocol):
    """A connection to one place. Not for two threads at a time. All of it raises :class:`RowsFailed`."""

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run a statement that answers nothing."""
        ...

    def run_each(self, statement: str, values: Sequence[Sequence[Any]]) -> None:
        """Run a statement with each of these values; nothing where there are none."""
        ...

    def first(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of an answer, if there is one."""
        ...

    def each(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of an answer, each fetched when it is asked for; while one looks, or writes."""
        ...

    def create(self, table: Table) -> None:
        """Make a table."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """One transaction, all or nothing, with no other writer at this place meanwhile."""
        ...

    def wipe(self) -> None:
        """Leave as little as can be of what was changed and dropped before."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Readable(Protocol):
    """Where the rows of one projection are; as text, so that a person finds it."""

    @property
    def name(self) -> str:
        """The projection's, ``context.name``."""
        ...

    def look(self, until: Deadline = NEVER) -> AbstractContextManager[Session | None]:
        """The place as it stands at one moment, for reading; None where nothing is there yet. Raises
        :class:`TooLate` where a statement is not over in time."""
        ...


class Place(Readable, Protocol):
    """Where the rows of one projection are written."""

    def open(self, layout: Layout, *, wiping: bool) -> Session:
        """A connection for writing; the place is made where it is missing, cannot be read, or has another
        layout. With ``wiping`` what is overwritten there must not stay readable, as far as that can be."""
        ...

    def discard(self) -> None:
        """Throw the place away: what it held is in the log."""
        ...


class Reader(Protocol):
    """Who looks at places again and again: what a look takes is kept for the next one. Not for two threads
    at a time."""

    def place(self, name: str) -> Readable:
        """The place of the projection ``context.name``."""
        ...

    def close(self) -> None:
        """Let go of what is kept."""
        ...


class RowStore(Protocol):
    """The places of one machine's projections."""

    def place(self, name: str) -> Place:
        """The place of the projection ``context.name``."""
        ...

    def names(self) -> list[str]:
        """The projections that have a place."""
        ...

    def reader(self) -> Reader:
        """One who looks at them again and again."""
        ...

"""Reading the rows of a projection, from any process, while another one folds them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import msgspec

from cim.contract import codec
from cim.contract.projection import ProjectionType
from cim.domain.errors import CimError
from cim.domain.projection import Row
from cim.log.sealing import Sealing
from cim.ports.rows import NEVER, Deadline, Readable, RowsFailed, RowsRuined, Session, TooLate
from cim.projections.database import NEXT, SHOWN, place_of
from cim.projections.folding import Reach
from cim.projections.selection import Selection, key_of_text
from cim.projections.table import ROW, Column, row_place

Plain = dict[str, Any]


class RowsUnreadable(CimError):
    """There are no rows to read, or their place cannot be read."""


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


@dataclass(frozen=True, slots=True)
class Moment:
    """The rows of a projection as they stand at one moment: how far they are, which version of the code
    folded them, their columns. ``until`` ends the reading; ``opened`` opens what is personal
    in a row, left sealed where it is None."""

    standing: Standing
    version: str = ""
    columns: tuple[Column, ...] = ()
    session: Session | None = None
    until: Deadline = NEVER
    opened: Callable[[Plain], Plain] | None = None

    def reaching(self, reach: Reach) -> "Moment":
        """The same rows, which are as far as is known beyond what is written beside them."""
        sequence = reach.of(self.version, self.standing.sequence)
        return replace(self, standing=replace(self.standing, sequence=sequence))

    def select(self, selection: Selection) -> Iterator[Plain]:
        """The chosen rows as plain data, each read when it is asked for."""
        if self.session is None or not self.columns:
            return
        statement, values = selection.statement(self.columns, SHOWN)
        for found in self.session.each(statement, values):
            if self.until.passed():
                raise TooLate("the time for reading is over")
            plain = {one.name: one.plain(value) for one, value in zip(self.columns, found, strict=True)}
            yield plain if self.opened is None else self.opened(plain)


class StoredRows:
    """Fulfils :class:`cim.domain.projection.Rows` over the rows of one moment."""

    def __init__(self, moment: Moment, kind: ProjectionType) -> None:
        self._moment, self._kind = moment, kind

    def get(self, *key: str | int) -> Row | None:
        """See :meth:`cim.domain.projection.Rows.get`."""
        self._kind.check_key(key)
        return next(self._read(Selection(key)), None)

    def each(self, *key: str | int, **columns: Any) -> Iterator[Row]:
        """See :meth:`cim.domain.projection.Rows.each`."""
        return self._read(Selection(key, codec.plain(columns)))

    def _read(self, selection: Selection) -> Iterator[Row]:
        return (codec.typed(plain, self._kind.row) for plain in self._moment.select(selection))


def standing(place: Readable) -> Standing:
    """How far a projection is; 0 where nothing was folded yet. Raises :class:`RowsUnreadable`."""
    with moment(place) as found:
        return found.standing


def read_rows(
    place: Readable, key: Sequence[str] = (), sealing: Sealing | None = None
) -> tuple[Standing, list[Plain]]:
    """The rows as plain data in the order of their key, and how far they are folded, both of one moment.

    ``key`` names one row, or by its first fields several. Personal values are opened by ``sealing``, and left
    as they are where that cannot be. Raises :class:`RowsUnreadable`, and
    :class:`cim.contract.query.BadQuestion` for what is no key here.
    """
    shown = None if sealing is None else partial(sealing.shown_data, row_place(place.name), ROW)
    with moment(place, opened=shown) as found:
        return found.standing, list(found.select(Selection(key_of_text(key, found.columns))))


@contextmanager
def moment(
    place: Readable, until: Deadline = NEVER, opened: Callable[[Plain], Plain] | None = None
) -> Iterator[Moment]:
    """The rows of a place as they stand now, read until a deadline, personal values ``opened``.

    Raises :class:`RowsUnreadable`, and :class:`cim.ports.rows.TooLate` where reading is cut off.
    """
    try:
        with place.look(until) as session:
            yield _moment(session, until, opened)
    except RowsFailed as error:
        raise RowsUnreadable(
            f"{place} cannot be read: {error}. It is derived: remove it, and `cim up` folds it anew"
            if isinstance(error, RowsRuined)
            else f"{place} cannot be read now: {error}"
        ) from error


def _moment(session: Session | None, until: Deadline, opened: Callable[[Plain], Plain] | None) -> Moment:
    if session is None:
        return Moment(Standing(0, None))
    asked = session.each("SELECT rows, sequence, stopped, version, columns FROM cim_checkpoint")
    found = {rows: told for rows, *told in asked}
    sequence, stopped, version, written = found.get(SHOWN, (0, None, "", "[]"))
    anew, newer = found[NEXT][:2] if NEXT in found else (None, None)
    columns = _columns(written)
    # Where newer code stopped, too, its reason is the one to act on.
    return Moment(Standing(sequence, newer or stopped, anew), version, columns, session, until, opened)


@lru_cache(maxsize=1024)
def _columns(written: str | bytes) -> tuple[Column, ...]:
    """The columns of a table as its checkpoint tells them."""
    return msgspec.json.decode(written, type=tuple[Column, ...])

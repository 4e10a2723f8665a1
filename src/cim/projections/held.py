"""The table of a projection during one transaction: rows are held until its end.

A row that many events of a batch change is read once and written once, which is most of what folding costs.
"""

from collections.abc import Sequence
from typing import Any

from cim.domain.projection import Row
from cim.projections.table import StoredTable

MOST = 10_000
"""Rows that are held before they are written in the middle of a transaction."""


class HeldTable:
    """Fulfils :class:`cim.domain.projection.Table` over a stored one, which has it all after :meth:`write`.

    Rows are held as the store keeps them: whoever changes in place what a row holds changes no other's.
    """

    def __init__(self, stored: StoredTable) -> None:
        self._stored, self._kind = stored, stored.kind
        self._held: dict[tuple[str | int, ...], Sequence[Any] | None] = {}

    def get(self, *key: str | int) -> Row | None:
        """See :meth:`cim.domain.projection.Table.get`."""
        self._kind.check_key(key)
        if key not in self._held:
            return self._stored.get(*key)
        values = self._held[key]
        return None if values is None else self._stored.row(values)

    def put(self, row: Row) -> None:
        """See :meth:`cim.domain.projection.Table.put`."""
        values = self._stored.values(row)
        self._hold(self._kind.key_of(row), values)

    def remove(self, *key: str | int) -> None:
        """See :meth:`cim.domain.projection.Table.remove`."""
        self._kind.check_key(key)
        self._hold(key, None)

    def write(self) -> None:
        """Give the store what is held."""
        held, self._held = self._held, {}
        self._stored.write(held)

    def _hold(self, key: tuple[str | int, ...], values: Sequence[Any] | None) -> None:
        self._held[key] = values
        if len(self._held) >= MOST:
            self.write()

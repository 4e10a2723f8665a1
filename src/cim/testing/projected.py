"""What rows a projection makes of some events: its test in one line, without a machine.

``assert projected(shelf, Lent("b1", "Ada"), Returned("b1")) == []``
"""

from collections.abc import Callable, Iterable
from typing import Any

from cim.contract.composition import compose
from cim.contract.projection import ProjectionType
from cim.domain.context import Context
from cim.domain.errors import CimError
from cim.domain.message import Event
from cim.domain.projection import Row


class MemoryTable:
    """Fulfils :class:`cim.domain.projection.Table` in memory, with the checks of the real one."""

    def __init__(self, kind: ProjectionType) -> None:
        self._kind = kind
        self._rows: dict[tuple[str | int, ...], Row] = {}

    @property
    def rows(self) -> list[Row]:
        """All rows, in the order of their keys."""
        return [self._rows[key] for key in sorted(self._rows)]

    def get(self, *key: str | int) -> Row | None:
        """See :meth:`cim.domain.projection.Table.get`."""
        self._kind.check_key(key)
        return self._rows.get(key)

    def put(self, row: Row) -> None:
        """See :meth:`cim.domain.projection.Table.put`."""
        self._kind.check_row(row)
        self._rows[self._kind.key_of(row)] = row

    def remove(self, *key: str | int) -> None:
        """See :meth:`cim.domain.projection.Table.remove`."""
        self._kind.check_key(key)
        self._rows.pop(key, None)


def projected(
    contexts: Context | Iterable[Context], function: Callable[..., Any], *events: Event
) -> list[Row]:
    """The rows that a projection of these modules makes of events, in the order of their keys."""
    composition = compose([contexts] if isinstance(contexts, Context) else contexts)
    kind = next((one for one in composition.projections if one.function is function), None)
    if kind is None:
        raise CimError(f"{function.__name__} is no projection of these modules: give it @context.projection")
    return folded(kind, events)


def folded(kind: ProjectionType, events: Iterable[Event]) -> list[Row]:
    """The rows that a projection makes of those events that it takes, in the order of their keys."""
    table = MemoryTable(kind)
    taken = tuple(event for events in kind.sources.values() for event in events.values())
    for event in events:
        if isinstance(event, taken):
            kind.fold(event, table)
    return table.rows

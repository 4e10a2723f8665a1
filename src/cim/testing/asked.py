"""What a declared query answers after some events: its test in one line, without a machine.

``assert asked(library, most_read, Lent("b1", "Ada"), least=1) == [Reader("Ada", 1)]``
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.projection import ProjectionType
from cim.domain.context import Context
from cim.domain.errors import CimError
from cim.domain.message import Event
from cim.domain.projection import Row
from cim.projections.selection import check_key, check_value, column_named
from cim.projections.table import columns_of
from cim.testing.projected import folded


class MemoryRows:
    """Fulfils :class:`cim.domain.projection.Rows` over a list, with the checks of the real one."""

    def __init__(self, kind: ProjectionType, rows: Iterable[Row]) -> None:
        self._kind, self._rows = kind, list(rows)
        self._columns = columns_of(kind)

    def get(self, *key: str | int) -> Row | None:
        """See :meth:`cim.domain.projection.Rows.get`."""
        self._kind.check_key(key)
        return next(self.each(*key), None)

    def each(self, *key: str | int, **columns: Any) -> Iterator[Row]:
        """See :meth:`cim.domain.projection.Rows.each`."""
        wanted: Mapping[str, Any] = codec.plain(columns)
        check_key(key, [column for column in self._columns if column.key])
        for name, value in wanted.items():
            check_value(value, column_named(name, self._columns))
        wanted = {**wanted, **dict(zip(self._kind.key, key, strict=False))}
        return (row for row in self._rows if wanted.items() <= _plain(row, wanted).items())


def _plain(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: codec.plain(getattr(row, name)) for name in names}


def asked(
    contexts: Context | Iterable[Context], function: Callable[..., Any], *events: Event, **question: Any
) -> Any:
    """What a query of these modules answers to a question, after these events."""
    composition = compose([contexts] if isinstance(contexts, Context) else contexts)
    kind = next((one for one in composition.queries if one.function is function), None)
    if kind is None:
        raise CimError(f"{function.__name__} is no query of these modules: give it @context.query")
    found = kind.asked(codec.plain(question))
    rows = {name: MemoryRows(source, folded(source, events)) for name, source in kind.reads.items()}
    return kind.answered(kind.run(found, rows))

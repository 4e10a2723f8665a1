"""An index in memory: it outlives whoever uses it, not the process."""

from asyncio import Future, get_running_loop
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from cim.contract.subjects import Ref
from cim.ports.index import Kind, Part, Row, Said, Standing


class MemoryIndex:
    """Fulfils :class:`cim.ports.index.Index` with dictionaries."""

    def __init__(self) -> None:
        self._standing: Standing | None = None
        self._rows: dict[Ref, Row] = {}
        self._commands: dict[str, Said] = {}
        self._parts: dict[Part, bytes] = {}

    def standing(self) -> Standing | None:
        return self._standing

    def find(self, ref: Ref) -> Row | None:
        return self._rows.get(ref)

    def kinds(self) -> list[Kind]:
        return sorted({(ref.context, ref.entity) for ref in self._rows})

    def count(self, of: Kind | None = None) -> int:
        return len(self._rows) if of is None else len(self._of(of))

    def page(
        self,
        of: Kind,
        after: str | None,
        most: int,
        carrying: Collection[str] = (),
        lacking: Collection[str] = (),
    ) -> list[Row]:
        found = (row for row in self._of(of) if after is None or row.ref.id > after)
        fitting = (one for one in found if {*carrying} <= {*one.carries} and not {*lacking} & {*one.carries})
        return sorted(fitting, key=lambda row: row.ref.id)[:most]

    def due(self, after: int, most: int) -> list[Row]:
        return _oldest(row for row in self._rows.values() if row.is_due and row.first > after)[:most]

    def count_due(self) -> int:
        return sum(row.is_due for row in self._rows.values())

    def changed_since(self, of: Kind, sequence: int, most: int) -> list[Row]:
        found = (row for row in self._of(of) if row.sequence > sequence)
        return sorted(found, key=lambda row: row.sequence)[:most]

    def troubled(self) -> list[Ref]:
        return [row.ref for row in self._rows.values() if row.is_troubled]

    def bodiless(self, most: int) -> list[Ref]:
        return [row.ref for row in self._rows.values() if row.body is None][:most]

    def referring(self, ref: Ref) -> list[Ref]:
        return [row.ref for row in _oldest(row for row in self._rows.values() if ref in row.targets)]

    def command(self, id: str) -> Said | None:
        return self._commands.get(id)

    def parts(self) -> list[tuple[Part, bytes]]:
        return [*self._parts.items()]

    def write(
        self,
        rows: Sequence[Row],
        commands: Mapping[str, Said],
        standing: Standing,
        parts: Mapping[Part, bytes | None] = MappingProxyType({}),
    ) -> Future[None]:
        self._rows |= {row.ref: row for row in rows}
        self._commands |= commands
        self._standing = standing
        for part, body in parts.items():
            self._parts.pop(part, None)
            if body is not None:
                self._parts[part] = body
        done = get_running_loop().create_future()
        done.set_result(None)
        return done

    def clear(self) -> None:
        self._standing = None
        self._rows.clear()
        self._commands.clear()
        self._parts.clear()

    def close(self) -> None:
        """Nothing is to let go of."""

    def _of(self, of: Kind) -> list[Row]:
        return [row for row in self._rows.values() if (row.ref.context, row.ref.entity) == of]


def _oldest(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.first)

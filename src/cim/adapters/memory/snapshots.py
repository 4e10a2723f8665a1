"""Snapshots in memory, until the process ends."""

from collections.abc import Callable, Sequence

from cim.ports.snapshots import Place, Snapshot


class MemorySnapshots:
    """Fulfils :class:`cim.ports.snapshots.Snapshots` with dictionaries."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Snapshot, dict[str, int]]] = {}

    def load(self, subject: str) -> Snapshot | None:
        found = self._kept.get(subject)
        return None if found is None else found[0]

    def find(self, subject: str, id: str) -> Place:
        found = self._kept.get(subject)
        return Place(None, None) if found is None else Place(found[1].get(id), found[0].digest)

    async def keep(
        self, make: Callable[[], Snapshot], ids: Sequence[tuple[str, int]], behind: str | None
    ) -> bool:
        try:
            snapshot = make()
        except Exception:  # a module's own values: whoever made it knows the cause
            return False
        before = self._kept.get(snapshot.subject)
        if behind is not None and (before is None or before[0].digest != behind):
            return False
        older = {} if behind is None or before is None else before[1]
        self._kept[snapshot.subject] = snapshot, {**older, **dict(ids)}
        return True

"""How each component came to be: which system, version and inputs, and every value that it had."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cim.contract.envelope import Commit, Derivation
from cim.contract.subjects import Ref
from cim.world.correction import derived_of
from cim.world.entity import Cell, Entity
from cim.world.expiry import EXPIRED
from cim.world.world import World, ref_of


@dataclass(frozen=True, slots=True)
class Change:
    """One step in a component's life: a value that a system wrote, one that a person put right, one that a
    system found again and let stand, or the component's end: taken away, or expired by what it said itself.

    ``by`` is a system's name, or the person's who answers for a correction; ``version`` and ``inputs``
    are None for a correction, which was not derived.
    """

    sequence: int
    time: str
    what: Literal["written", "corrected", "confirmed", "removed", "expired"]
    by: str
    version: str | None
    inputs: Mapping[str, int] | None
    value: Any


class Provenance:
    """The runs of a history by what they wrote and by their system."""

    def __init__(self, history: Iterable[Commit]) -> None:
        self._written: dict[int, Derivation] = {}
        self._done: dict[tuple[Ref, str], tuple[int, Derivation]] = {}
        for commit in history:
            if (found := commit.derivation) is None:
                continue
            self._written[commit.sequence] = found
            if found.outcome == "done":
                self._done[ref_of(commit.subject), found.system] = commit.sequence, found

    def of(self, entity: Entity, key: str) -> Derivation | None:
        """The run that last said what the entity carries under ``key``: it wrote it, or found the same again.
        None for what a person alone said."""
        derived = derived_of(entity.cells[key])
        if derived is None:
            return None
        sequence, last = self._done.get((entity.ref, derived.by), (0, None))
        return last if sequence > derived.sequence else self._written.get(derived.sequence)


def changes(world: World, history: Iterable[Commit], key: str) -> Iterator[Change]:
    """The life of a component, oldest first, as an empty ``world`` folds the history of its entity."""
    before: Cell | None = None
    for commit in history:
        entity = world.apply(commit)
        after = entity.cells.get(key)
        if after != before:
            yield _change(commit, after)
        elif after is not None and entity.stopped is None and _finds_again(commit, after):
            yield _step("confirmed", commit, after.value)
        before = after


def _finds_again(commit: Commit, cell: Cell) -> bool:
    found, derived = commit.derivation, derived_of(cell)
    return found is not None and derived is not None and (found.outcome, found.system) == ("done", derived.by)


def _change(commit: Commit, cell: Cell | None) -> Change:
    if cell is None:
        return _step("expired" if commit.type.endswith(EXPIRED) else "removed", commit, None)
    return _step("written" if commit.derivation is not None else "corrected", commit, cell.value)


def _step(
    what: Literal["written", "corrected", "confirmed", "removed", "expired"], commit: Commit, value: Any
) -> Change:
    found = commit.derivation
    by = commit.origin.owner if found is None else found.system
    version, inputs = (None, None) if found is None else (found.version, found.inputs)
    return Change(commit.sequence, commit.time, what, by, version, inputs, value)

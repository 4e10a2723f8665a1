"""Writes that span entities: finding those of which a part is missing.

Each commit of such a write names the others by subject and number. A chain does not show that its last commit
was cut off; the commits that were written with it do.
"""

from dataclasses import dataclass, field

from cim.contract.envelope import Commit

Place = tuple[str, int]
"""A commit's subject and number."""


@dataclass(slots=True)
class Together:
    """The writes that span entities, taken in from a log in any order."""

    _whole: dict[Place, tuple[str, frozenset[Place]]] = field(default_factory=dict)

    def take(self, commit: Commit) -> None:
        """Take in the next commit."""
        if commit.partners:
            own = commit.subject, commit.number
            self._whole[own] = commit.id, frozenset({own, *commit.partners.items()})

    def faults(self) -> list[str]:
        """Each commit that stands without one that was written with it."""
        return [
            f"{subject} #{number} was written together with {other} #{place}, which is missing or another"
            for (subject, number), (id, whole) in self._whole.items()
            for other, place in sorted(whole)
            if self._whole.get((other, place)) != (id, whole)
        ]

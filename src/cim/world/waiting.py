"""The runs that wait, in the order in which they are chosen."""

import itertools
from collections.abc import Callable, Collection
from heapq import heappop, heappush

from cim.contract.subjects import Ref
from cim.contract.system import SystemType

Key = tuple[str, Ref]
"""A run to make: the system's full name and the entity."""


class Waiting:
    """What waits for a worker: the oldest entity first, so that what has begun is whole early.

    An entity with a run under way comes after all others, and one with a run that has stepped aside not
    at all: an entity that hangs must hold one worker, not all of them.
    """

    def __init__(self) -> None:
        self._systems: dict[Key, SystemType] = {}
        self._order: list[tuple[int, int, Key]] = []
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._systems)

    def __contains__(self, key: Key) -> bool:
        return key in self._systems

    def add(self, key: Key, system: SystemType, age: int) -> None:
        """Let a run wait; ``age`` is the sequence at which its entity began."""
        self._systems[key] = system
        heappush(self._order, (age, next(self._count), key))

    def is_there_any_beside(self, others: Collection[Ref]) -> bool:
        """Whether a run of an entity that is none of those waits."""
        return any(ref not in others for _, ref in self._systems)

    def begin(self, under_way: Collection[Ref]) -> tuple[Key, SystemType] | None:
        """Take out the next run of an entity that has none under way; None where there is none."""
        return self._first(lambda ref: ref not in under_way)

    def go_on(self, aside: Collection[Ref]) -> tuple[Key, SystemType] | None:
        """Take out the next run of any entity that has none aside; None where there is none."""
        return self._first(lambda ref: ref not in aside)

    def _first(self, is_wanted: Callable[[Ref], bool]) -> tuple[Key, SystemType] | None:
        passed: list[tuple[int, int, Key]] = []
        chosen: Key | None = None
        while self._order and chosen is None:
            first = heappop(self._order)
            if is_wanted(first[2][1]):
                chosen = first[2]
            else:
                passed.append(first)
        for one in passed:
            heappush(self._order, one)
        return None if chosen is None else (chosen, self._systems.pop(chosen))

"""The runs that wait, in the order in which they are chosen."""

import itertools
from collections.abc import Collection
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

    def choose(self, under_way: Collection[Ref], aside: Collection[Ref]) -> tuple[Key, SystemType] | None:
        """Take out the next run; None where nothing may run now."""
        passed: list[tuple[int, int, Key]] = []
        chosen: tuple[int, int, Key] | None = None
        while self._order and chosen is None:
            first = heappop(self._order)
            if first[2][1] in under_way:
                passed.append(first)
            else:
                chosen = first
        if chosen is None:
            chosen = next((one for one in passed if one[2][1] not in aside), None)
        for one in passed:
            if one is not chosen:
                heappush(self._order, one)
        return None if chosen is None else (chosen[2], self._systems.pop(chosen[2]))

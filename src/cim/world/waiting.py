"""The runs that wait, in the order in which they are chosen."""

import itertools
from collections import defaultdict
from collections.abc import Collection
from enum import IntEnum
from heapq import heappop, heappush
from typing import NamedTuple

from cim.contract.subjects import Ref

Key = tuple[str, Ref]
"""A run to make: the system's full name and the entity."""


class Lane(IntEnum):
    """What changed just now; and what stood there when the process came, with all that follows from that."""

    LIVE = 0
    OLD = 1


class Turn(NamedTuple):
    """When a run's turn is: its lane, and in it the ``age`` of its entity. Who came first is older."""

    lane: Lane
    age: int


_Entry = tuple[int, int, Key]
_Queue = list[_Entry]


class Waiting:
    """What waits for a worker: in each lane the oldest entity first, so that what has begun is whole early.

    Each system has a queue of its own in a lane, so that one that may not run now is passed over as a
    whole, however many runs of it wait.
    """

    def __init__(self) -> None:
        self._lanes: tuple[defaultdict[str, _Queue], ...] = tuple(defaultdict(list) for _ in Lane)
        self._all: set[Key] = set()
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, key: Key) -> bool:
        return key in self._all

    def add(self, key: Key, turn: Turn) -> None:
        """Let a run wait for its turn."""
        self._all.add(key)
        heappush(self._lanes[turn.lane][key[0]], (turn.age, next(self._count), key))

    def systems(self) -> set[str]:
        """The systems that have a run waiting."""
        return {system for lane in self._lanes for system in lane}

    def count(self, lane: Lane) -> int:
        """How many wait in a lane."""
        return sum(map(len, self._lanes[lane].values()))

    def is_there_any_beside(self, others: Collection[Ref], closed: Collection[str] = ()) -> bool:
        """Whether a run of an entity that is none of those waits, of a system that is not closed."""
        queues = ((name, queue) for lane in self._lanes for name, queue in lane.items() if name not in closed)
        # An entity stands once in a queue, so this ends soon.
        return any(ref not in others for _, queue in queues for _, _, (_, ref) in queue)

    def is_open(self, lane: Lane, closed: Collection[str]) -> bool:
        """Whether a run waits in a lane, of a system that is not closed."""
        return any(name not in closed for name in self._lanes[lane])

    def take(
        self, lane: Lane, others: Collection[Ref], closed: Collection[str] = ()
    ) -> tuple[Key, Turn] | None:
        """Take out the next run of a lane, with its turn: of an entity that is none of those, and of a system
        that is not closed; None where there is none."""
        found: list[_Entry] = []
        for name, queue in self._lanes[lane].items():
            if name not in closed and (first := _first(queue, others)) is not None:
                found.append(first)
        if not found:
            return None
        chosen = min(found)
        self._take_out(lane, chosen)
        return chosen[2], Turn(lane, chosen[0])

    def _take_out(self, lane: Lane, entry: _Entry) -> None:
        name = entry[2][0]
        queue, passed = self._lanes[lane][name], list[_Entry]()
        while (first := heappop(queue)) != entry:
            passed.append(first)
        for one in passed:
            heappush(queue, one)
        if not queue:
            del self._lanes[lane][name]
        self._all.discard(entry[2])


def _first(queue: _Queue, others: Collection[Ref]) -> _Entry | None:
    """The first in a queue that is of none of those entities; it stays there."""
    if queue[0][2][1] not in others:
        return queue[0]
    passed: _Queue = []
    found = None
    while queue and found is None:
        first = heappop(queue)
        passed.append(first)
        found = first if first[2][1] not in others else None
    for one in passed:
        heappush(queue, one)
    return found

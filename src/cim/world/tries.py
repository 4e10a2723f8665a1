"""The runs that could not be made now and are made again after a while: how often, why, and when next.

They are kept in memory: a process that starts anew begins with no tries made.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from cim.log.backoff import delays
from cim.world.waiting import Key, Turn

TRIES = 12
"""Tries of a run, unless the machine says otherwise: with the waits between them most of a minute."""

FIRST, LONGEST = 0.1, 10.0
"""Seconds before the second try, and between two at the most."""


@dataclass(slots=True)
class Trial:
    """A run that is made again: under which ``id``, how many ``tries`` were made, why the last could not be,
    and at which moment of the process's clock the next is (``when``)."""

    id: str
    turn: Turn
    waits: Iterator[float]
    cause: str = ""
    tries: int = 0
    when: float = 0.0


class Tries:
    """What is tried again, ``most`` times at the most."""

    def __init__(self, most: int = TRIES) -> None:
        self.most = most
        self._known: dict[Key, Trial] = {}
        # Those that wait for their next try: beside them, the others are under way or wait for a worker.
        self._asleep: dict[Key, Trial] = {}
        self._order: list[tuple[float, int, Key]] = []
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._asleep)

    def __contains__(self, key: Key) -> bool:
        return key in self._asleep

    def known(self) -> Iterator[tuple[Key, Trial]]:
        """All that were tried without success, and are not given up."""
        yield from self._known.items()

    def again(self, key: Key, id: str, turn: Turn, cause: str, now: float) -> int | None:
        """A try was in vain: None where another one follows, else how many were made."""
        trial = self._known.get(key)
        if trial is None or trial.id != id:  # other inputs: another run
            trial = self._known[key] = Trial(id, turn, delays(FIRST, LONGEST))
        trial.tries, trial.cause = trial.tries + 1, cause
        if trial.tries >= self.most:
            self.forget(key)
            return trial.tries
        trial.when = now + next(trial.waits)
        self._asleep[key] = trial
        heappush(self._order, (trial.when, next(self._count), key))
        return None

    def forget(self, key: Key) -> None:
        """It was made, or given up, or is another run by now."""
        if self._known.pop(key, None) is not None:
            self._asleep.pop(key, None)

    def is_of(self, key: Key, id: str) -> bool:
        """Whether what is tried again is the run with this id."""
        return key in self._known and self._known[key].id == id

    def next(self) -> float | None:
        """The moment of the next try of all."""
        while self._order and not self._stands(self._order[0]):
            heappop(self._order)
        return self._order[0][0] if self._order else None

    def awake(self, now: float) -> Iterator[tuple[Key, Turn]]:
        """Those whose next try is due: they wait for a worker from now on."""
        while (when := self.next()) is not None and when <= now:
            key = heappop(self._order)[2]
            yield key, self._asleep.pop(key).turn

    def _stands(self, entry: tuple[float, int, Key]) -> bool:
        found = self._asleep.get(entry[2])
        return found is not None and found.when == entry[0]

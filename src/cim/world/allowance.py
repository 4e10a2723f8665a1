"""What a system may do at once and in a second, in one process."""

import math
from collections import deque
from dataclasses import dataclass

from cim.contract.subjects import Ref
from cim.log.backoff import delays

SUSPICIOUS = 3
"""Entities in a row for which what a system needs was not there, before it is taken to be away for all."""

SOON, LONGEST = 0.1, 5.0
"""Seconds until what is away is asked for again, at first and at the most."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The limits of one system: how many runs ``at_once``, how many begin ``per_second`` at the most."""

    at_once: int | None = None
    per_second: float | None = None


class Allowance:
    """When a system may begin a run: within its limit, and while what it needs is there.

    Where that was away for several entities in a row, one run at a time tries it, after longer and longer
    rests, until one finds it there again: a provider that is gone for an hour must not use up the tries of
    a million entities.
    """

    def __init__(self, limit: Limit) -> None:
        self._at_once = limit.at_once or math.inf
        # So many runs in such a time: one in two seconds is as good as five in one.
        room = max(1, math.floor(limit.per_second or 1))
        self._window = room / limit.per_second if limit.per_second else 0.0
        self._begun: deque[float] = deque(maxlen=room)
        self._under_way = 0
        self._away: set[Ref] = set()
        self._rests = delays(SOON, LONGEST)
        self._rest_until = -math.inf

    def opens(self, now: float) -> float:
        """The moment from which the next run may begin: never (:data:`math.inf`) before one has ended."""
        if self._under_way >= (1 if self.is_away else self._at_once):
            return math.inf
        is_full = self._window > 0 and len(self._begun) == self._begun.maxlen
        return max(now, self._rest_until, self._begun[0] + self._window if is_full else now)

    @property
    def is_away(self) -> bool:
        """Whether what the system needs is taken to be away."""
        return len(self._away) >= SUSPICIOUS

    def begin(self, now: float) -> None:
        """A run begins."""
        self._under_way += 1
        self._begun.append(now)

    def end(self) -> None:
        """A run has ended, however."""
        self._under_way -= 1

    def missed(self, ref: Ref, now: float) -> None:
        """A run of an entity did not find what it needs."""
        self._away.add(ref)
        if self.is_away:
            self._rest_until = now + next(self._rests)

    def found(self) -> None:
        """A run found what it needs."""
        if self._away:
            self._away.clear()
            self._rests, self._rest_until = delays(SOON, LONGEST), -math.inf

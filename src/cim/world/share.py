"""How live work and old work share the workers: live work first, and old work a quarter of the time.

The form is that of stride scheduling (Waldspurger and Weihl, 1995) with two clients: each has what it spent
weighed by its share, and who has spent less is next. What counts is time and not how many runs: an old page
may take seconds where a live value takes a millisecond.
"""

from collections import defaultdict

from cim.world.waiting import Lane

WEIGHT = 3
"""How many seconds live work gets for each one of old work, while both wait."""

LEAST = 0.001
"""Seconds that a run counts at the least: to make one costs something in any case."""

NEWEST = 0.2
"""What the newest run counts in how long a system usually takes."""


class Share:
    """Which lane is next while both have runs waiting.

    A run is charged at its beginning what its system usually takes, and at its end what it took: or several
    would begin before the first is charged. Nothing is saved up: where only one lane waits, both begin anew.
    """

    def __init__(self) -> None:
        self._usual: defaultdict[str, float] = defaultdict(lambda: LEAST)
        # What live work has had over its share: seconds, those of old work weighed.
        self._ahead = 0.0

    def next(self) -> Lane:
        """The lane that is next while both wait."""
        return Lane.OLD if self._ahead > 0 else Lane.LIVE

    def alone(self) -> None:
        """Only one of the lanes waits: it has all of the time, and owes none of it."""
        self._ahead = 0.0

    def begin(self, lane: Lane, system: str) -> float:
        """A run begins; what it is charged for now."""
        charged = self._usual[system]
        self._charge(lane, charged)
        return charged

    def end(self, lane: Lane, system: str, charged: float, took: float) -> None:
        """A run has ended after so many seconds."""
        took = max(took, LEAST)
        self._charge(lane, took - charged)
        self._usual[system] += NEWEST * (took - self._usual[system])

    def _charge(self, lane: Lane, seconds: float) -> None:
        self._ahead += seconds if lane is Lane.LIVE else -WEIGHT * seconds

"""What is long: how much longer a step takes than its kind lately took."""

from collections import defaultdict, deque

LONG = 1 / 6
"""The share of a step's limit that is long for any step: 5 s of 30."""

SOON = 1 / 30
"""The share of it that is long for no step: 1 s of 30."""

NEW = 1 / 12
"""The share of it that is long for a step of a kind that was never seen: 2.5 s of 30."""

TIMES = 2
"""How many times the longest of its kind a step has to take to be long."""

RECENT = 16
"""Steps of a kind that are remembered."""


class Usual:
    """How long each kind of step took lately. A kind is the method that is called, or the module's own code.

    A page that is to be recognised takes seconds, one whose text is there milliseconds: a second is nothing
    for the one and says of the other that it hangs.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._lately: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))

    def note(self, kind: str, seconds: float) -> None:
        """A step of that kind has ended, after so many seconds of its own."""
        self._lately[kind].append(seconds)

    def long(self, kind: str) -> float:
        """Seconds after which a step of that kind takes long."""
        if not self._lately[kind]:
            return NEW * self._limit
        return min(LONG * self._limit, max(SOON * self._limit, TIMES * max(self._lately[kind])))

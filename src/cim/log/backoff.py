"""The one retry policy."""

from collections.abc import Iterator


def delays(first: float = 0.02, longest: float = 0.5) -> Iterator[float]:
    """Seconds to wait before each next try, without end: doubling from ``first`` up to ``longest``.

    The cap is under a second, so that whatever waits heals within a second of its cause going away.
    """
    delay = first
    while True:
        yield delay
        delay = min(delay * 2, longest)

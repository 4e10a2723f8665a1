"""A circuit breaker: what fails again and again is left alone for a while, then tried by one call.

The idea is Michael Nygard's ("Release It!", 2007): closed, open, half open.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Circuit:
    """Opens after ``failures`` in a row, for ``rest`` seconds; then one call is let through, and what comes
    of it closes the circuit or opens it anew. Moments are seconds of a clock that never goes back."""

    failures: int
    rest: float
    cause: str = field(default="", init=False)
    """What the last call that failed came to."""
    _count: int = field(default=0, init=False)
    _until: float | None = field(default=None, init=False)
    _trial: bool = field(default=False, init=False)

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for a trial."""
        return self._until is not None

    def left(self, now: float) -> float:
        """Seconds until the next trial may be made; 0 where it may now, or is under way."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def enter(self, now: float) -> bool:
        """Whether a call may be made; where it is the trial of an open circuit, no other is let through until
        one of the three below is told of it."""
        if self._until is None:
            return True
        if now < self._until or self._trial:
            return False
        self._trial = True
        return True

    def worked(self) -> bool:
        """A call was answered; whether that closes the circuit."""
        was_open = self.is_open
        self._count, self._until, self._trial, self.cause = 0, None, False, ""
        return was_open

    def failed(self, now: float, cause: str) -> bool:
        """A call was not answered; whether that opens a circuit that was closed."""
        was_open = self.is_open
        self._count, self._trial, self.cause = self._count + 1, False, cause
        if self._count >= self.failures:
            self._until = now + self.rest
        return self.is_open and not was_open

    def gave_up(self) -> None:
        """A call ended that tells nothing, such as one that was cancelled."""
        self._trial = False

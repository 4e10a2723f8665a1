"""How far a log is, as heard by following it: asked of the log itself only where that is not sure."""

from collections.abc import Sequence

from cim.contract.envelope import Commit
from cim.ports.log import Log


class LogEnd:
    """Told of all that a follower of ``log`` hears. What was stored and did not come yet is not counted, as
    long as it takes a commit to come; a follower that heard nothing for a second has lost its link."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._sequence, self._is_there = 0, False

    def take(self, batch: Sequence[Commit]) -> None:
        """The next commits; none says that the end was reached."""
        self._is_there = not batch
        if batch:
            self._sequence = batch[-1].sequence

    def lose(self) -> None:
        """The link was lost: what comes meanwhile is not heard."""
        self._is_there = False

    async def last(self) -> int:
        """The sequence of the newest commit. Raises :class:`cim.ports.log.LinkLost`."""
        return self._sequence if self._is_there else await self._log.last()

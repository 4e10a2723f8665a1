"""Where systems run: handed to the schedule. A leaf runs them in :mod:`cim.leaf.workers`."""

from collections.abc import Mapping
from typing import Any, Protocol

from cim.contract.system import SystemType


class Place(Protocol):
    """A run's place among those that are made at once."""

    def is_wanted(self) -> bool:
        """Whether a run of another entity waits for it."""
        ...

    def leave(self) -> None:
        """Give it to another: the run has stepped aside."""
        ...


class Runner(Protocol):
    """Makes one run of a system."""

    async def run(self, system: SystemType, given: Mapping[str, Any], place: Place) -> Any:
        """What the system returns for the values that the world gives it; raises what it raises.

        A run that takes long leaves its ``place`` when that is wanted, and goes on beside those at work.
        """
        ...

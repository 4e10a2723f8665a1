"""Where systems run: handed to the schedule. A leaf runs them in :mod:`cim.leaf.workers`."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cim.contract.system import SystemType


class Runner(Protocol):
    """Makes one run of a system."""

    async def run(self, system: SystemType, given: Mapping[str, Any], aside: Callable[[], None]) -> Any:
        """What the system returns for the values that the world gives it; raises what it raises.

        Calls ``aside`` when the run takes long and another one may begin beside it.
        """
        ...

"""Two pools of worker processes: for systems that compute, as many as there are cores; and for those that are
async, agents among them, more: they wait for others, and are started when they are wanted."""

from collections.abc import Mapping
from typing import Any

from cim.contract.system import SystemType
from cim.domain.component import Component
from cim.leaf.workers import Workers
from cim.world.due import Call
from cim.world.runner import Place


class Pools:
    """Runs each system in its pool; fulfils :class:`cim.world.runner.Runner`. A pool that no system needs is
    None."""

    def __init__(self, computing: Workers | None, waiting: Workers | None) -> None:
        self._computing, self._waiting = computing, waiting

    async def open(self, computing: int, waiting: int) -> None:
        """Start the first workers of each: all that are to compute, and one of at most ``waiting`` that wait.
        Raises as :meth:`Workers.open` does."""
        if self._computing is not None:
            await self._computing.open(computing)
        if self._waiting is not None and waiting:
            await self._waiting.open(1, waiting)

    async def close(self) -> None:
        """End all of them."""
        for pool in (self._computing, self._waiting):
            if pool is not None:
                await pool.close()

    async def run(
        self, system: SystemType, given: Mapping[str, Any], place: Place, call: Call
    ) -> tuple[Component | None, ...]:
        """See :meth:`Workers.run`."""
        pool = self._waiting if system.waits else self._computing
        assert pool is not None, f"{system} has no pool"
        return await pool.run(system, given, place, call)

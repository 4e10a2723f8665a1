"""Systems in threads of the test's own process: a runner without processes, for tests of the world."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Executor
from typing import Any

from cim.contract.system import SystemType
from cim.world.due import Call
from cim.world.runner import Place


class Threads:
    """Runs systems in threads of this process: nothing holds a run that hangs or that crashes.

    ``needs`` gives each system the providers that its signature names.
    """

    def __init__(
        self,
        systems: Iterable[SystemType],
        needs: Callable[[SystemType], Mapping[str, Any]],
        executor: Executor,
    ) -> None:
        self._needs = {str(system): needs(system) for system in systems}
        self._executor = executor

    async def run(self, system: SystemType, given: Mapping[str, Any], place: Place, call: Call) -> Any:
        """See :class:`cim.world.runner.Runner`."""
        loop = asyncio.get_running_loop()
        whole = {**given, **self._needs[str(system)]}
        return await loop.run_in_executor(self._executor, _run, system, whole)


_NO_ANSWERS = (StopIteration, CancelledError, asyncio.CancelledError, SystemExit)
"""What a future does not carry to whoever waits, or carries as something else than a failure: an
iteration's end is lost, a cancellation seems to be our own, an exit ends the process."""


def _run(system: SystemType, given: Mapping[str, Any]) -> Any:
    try:
        return asyncio.run(system.function(**given)) if system.waits else system.function(**given)
    except _NO_ANSWERS as error:
        raise RuntimeError(f"{type(error).__name__} came out of {system}: {error}") from error

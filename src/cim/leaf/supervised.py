"""Providers in processes of their own that the leaf starts, and starts again when they end."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping

from cim.capabilities.instances import Tell
from cim.capabilities.terms import Over
from cim.contract.capability import ContractType
from cim.leaf import die_with_parent
from cim.leaf.machine import Machine
from cim.leaf.process import end, manner_of_death
from cim.log.backoff import delays
from cim.ports.clock import Clock

STANDARD_ERROR = 2

SOON, SELDOM = 0.2, 10.0
"""Seconds until an instance that ended is started again, at first and at the most."""

STEADY = 30.0
"""Seconds after which an instance counts as one that runs: what ends it then is no fault of its start."""


async def keep_providers(
    machine: Machine, bindings: Mapping[str, tuple[ContractType, Over]], clock: Clock, tell: Tell
) -> None:
    """Keep as many instances of each binding at work as its entry says, until cancelled; then they end what
    they have, within five seconds."""
    async with asyncio.TaskGroup() as group:
        for contract, over in bindings.values():
            for _ in range(over.instances):
                group.create_task(_keep(machine, contract.name, over.binding, clock, tell))


async def _keep(machine: Machine, contract: str, binding: str, clock: Clock, tell: Tell) -> None:
    waits = delays(SOON, SELDOM)
    while True:
        began, process = clock.monotonic(), await _start(machine, contract, binding)
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                await end(process)
        if clock.monotonic() - began > STEADY:
            waits = delays(SOON, SELDOM)
        wait = next(waits)
        how = manner_of_death(code)
        tell(f"a provider of {contract} in binding {binding} {how}; another one is started in {wait:g} s")
        await clock.sleep(wait)


async def _start(machine: Machine, contract: str, binding: str) -> asyncio.subprocess.Process:
    """One `cim provide`; what it prints goes to our standard error. On Linux it ends with us."""
    command = [sys.executable, "-m", "cim", "provide", contract, "--binding", binding]
    command += ["--machine", str(machine.folder)]
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), *command]
    return await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=STANDARD_ERROR, start_new_session=True
    )

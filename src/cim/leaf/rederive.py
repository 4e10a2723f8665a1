"""Making a system's runs anew beside a machine: in worker processes as a leaf's, within the same limits."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from cim.adapters.system import SystemClock
from cim.agents.runs import Runs
from cim.capabilities.calls import Calls
from cim.contract.system import SystemType
from cim.leaf.agent_doors import AgentDoors
from cim.leaf.binding import Binding
from cim.leaf.machine import check_limits
from cim.leaf.models import Models
from cim.leaf.node import Node, Tell, worker_processes, workers_of
from cim.world.rederivation import Rederivation
from cim.world.writer import Writer


@asynccontextmanager
async def rederivation(
    node: Node, system: SystemType, modules: Iterable[str], owner: str, tell: Tell
) -> AsyncIterator[Rederivation]:
    """What makes the runs of ``system`` anew, beside a node that runs nothing itself.

    Raises :class:`cim.domain.errors.Misdeclared` where a provider is missing or a worker cannot be.
    """
    machine, clock = node.machine, SystemClock()
    check_limits(machine, node.composition, tell)
    binding, models = Binding(machine), Models(machine)
    binding.check([system])
    models.check([system])
    calls = Calls(node.client, binding.over([system]), clock, tell)
    writer = Writer(node.world, node.log, clock, machine.source, tell, node.sealing)
    count, limit = workers_of(machine), machine.systems.get(str(system))
    doors = AgentDoors(node.client, clock)
    runs = Runs(
        node.log,
        clock,
        machine.source,
        node.sealing,
        doors,
        models.named,
        node.stages,
        node.stages.closed,
    )
    async with worker_processes(machine, modules, [system], node.blobs, calls, runs, clock, tell) as workers:
        await workers.open(count, count)
        find = node.world.entities.at_hand
        yield Rederivation(system, find, workers, writer, node.sealing, clock, owner, count, limit)

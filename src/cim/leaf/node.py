"""One process's part of a machine: joined to a leaf, it follows the log and runs its systems."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from nats.aio.client import Client

from cim.adapters.nats.blobs import NatsBlobs
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock, SystemEntropy
from cim.agents.runs import Runs
from cim.agents.spending import Spending
from cim.agents.stages import Stages
from cim.capabilities.calls import Calls
from cim.contract.composition import Composition
from cim.contract.envelope import Commit
from cim.contract.process import ProcessType
from cim.contract.projection import ProjectionType
from cim.contract.subjects import Ref
from cim.contract.system import SystemType
from cim.contract.topology.notes import never
from cim.domain.errors import CimError
from cim.doors.runs import LeftAlone
from cim.leaf.agent_doors import AgentDoors
from cim.leaf.binding import Binding
from cim.leaf.dividing import divided
from cim.leaf.frames import Serve
from cim.leaf.heads import read_head
from cim.leaf.machine import Machine, check_limits
from cim.leaf.models import Models
from cim.leaf.persons import person_keys
from cim.leaf.pools import Pools
from cim.leaf.rows import row_store
from cim.leaf.workers import Workers
from cim.log.backoff import outlast
from cim.log.consumer import consume
from cim.log.end import LogEnd
from cim.log.erasure import settle
from cim.log.grouped import Grouped
from cim.log.sealing import Sealing
from cim.ports.clock import Clock
from cim.ports.index import Index
from cim.ports.keys import KeyStore
from cim.ports.log import Log
from cim.processes.pending import Pending
from cim.processes.reactor import Reactor
from cim.processes.rows import PendingRows
from cim.projections.answers import Answers
from cim.projections.projector import Projector
from cim.world.beside import Beside
from cim.world.division import Division, Member
from cim.world.expiry import Expiry
from cim.world.indexed import IndexedEntities
from cim.world.schedule import Schedule
from cim.world.standing import go_on
from cim.world.trail import history
from cim.world.world import World
from cim.world.writer import Writer

OPENING = 30.0
"""Seconds that a leaf has to answer whoever joins it: the nodes of a cluster elect a leader first."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Node:
    """What a process holds of a machine while it runs."""

    machine: Machine
    composition: Composition
    client: Client
    log: Log
    end: LogEnd
    blobs: NatsBlobs
    calls: Calls
    world: World
    schedule: Schedule
    projections: Mapping[str, Projector]
    answers: Answers
    sealing: Sealing
    reactor: Reactor
    stages: Stages
    spending: Spending

    def left_alone(self) -> list[LeftAlone]:
        """The bindings over NATS that nobody is asked of for now."""
        return [LeftAlone(one.subject, one.cause, round(one.left, 3)) for one in self.calls.open_circuits()]

    async def folded(self) -> None:
        """Wait until everything in the log now is folded, by the world and by each projection that runs."""
        last = await outlast(self.log.last, SystemClock())
        await self.world.reached(last)
        await self.reactor.reached(last)
        for projector in self.projections.values():
            await projector.settled(last)

    async def idle(self) -> None:
        """Wait until everything in the log now is folded and nothing is left to do here."""
        while True:
            last = self.world.sequence
            await self.folded()
            await self.reactor.idle()
            await self.schedule.idle()
            # What a process asked for may be something to do for a system, and the other way round.
            if last == self.world.sequence or not self.reactor.pending.kinds:
                return


@asynccontextmanager
async def join(
    machine: Machine,
    client: Client,
    composition: Composition,
    systems: Iterable[SystemType],
    tell: Tell,
    modules: Iterable[str] = (),
    projections: Iterable[ProjectionType] = (),
    processes: Iterable[ProcessType] = (),
    index: Index | None = None,
) -> AsyncIterator[Node]:
    """Follow the log over a connection, keep ``systems`` at work and ``projections`` up to date until the
    block ends, and know what ``processes`` have to do. The world is kept in ``index`` and goes on from there.

    Systems run in worker processes, which load ``modules`` (the machine's, and these). Raises
    :class:`cim.domain.errors.Misdeclared` before anything runs where a provider is missing.
    """
    clock, systems, processes = SystemClock(), tuple(systems), tuple(processes)
    log = await outlast(lambda: _open_log(machine, client), clock, OPENING)
    blobs = await outlast(lambda: NatsBlobs.open(client), clock, OPENING)
    binding, models = Binding(machine), Models(machine)
    binding.check(systems)
    models.check(systems)
    calls = Calls(client, binding.over(systems), clock, tell)
    if systems:
        check_limits(machine, composition, tell)
    _tell_what_stands_still(composition, {*map(str, systems), *map(str, processes)}, tell)
    count = workers_of(machine) if systems else 0
    stages, spending = Stages(composition.systems), Spending(machine.budgets, clock)
    await outlast(lambda: stages.read(log), clock, OPENING)
    await outlast(lambda: spending.read(log, systems), clock, OPENING)

    def closed(name: str) -> str | None:
        return stages.closed(name) or spending.closed(name)

    pending = Pending(processes)
    division = Division(Member(SystemEntropy().new_id(), frozenset(map(str, systems)), count))
    async with (
        _sealing(machine, log, clock, tell) as (sealing, destroy),
        _world(machine, composition, log, sealing, clock, tell, index, PendingRows(pending)) as world,
        worker_processes(
            machine,
            modules,
            systems,
            blobs,
            calls,
            Runs(
                log,
                clock,
                machine.source,
                sealing,
                AgentDoors(client, clock),
                models.named,
                stages,
                closed,
            ),
            clock,
            tell,
        ) as workers,
    ):
        reactor = Reactor(pending, log, clock, machine.source, tell, sealing)
        world.when_erased(lambda person, _: destroy(person))
        writer = Writer(world, log, clock, machine.source, tell, sealing)
        ending = composition.components if systems else ()  # who only looks on ends nothing
        store, end = row_store(machine), LogEnd(log)
        projectors = {str(kind): Projector(kind, store, log, clock, tell, sealing) for kind in projections}
        node = Node(
            machine=machine,
            composition=composition,
            client=client,
            log=log,
            end=end,
            blobs=blobs,
            calls=calls,
            world=world,
            schedule=Schedule(
                world,
                writer,
                systems,
                workers,
                clock,
                count,
                machine.systems,
                machine.limits.tries,
                division.is_mine,
                closed,
                machine.limits.waiting,
            ),
            projections=projectors,
            answers=Answers(projectors, store, end.last, clock, machine.limits.query_seconds, sealing),
            sealing=sealing,
            reactor=reactor,
            stages=stages,
            spending=spending,
        )
        async with (
            _divided(node, division) as beat,
            background(
                beat,
                _follow(node, clock, tell),
                node.schedule.run(),
                Expiry(world, log, clock, machine.source, ending, tell).run(),
                workers.open(count, machine.limits.waiting),
                *(projector.run() for projector in projectors.values()),
            ),
        ):
            try:
                yield node
            finally:
                node.answers.close()


@asynccontextmanager
async def _divided(node: Node, division: Division) -> AsyncIterator[Coroutine[Any, Any, None]]:
    """What tells others of this process, so that they divide the work; nothing where it runs no systems."""
    if not division.own.systems:
        yield asyncio.sleep(0)
        return
    async with divided(node.client, division, SystemClock(), node.schedule.look_again) as beat:
        yield beat()


def _tell_what_stands_still(composition: Composition, names: Set[str], tell: Tell) -> None:
    """Say which of the systems, policies and processes that run here wait for what never comes."""
    told = never(composition) if names else {}
    for name in sorted(told.keys() & names):
        tell(told[name])


@asynccontextmanager
async def _sealing(
    machine: Machine, log: Log, clock: Clock, tell: Tell
) -> AsyncIterator[tuple[Sealing, Callable[[str], None]]]:
    """What seals and opens personal values, and what destroys a person's key.

    First of all it is told who was erased: nothing of theirs is opened, and an erasure that was cut is
    brought to its end.
    """
    keys = person_keys(machine)
    try:
        sealing, destroy = Sealing(keys), partial(destroy_key, keys, tell)
        await outlast(lambda: settle(log, sealing, destroy), clock)
        yield sealing, destroy
    finally:
        keys.close()


def workers_of(machine: Machine) -> int:
    """How many systems run at once in one process."""
    return machine.workers or os.cpu_count() or 1


@asynccontextmanager
async def worker_processes(
    machine: Machine,
    modules: Iterable[str],
    systems: Iterable[SystemType],
    blobs: NatsBlobs,
    calls: Calls,
    runs: Runs,
    clock: Clock,
    tell: Tell,
) -> AsyncIterator[Pools]:
    """The worker processes, none of them started yet; ended with the block."""
    names = tuple(dict.fromkeys([*machine.modules, *modules]))

    def pool(waits: bool) -> Workers | None:
        mine = tuple(str(system) for system in systems if system.waits == waits)
        serve = Serve(str(machine.folder), names, mine, machine.limits.memory_mb)
        return Workers(serve, machine.limits, blobs, clock, tell, calls, runs) if mine else None

    pools = Pools(pool(False), pool(True))
    try:
        yield pools
    finally:
        await pools.close()


@asynccontextmanager
async def _world(
    machine: Machine,
    composition: Composition,
    log: Log,
    sealing: Sealing,
    clock: Clock,
    tell: Tell,
    index: Index | None,
    beside: Beside,
) -> AsyncIterator[World]:
    """The world, as far as its index knows it, and what is folded ``beside`` it; written there when the block
    ends. It is caught up when it holds at least what the kept head says."""
    head = read_head(machine.state)
    milestone = head.sequence if head is not None else 0

    def told(ref: Ref) -> Awaitable[list[Commit]]:
        return outlast(lambda: history(log, ref), clock)

    if index is None:
        yield World(composition, milestone, sealing, told)
        return
    entities = IndexedEntities(index, composition, tell, beside=beside)
    world = World(composition, milestone, sealing, told, entities)
    await outlast(lambda: go_on(world, entities, index, log, milestone, tell), clock)
    try:
        yield world
    finally:
        with suppress(CimError):  # what is not written is read from the log again
            await world.finish()


async def _follow(node: Node, clock: Clock, tell: Tell) -> None:
    """Take in the log as it comes: the world first, then what processes have to do, kept together."""

    async def take(batch: list[Commit]) -> None:
        node.end.take(batch)
        for commit in batch:
            node.spending.apply(commit)
            if node.stages.apply(commit) is not None:
                node.schedule.wake()
        await node.world.take(batch)
        await node.reactor.take(batch)
        await node.world.keep()

    def lose(reason: str) -> None:
        node.end.lose()
        tell(f"following the log: {reason}")

    await consume(node.log, clock, node.world.sequence, take, lose)


async def _open_log(machine: Machine, client: Client) -> Log:
    """The machine's log. Where each write is synced by itself, those of one process go together: `dev` syncs
    none, and the nodes of `ha` gather theirs themselves."""
    log = await NatsLog.open(client)
    return Grouped(log) if machine.durability == "durable" else log


def destroy_key(keys: KeyStore, tell: Tell, person: str) -> None:
    """Destroy a key; nothing more of the person is opened here in any case."""
    try:
        keys.destroy(person)
    except CimError as error:
        tell(f"the key of {person} is not destroyed yet, the next start does it: {error}")


@asynccontextmanager
async def background(*work: "asyncio._CoroutineLike[None]") -> AsyncIterator[None]:
    """Run work beside a block and end it with the block; work that fails ends the block with its error."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

"""A whole machine in one event loop: processes over one store, links that fail, clients that ask again.

Nothing in it takes time or chance from outside, so that one seed gives one life.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cim.actors.actors import Actors
from cim.actors.past import Keeping
from cim.actors.request import Asked, Receipt, Rejection, content_digest
from cim.adapters.memory.log import MemoryLog
from cim.adapters.memory.snapshots import MemorySnapshots
from cim.contract import codec
from cim.contract.composition import Composition, compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.contract.system import SystemType
from cim.domain.errors import CimError, Unavailable
from cim.log.append import Appended, OutcomeUnknown, append
from cim.log.backoff import outlast
from cim.log.chain import BrokenChain, Head
from cim.log.consumer import consume
from cim.log.grouped import Grouped
from cim.ports.index import Index
from cim.ports.log import LinkLost, Log
from cim.ports.snapshots import Snapshot, Snapshots
from cim.processes.pending import Pending
from cim.processes.reactor import Reactor
from cim.processes.rows import PendingRows
from cim.testing.clock import HandClock
from cim.testing.faulty_log import FaultyLog, Network, steps
from cim.testing.jars import Move, Pour, Put, jars, labels
from cim.testing.keepers import keepers
from cim.testing.slow_index import SlowIndex
from cim.world.due import Call, is_due
from cim.world.expiry import Expiry
from cim.world.indexed import IndexedEntities
from cim.world.runner import Place
from cim.world.schedule import Schedule
from cim.world.standing import go_on
from cim.world.trail import history
from cim.world.world import World
from cim.world.writer import Writer

COMPOSITION = compose([jars, labels, keepers])

ASKING = {"command arrives": 12, "command lost": 1, "command doubled": 2, "command's answer lost": 1}
"""How often each thing happens to a request of a client."""

KEEPING = {"snapshot is kept": 10, "snapshot is not kept": 1, "snapshots are thrown away": 1}
"""How often each thing happens to a snapshot that is to be kept."""

RUNNING = {"run": 20, "run steps aside": 2, "run loses the link": 1, "run finds it away": 2}
"""How often each thing happens to a run of a system."""

PATIENCE = 150
"""Steps of the event loop that a client waits for an answer before it asks again."""

Step = Callable[[], Coroutine[Any, Any, None]]


def ask(command: Put | Pour | Move, id: str) -> Asked:
    """A command as a client sends it: the same each time it is sent again."""
    jar = command.source if isinstance(command, Move) else command.jar
    ref, name = Ref("jars", "Jar", jar), type(command).__name__
    digest = content_digest(ref, name, codec.encode([codec.item(command)]))
    return Asked(ref, command, Origin.root(id, "tester"), digest)


def _page(subject: str, id: str) -> Commit:
    """A commit of a context that no module declares."""
    origin = Origin.root(id, "tester")
    return Commit(subject, 0, origin, "cim:simulated", "pages.Page.Committed", "", "", b"[]")


class Runs:
    """Runs systems in the event loop; a run takes any number of steps, steps aside, loses the link, or finds
    away what it needs."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def run(self, system: SystemType, given: Mapping[str, Any], place: Place, call: Call) -> Any:
        """See :class:`cim.world.runner.Runner`."""
        await self._network.take_time()
        fate = self._network.fate(RUNNING)
        if fate == "run loses the link":
            raise LinkLost("no content")
        if fate == "run finds it away":
            raise Unavailable("not there now")
        if fate == "run steps aside":
            place.leave()
            await self._network.take_time()
        return await system.function(**given) if system.waits else system.function(**given)


RESTED = 10
"""Looks in a row at which a machine must be at rest: what a process says of its position it writes when it
has had nothing to do for a while, which is no time at all by a clock that jumps."""


class SlowSnapshots(MemorySnapshots):
    """A store of snapshots as a disk is: keeping takes time, and may come to nothing."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    async def keep(
        self, make: Callable[[], Snapshot], ids: Sequence[tuple[str, int]], behind: str | None
    ) -> bool:
        """See :class:`cim.ports.snapshots.Snapshots`."""
        await self._network.take_time()
        fate = self._network.fate(KEEPING)
        kept = fate != "snapshot is not kept" and await super().keep(make, ids, behind)
        if fate == "snapshots are thrown away":
            self._kept.clear()
        await self._network.take_time()
        return kept


def _heard(text: str) -> None:
    """What an index tells is nobody's trouble: it is made anew, or written later."""


class Process:
    """One process of the machine, wired as a leaf would: world, actors, writer, schedule, expiry and reactor.

    The host's ``clock`` goes on when a process ends and another begins. One process ``delivers``. The world
    of one with an ``index`` begins where the one before it left that.
    """

    def __init__(
        self,
        store: Log,
        network: Network,
        snapshots: Snapshots,
        clock: HandClock,
        delivers: bool,
        composition: Composition = COMPOSITION,
        index: Index | None = None,
    ) -> None:
        self.log = FaultyLog(store, network)
        self.clock, self.delivers = clock, delivers
        self._network, self._index = network, index
        # A cache of one, written by twos: nearly everything that is asked for is read from the index.
        pending = Pending(composition.processes)
        rows = PendingRows(pending)
        self._indexed = (
            None if index is None else IndexedEntities(index, composition, _heard, 1, 2, beside=rows)
        )
        self.composition = composition
        self.world = World(composition, history=self._history, entities=self._indexed)
        keeping = Keeping(snapshots, lambda text: None, every=3, parting=2)
        # What goes alone, and what together: any two that are under way at once.
        log = Grouped(self.log, line=1, enough=2)
        self.actors = Actors(composition, log, clock, "cim:simulated", warm=2, keeping=keeping)
        writer = Writer(self.world, log, clock, "cim:simulated", lambda text: None)
        self.schedule = Schedule(self.world, writer, composition.systems, Runs(network), clock, 2)
        self.expiry = Expiry(
            self.world, log, clock, "cim:simulated", composition.components, lambda text: None
        )
        self.reactor = Reactor(
            pending,
            log,
            clock,
            "cim:simulated",
            lambda text: None,
            delivers=delivers,
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lasting = (
            self.spawn(self._follow()),
            self.spawn(self.schedule.run()),
            self.spawn(self.reactor.run(self.actors)),
            self.spawn(self.expiry.run()),
        )

    async def _history(self, ref: Ref) -> list[Commit]:
        return await outlast(lambda: history(self.log, ref), self.clock)

    async def _follow(self) -> None:
        """Take in the log: from its beginning, or where the index stands."""
        entities, index = self._indexed, self._index
        if entities is not None and index is not None:
            await outlast(lambda: go_on(self.world, entities, index, self.log, 0, _heard), self.clock)
            self._network.faults["a world goes on from its index"] += self.world.sequence > 0
        await consume(self.log, self.clock, self.world.sequence, self._take)

    async def _take(self, batch: list[Commit]) -> None:
        await self.world.take(batch)
        await self.reactor.take(batch)
        await self.world.keep()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Work that dies with this process."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def crash(self) -> None:
        """End it where it is: the link is dead before anything of it can clean up."""
        self.log.end()
        ending = [*self._lasting, *self._tasks]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def settled(self, last: int) -> bool:
        """Whether it holds everything up to ``last`` and has nothing left to do."""
        if self.world.sequence != last or self.schedule.left or not self.world.caught_up:
            return False
        if not self.reactor.is_idle or any(not one.is_quiet for _, one in self.reactor.pending.instances()):
            return False
        if self.expiry.pending:
            return False
        entities = [entity async for entity in self.world.entities.each()]
        find, systems = self.world.entities.at_hand, self.composition.systems
        return not any(is_due(system, entity, find) for entity in entities for system in systems)

    def trouble(self) -> str | None:
        """What ended a part of it that never ends."""
        for task in self._lasting:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return f"a process ended: {task.exception()!r}"
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client heard of a command, and the log's length when it last asked and when it heard."""

    asked: Asked
    outcome: Receipt | Rejection
    since: int
    until: int


class Machine:
    """Processes over one store, and all that was told to those who asked. Those that begin from now on have
    the modules of ``composition``.

    ``answers`` are in the order in which they came; ``appended`` are the commits that plain appends
    were told of; ``delivered`` counts how often each command, by id and digest, came to a process;
    ``parked`` are the jars that another program wrote on; ``troubles`` are the errors that no part of a
    machine may end with.
    """

    def __init__(
        self,
        chance: random.Random,
        processes: int = 2,
        composition: Composition = COMPOSITION,
        stores: Sequence[Log] = (),
    ) -> None:
        self.chance, self.network = chance, Network(chance)
        # One log: in memory, or that of a server, to which each process has a connection of its own.
        self._stores = stores or [MemoryLog()] * processes
        self.store = self._stores[0]
        self.composition = composition
        # What a process kept is there after it was killed, and one may find another's.
        shared = SlowSnapshots(self.network)
        alone = chance.random() < 0.5
        self._snapshots = [SlowSnapshots(self.network) if alone else shared for _ in range(processes)]
        # One half keeps its world in an index, so that both ways to hold it live the same lives.
        self._indexes = [None if place % 2 else SlowIndex(self.network) for place in range(processes)]
        self.processes = [
            Process(
                self._stores[place],
                self.network,
                one,
                HandClock(jumps=True),
                place == 0,
                composition,
                self._indexes[place],
            )
            for place, one in enumerate(self._snapshots)
        ]
        self.answers: list[Answer] = []
        self.appended: list[tuple[str, Commit]] = []
        self.delivered: Counter[tuple[str, str]] = Counter()
        self.parked: set[str] = set()
        self.troubles: list[str] = []
        self.crashes = 0

    def process(self) -> Process:
        """Any of the processes."""
        return self.chance.choice(self.processes)

    async def crash(self, place: int) -> None:
        """Kill one process and start another in its place some time later."""
        self.crashes += 1
        if found := self.processes[place].trouble():
            self.troubles.append(found)
        dead = self.processes[place]
        await dead.crash()
        index = self._indexes[place]
        if index is not None:
            index.cut()
        await self.network.take_time()
        self.processes[place] = Process(
            self._stores[place],
            self.network,
            self._snapshots[place],
            dead.clock,
            dead.delivers,
            self.composition,
            index,
        )

    async def send(self, asked: Asked) -> None:
        """Ask until there is an answer, of any process, under the same id."""
        while not self.troubles:
            since = await self.store.last()
            outcome = await self._once(asked)
            if outcome is not None:
                self.answers.append(Answer(asked, outcome, since, await self.store.last()))
                return

    async def _once(self, asked: Asked) -> Receipt | Rejection | None:
        """Ask once: what was heard in time."""
        fate = self.network.fate(ASKING)
        await self.network.take_time()
        if fate == "command lost":
            return None
        task = self._deliver(asked)
        if fate == "command doubled":
            self.network.later(partial(self._again, asked))
        for _ in range(PATIENCE):
            if task.done():
                break
            await asyncio.sleep(0)
        heard = task.done() and not task.cancelled() and task.exception() is None
        return task.result() if heard and fate != "command's answer lost" else None

    def _deliver(self, asked: Asked) -> asyncio.Task[Any]:
        self.delivered[asked.origin.id, asked.digest] += 1
        process = self.process()
        task = process.spawn(process.actors.handle(asked))
        task.add_done_callback(partial(self._judge, asked))
        return task

    async def _again(self, asked: Asked) -> None:
        """The second arrival of a command that the network doubled: nobody waits for what it says."""
        await asyncio.wait([self._deliver(asked)])

    def _judge(self, asked: Asked, task: asyncio.Task[Any]) -> None:
        """A command may end without an answer when the link is lost or its entity was parked, and in no
        other way."""
        error = None if task.cancelled() else task.exception()
        allowed = (LinkLost, OutcomeUnknown, *([BrokenChain] if asked.ref.id in self.parked else []))
        if error is not None and not isinstance(error, allowed):
            self.troubles.append(f"a command ended with {error!r}")

    async def intrude(self, jar: str) -> None:
        """Another program writes on a jar's subject what no machine writes: it is parked from here on."""
        self.parked.add(jar)
        assert isinstance(self.store, MemoryLog), "another program writes in memory only"
        await self.store.intrude(Ref("jars", "Jar", jar).events, {"from": "elsewhere"}, b"{not our JSON")

    async def append(self, subject: str, ids: list[str]) -> None:
        """Append one commit of each id to a subject that others append to as well, with the bare routine."""
        head = Head()
        left = list(reversed(ids))
        while left and not self.troubles:
            process = self.process()
            try:
                outcome = await append(process.log, process.clock, _page(subject, left[-1]), head)
                head = head.advance(outcome.commit)
            except (LinkLost, OutcomeUnknown):
                continue
            except CimError as error:
                self.troubles.append(f"an append ended with {error!r}")
                return
            if isinstance(outcome, Appended):
                self.appended.append((left.pop(), outcome.commit))

    async def settle(self, waited: list[asyncio.Task[Any]], limit: int) -> None:
        """Calm the network and wait until nothing is left to do; a machine that never rests is in trouble."""
        self.network.calm = True
        rested = 0
        for _ in range(limit):
            self.troubles += [found for process in self.processes if (found := process.trouble())]
            if self.troubles or rested == RESTED:
                break
            last = await self.store.last()
            over = self.network.is_empty and all(task.done() for task in waited)
            at_rest = over and all([await process.settled(last) for process in self.processes])
            rested = rested + 1 if at_rest else 0
            await steps(3)
        else:
            self.troubles.append(f"not at rest after {limit} rounds of a calm network")
        for task in waited:
            task.cancel()
        ended = await asyncio.gather(*waited, return_exceptions=True)
        self.troubles += [f"a client ended with {end!r}" for end in ended if isinstance(end, Exception)]

    async def stop(self) -> None:
        """End all of it."""
        for process in self.processes:
            await process.crash()

"""Keeping the processes of a composition at work: reactions, deliveries and timers, each with one effect.

What is to be done comes from :class:`cim.processes.pending.Pending`, and nothing is done before the end of
the log was reached once: a replay is silent. One instance does one thing at a time, in the log's order;
others go on beside it. A reaction is appended behind the newest commit of its instance that the fold has
taken in, so that of two workers one writes it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial

from cim.actors.actors import Actors
from cim.contract.envelope import Commit
from cim.log.append import OutcomeUnknown
from cim.log.backoff import delays
from cim.log.sealing import Sealing
from cim.log.waking import sleep_or, until_moment
from cim.ports.clock import Clock
from cim.ports.log import LinkLost, Log
from cim.processes.instance import Instance
from cim.processes.instances import Instances
from cim.processes.pending import Errand, Key, Pending, Trigger, Work
from cim.processes.position import Positions
from cim.processes.worker import Worker, cause_of

AT_ONCE = 64
"""How many instances are at work side by side."""

SETTLE_AFTER, SETTLE_AT = 3600.0, 1000
"""Seconds, and triggers, after which it is written down that nothing followed from them."""


class Reactor:
    """Runs policies and processes on a log that :meth:`take` is given, from where ``pending`` is in it.

    ``delivers`` says whether it hands commands to their entities: one reactor of a machine does, because what
    an entity rejects leaves no trace there and might be granted to another that asks later.
    """

    def __init__(
        self,
        pending: Pending,
        log: Log,
        clock: Clock,
        source: str,
        trouble: Callable[[str], None],
        sealing: Sealing | None = None,
        *,
        delivers: bool = True,
    ) -> None:
        self.pending = pending
        self._clock, self._trouble, self._delivers = clock, trouble, delivers
        self._positions = Positions(self.pending, log, clock, source)
        sealing = sealing or Sealing()
        self._worker = Worker(log, clock, source, sealing, self.reached)
        self._caught_up = self._begun = False
        self._tasks: asyncio.TaskGroup | None = None
        self._at_work: set[Key] = set()
        self._touched: set[Key] = set()
        self._instances = Instances(log, sealing, self._at_work)
        self._tried: dict[Key, str] = {}
        self._unanswered: defaultdict[str, set[Key]] = defaultdict(set)
        self._silent = 0
        self._free = asyncio.Semaphore(AT_ONCE)
        self._progress = asyncio.Condition()
        self._sooner, self._quiet, self._full = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def take(self, batch: list[Commit]) -> None:
        """Take in commits from the consumer loop; an empty batch says that the end was reached."""
        for commit in batch:
            touched = self.pending.apply(commit)
            self._instances.saw(commit)
            for key in self._unanswered.pop(commit.subject, ()):
                self._tried.pop(key, None)
                touched.add(key)
            for key in touched:
                self._wake(key)
        self._caught_up = self._caught_up or not batch
        self._sooner.set()
        await self._tell()

    async def run(self, actors: Actors) -> None:
        """Do what is to be done until cancelled; commands go to ``actors``."""
        self._worker.actors = actors
        await self._until(lambda: self._caught_up)
        for kind in self.pending.kinds.values():
            while kind.takes != frozenset(kind.type.takes):
                await self._say(partial(self._positions.begin, kind))
        async with asyncio.TaskGroup() as self._tasks:
            for key, _ in list(self.pending.instances()):
                if isinstance(self._next(key), Trigger | Errand):  # timers come in the order of their times
                    self._wake(key)
            self._begun = True
            await self._tell()
            self._tasks.create_task(self._settling())
            await self._ticking()

    async def begun(self) -> None:
        """Wait until every event from now on is taken."""
        await self._until(lambda: self._begun)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do here now; timers may be set."""
        return not self.pending.kinds or (self._begun and not self._at_work)

    async def idle(self) -> None:
        """Wait until nothing is left to do here now; timers may be set."""
        await self._until(lambda: self.is_idle)

    async def reached(self, sequence: int) -> None:
        """Wait until everything up to ``sequence`` is taken in."""
        await self._until(lambda: self.pending.sequence >= sequence)

    def forget(self) -> None:
        """Let go of what instances know: somebody was erased, and is read as that from now on."""
        self._instances.forget()

    async def settle(self) -> None:
        """Write down up to where nothing is left to do."""
        self._silent = 0
        for kind in self.pending.kinds.values():
            await self._say(partial(self._positions.settle, kind))
            if self.pending.settled(kind) is not None:
                self._quiet.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with self._progress:
            await self._progress.wait_for(holds)

    async def _tell(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    def _wake(self, key: Key) -> None:
        if self._tasks is None:
            return
        self._touched.add(key)
        if key not in self._at_work:
            self._at_work.add(key)
            self._tasks.create_task(self._work(key))

    async def _work(self, key: Key) -> None:
        async with self._free:
            waits = delays()
            while key in self._touched:
                self._touched.discard(key)
                try:
                    if await self._one(key):
                        self._touched.add(key)
                        # Where one thing leads to the next without an end, all others go on.
                        await asyncio.sleep(0)
                    waits = delays()
                except (LinkLost, OutcomeUnknown) as lost:
                    self._touched.add(key)
                    if isinstance(lost, OutcomeUnknown):
                        self._trouble(str(lost))
                    await self._clock.sleep(next(waits))
        self._at_work.discard(key)
        # What is held is woken by what frees it: its timers, due or not, are looked at then.
        if not self._is_held(key):
            self.pending.watch(key)
            self._sooner.set()
        await self._tell()

    async def _one(self, key: Key) -> bool:
        """Do one thing; whether there may be another."""
        if self._next(key) is None:
            return False
        kind = self.pending.kinds[key[0]]
        instance = await self._instances.get(kind.type, key)
        if instance is None:
            self._trouble(f"{kind.type.ref(key[1])} is stopped: {self._instances.unreadable[key]}")
            return False
        # What its own history has answered already is no longer pending once the fold is there.
        await self.reached(instance.head.sequence)
        work = self._next(key)
        if work is not None and self._instances.is_current(key, instance):
            await self._do(key, instance, work)
        return work is not None

    async def _do(self, key: Key, instance: Instance, work: Work) -> None:
        asked = work.order.subject if isinstance(work, Errand) else None
        if asked is not None:
            self._unanswered[asked].add(key)
        try:
            if not await self._worker.do(instance, work) and isinstance(work, Trigger):
                self._keep_quiet(work)
            self._answered(asked, key)
        except (LinkLost, OutcomeUnknown):
            raise
        except Exception as error:  # whatever it is stops this instance alone
            waiting = self.pending.waiting(key)
            before = waiting.stop if waiting is not None else None
            cause = cause_of(error, instance.kind)
            stop = await self._worker.stop(instance, work, cause, before)
            self._trouble(f"{instance.ref} is stopped: {cause}")
            # What came on the subject of the entity that gave no answer may let it give one.
            if asked is None or key in self._unanswered.get(asked, ()):
                self._tried[key] = stop

    def _answered(self, subject: str | None, key: Key) -> None:
        if subject is not None and subject in self._unanswered:
            self._unanswered[subject].discard(key)
            if not self._unanswered[subject]:
                del self._unanswered[subject]

    def _next(self, key: Key) -> Work | None:
        """What an instance can do now."""
        waiting = self.pending.waiting(key)
        return None if waiting is None or self._is_held(key) else waiting.next(self._clock.now())

    def _is_held(self, key: Key) -> bool:
        """Whether it is for somebody else to let the instance go on."""
        waiting = self.pending.waiting(key)
        if waiting is None or key in self._instances.unreadable:
            return waiting is not None
        if waiting.stop is not None and self._tried.get(key) == waiting.stop.commit.id:
            return True
        return bool(waiting.errands) and not self._delivers

    def _keep_quiet(self, trigger: Trigger) -> None:
        """Nothing followed: that is written down for many at once."""
        trigger.silent = True
        self._silent += 1
        self._quiet.set()
        if self._silent >= SETTLE_AT:
            self._full.set()

    async def _ticking(self) -> None:
        """Wake the instances whose timers are due, by the clock as it stands."""
        while True:
            self._sooner.clear()
            for key in list(self.pending.watched.pop(self._clock.now())):
                self._wake(key)
            await until_moment(self._clock, self.pending.watched.first, self._sooner)

    async def _settling(self) -> None:
        while True:
            await self._quiet.wait()
            await sleep_or(self._clock, SETTLE_AFTER, self._full)
            self._quiet.clear()
            self._full.clear()
            await self.settle()

    async def _say(self, say: Callable[[], Awaitable[int]]) -> None:
        """Write about a kind, tried again while the log gives no answer."""
        for delay in delays():
            try:
                await self.reached(await say())
            except (LinkLost, OutcomeUnknown):
                await self._clock.sleep(delay)
            else:
                return

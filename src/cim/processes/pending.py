"""What is left to do for each process, as a pure fold of the log.

A trigger stands in the log before the reaction that answers it, so that what has none is what is left: after
a crash, on another host, at any time. There is no acknowledgement to lose. What waits for nothing takes no
memory: an instance that has no trigger, no command under way and no timer is let go.

The same piece of work has the same id everywhere, and the commit that answers it has that id.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.process import ITSELF, ProcessType
from cim.contract.shapes import Shapes, UnknownShape, known_shapes
from cim.contract.stranger import Stranger
from cim.contract.subjects import BadToken, Ref, parse_stored
from cim.log.chain import Head
from cim.log.release import released
from cim.log.waking import Watched
from cim.processes.step import (
    Asks,
    Cancels,
    Reacted,
    Refused,
    Sets,
    Settled,
    Step,
    Stopped,
    Takes,
    Woke,
    is_step,
    made_id,
    moment,
    read_step,
    timer_key,
)

Key: TypeAlias = tuple[str, str]
"""An instance: the full name of its kind, and its id."""


@dataclass(slots=True)
class Trigger:
    """A commit with events that an instance takes: those at these places of its body, still unread.

    ``silent`` is no fact of the log: nothing followed from it here, and no commit says so yet.
    """

    id: str
    commit: Commit
    places: tuple[int, ...]
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Errand:
    """A command that was asked for and has no answer. ``id`` is its refusal's, ``order`` has its own."""

    id: str
    order: Asks
    origin: Origin


@dataclass(frozen=True, slots=True)
class Alarm:
    """A timer that is set. ``origin`` is that of the reaction that set it."""

    id: str
    order: Sets
    due: datetime
    origin: Origin


Work: TypeAlias = Trigger | Errand | Alarm


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an instance stands still, and why; its commit is what a release names."""

    commit: Commit
    work: str
    cause: str


@dataclass(slots=True)
class Waiting:
    """What one instance has to do."""

    triggers: deque[Trigger] = field(default_factory=deque)
    errands: dict[str, Errand] = field(default_factory=dict)
    alarms: dict[tuple[str, bytes], Alarm] = field(default_factory=dict)
    stop: Stop | None = None

    @property
    def is_over(self) -> bool:
        """Whether it waits for nothing."""
        return not (self.triggers or self.errands or self.alarms)

    @property
    def is_quiet(self) -> bool:
        """Whether all that it waits for is to be written down that nothing follows."""
        return not (self.errands or self.alarms or self.stop) and all(one.silent for one in self.triggers)

    def next(self, now: datetime) -> Work | None:
        """What to do first: to deliver what was asked for, then to react in the log's order, then to wake."""
        if self.stop is not None:
            return next(one for one in self.works() if one.id == self.stop.work)
        for errand in self.errands.values():
            return errand
        for trigger in self.triggers:
            if not trigger.silent:
                return trigger
        first = self.first_alarm()
        return first if first is not None and first.due <= now else None

    def first_alarm(self) -> Alarm | None:
        """The timer that is due first; of those of one time the one that was set first."""
        return min(self.alarms.values(), key=lambda alarm: alarm.due, default=None)

    def works(self) -> Iterator[Work]:
        """All of it, in no order."""
        yield from self.errands.values()
        yield from self.triggers
        yield from self.alarms.values()

    def drop(self, work: str) -> None:
        """Take out the work of this id; with a trigger those before it: an instance keeps their order."""
        if any(one.id == work for one in self.triggers):
            while self.triggers.popleft().id != work:
                pass
        for errand in [one for one in self.errands.values() if one.id == work]:
            del self.errands[errand.order.id]
        for key in [key for key, alarm in self.alarms.items() if alarm.id == work]:
            del self.alarms[key]
        if self.stop is not None and all(one.id != self.stop.work for one in self.works()):
            self.stop = None


@dataclass(slots=True)
class Kind:
    """A kind of process, the events that it takes at this place of the log, and its own subject's head."""

    type: ProcessType
    takes: frozenset[str] | None = None
    head: Head = field(default_factory=Head)
    instances: dict[str, Waiting] = field(default_factory=dict)


class Pending:
    """Folds commits, in the log's order, into what is left to do. ``sequence`` is the newest taken in."""

    def __init__(self, kinds: Iterable[ProcessType]) -> None:
        self.kinds = {str(kind): Kind(kind) for kind in kinds}
        self.sequence = 0
        self._takers: defaultdict[tuple[str, str], list[Kind]] = defaultdict(list)
        for kind in self.kinds.values():
            for source in kind.type.sources:
                self._takers[source].append(kind)
        self._asked: dict[str, tuple[str, Key]] = {}
        # Told of each instance of which anything changed, and of what is true of all of a kind.
        self.touched: Callable[[Key], object] = _nobody
        self.watched = Watched[Key]()

    def waiting(self, key: Key) -> Waiting | None:
        """What an instance has to do; None where that is nothing."""
        return self.kinds[key[0]].instances.get(key[1])

    def instances(self) -> Iterator[tuple[Key, Waiting]]:
        """Every instance that waits for something."""
        for name, kind in self.kinds.items():
            for id, waiting in kind.instances.items():
                yield (name, id), waiting

    def apply(self, commit: Commit) -> set[Key]:
        """Take in the next commit; the instances that have something else to do after it."""
        self.sequence = max(self.sequence, commit.sequence)
        if not self.kinds:
            return set()
        try:
            ref, owner = parse_stored(commit.subject)
        except BadToken:  # a subject outside the grammar speaks of no entity
            return set()
        if owner is not None or isinstance(commit, Stranger):
            return set()
        own = self.kinds.get(f"{ref.context}.{ref.entity}")
        if own is not None:
            own_key = self._take_own(own, ref, commit)
            self.touched(own_key)
            return {own_key} if ref.id != ITSELF else set()
        changed = {*self._granted(commit), *self._triggered(ref, commit)}
        for key in changed:
            self.touched(key)
        return changed

    def take_up(self, key: Key, waiting: Waiting) -> None:
        """Know what an instance waits for from elsewhere than the log's fold, where it was the same."""
        self.kinds[key[0]].instances[key[1]] = waiting
        for id, errand in waiting.errands.items():
            self._asked[id] = errand.order.subject, key
        self.watch(key)

    def watch(self, key: Key) -> None:
        """Have :attr:`watched` tell of the instance when its first timer is due."""
        waiting = self.waiting(key)
        first = waiting.first_alarm() if waiting is not None else None
        if first is not None:
            self.watched.watch(key, first.due)

    def settled(self, kind: Kind) -> Commit | None:
        """The last commit up to which nothing is left to do for a kind but what no commit says yet."""
        going = [one for one in kind.instances.values() if one.stop is None]
        left = [one.commit.sequence for w in going for one in w.triggers if not one.silent]
        before = min(left, default=self.sequence + 1)
        silent = (one.commit for w in going for one in w.triggers if one.silent)
        past = (commit for commit in silent if commit.sequence < before)
        return max(past, key=lambda commit: commit.sequence, default=None)

    def _triggered(self, ref: Ref, commit: Commit) -> Iterator[Key]:
        takers = [kind for kind in self._takers.get((ref.context, ref.entity), ()) if kind.takes]
        if not takers:
            return
        try:
            items = codec.decode(commit.body)
            found = [(kind, _triggers(kind, ref, commit, items)) for kind in takers]
        except (codec.BadBody, UnknownShape):  # it stops its entity, as the world says
            return
        for kind, triggers in found:
            for id, trigger in triggers.items():
                kind.instances.setdefault(id, Waiting()).triggers.append(trigger)
                yield str(kind.type), id

    def _granted(self, commit: Commit) -> Iterator[Key]:
        """The entity's commit is the answer to the command whose id it has."""
        subject, key = self._asked.get(commit.id, ("", ("", "")))
        waiting = self.waiting(key) if subject == commit.subject else None
        if waiting is not None and commit.id in waiting.errands:
            waiting.drop(waiting.errands[commit.id].id)
            del self._asked[commit.id]
            self._tidy(key)
            yield key

    def _take_own(self, kind: Kind, ref: Ref, commit: Commit) -> Key:
        key = (str(kind.type), ref.id)
        if ref.id == ITSELF:
            kind.head = kind.head.past(commit)
        waiting = kind.instances.setdefault(ref.id, Waiting())
        try:
            said = released(commit)
            if said is not None:
                stop = waiting.stop
                if stop is not None and stop.commit.digest == said.digest:
                    self._drop(waiting, stop.work)
            elif is_step(commit):
                self._take_step(kind, key, waiting, commit, read_step(commit))
        except codec.BadBody:  # the instance cannot read its own history, and says so when it is to go on
            pass
        self._tidy(key)
        return key

    def _take_step(self, kind: Kind, key: Key, waiting: Waiting, commit: Commit, step: Step) -> None:
        match step.cause:
            case Takes(events):
                kind.takes = frozenset(events)
            case Settled(subject, number, id):
                for name in _settle(kind, subject, number, id):
                    self.touched((str(kind.type), name))
            case Stopped(work, cause):
                waiting.stop = Stop(commit, work, cause)
            case Reacted() | Woke() | Refused():
                self._drop(waiting, commit.id)
        for order in step.orders:
            match order:
                case Asks(id):
                    waiting.errands[id] = Errand(made_id("refusal", id), order, commit.origin)
                    self._asked[id] = order.subject, key
                case Sets(timer, data, due):
                    alarm = Alarm(
                        made_id("timer", commit.id, *timer_key(timer, data)),
                        order,
                        moment(due),
                        commit.origin,
                    )
                    waiting.alarms.pop(timer_key(timer, data), None)
                    waiting.alarms[timer_key(timer, data)] = alarm
                case Cancels(timer, data):
                    waiting.alarms.pop(timer_key(timer, data), None)
        self.watch(key)

    def _drop(self, waiting: Waiting, work: str) -> None:
        before = set(waiting.errands)
        waiting.drop(work)
        for id in before - waiting.errands.keys():
            del self._asked[id]

    def _tidy(self, key: Key) -> None:
        instances = self.kinds[key[0]].instances
        waiting = instances.get(key[1])
        if waiting is not None and waiting.is_over:
            del instances[key[1]]


def _triggers(kind: Kind, ref: Ref, commit: Commit, items: list[codec.Item]) -> dict[str, Trigger]:
    """What the instances of a kind have to react to in a commit, each to its own events in their order."""
    places: dict[str, dict[int, None]] = {}
    events = kind.type.sources[ref.context, ref.entity]
    shapes = known_shapes(tuple(events.values()))
    for place, one in enumerate(items):
        for name, data in _plain(shapes, one):
            if name in events and f"{ref.context}.{ref.entity}.{name}" in (kind.takes or ()):
                places.setdefault(kind.type.instance(ref, data), {})[place] = None
    return {
        id: Trigger(made_id(kind.type, id, commit.subject, commit.number, commit.id), commit, tuple(found))
        for id, found in places.items()
    }


def _plain(shapes: Shapes, item: codec.Item) -> Iterable[tuple[str, Any]]:
    """What an item holds in present shapes; a former one that is sealed stands for what it becomes: what
    names an instance is not personal."""
    try:
        return [(name, data) for name, data in shapes.plain(item) if data is not None]
    except codec.BadBody:
        return [(name, item.data) for name in shapes.becomes(item)]


def _nobody(key: Key) -> None:
    """Nobody wants to know what changed."""


def _settle(kind: Kind, subject: str, number: int, id: str) -> list[str]:
    """Let go of every trigger up to a commit, but for those of instances that are stopped; the ids of those
    that had some."""
    said = (subject, number, id)
    places = (
        one.commit.sequence
        for waiting in kind.instances.values()
        for one in waiting.triggers
        if (one.commit.subject, one.commit.number, one.commit.id) == said
    )
    last, settled = next(places, 0), list[str]()
    for name, waiting in list(kind.instances.items()):
        if waiting.stop is None and waiting.triggers and waiting.triggers[0].commit.sequence <= last:
            while waiting.triggers and waiting.triggers[0].commit.sequence <= last:
                waiting.triggers.popleft()
            if waiting.is_over:
                del kind.instances[name]
            settled.append(name)
    return settled

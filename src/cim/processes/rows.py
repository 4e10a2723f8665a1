"""What processes wait for as rows of the world's index, so that a start need not read all of the log for it.

A row for each trigger, and one for all else of an instance: of one that stands still while thousands of
events come, each is written once. Bodies stay as they stand in the log, what is personal in them sealed.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

import msgspec

from cim.contract import codec
from cim.contract.code import functions_of, text_of
from cim.contract.envelope import BadEnvelope, Origin
from cim.contract.kept import Kept, commit_of, keep
from cim.contract.process import ITSELF, ProcessType
from cim.contract.shapes import known_shapes
from cim.log.chain import Head
from cim.ports.index import UNKEPT, IndexRuined, Part
from cim.processes.pending import Alarm, Errand, Key, Kind, Pending, Stop, Trigger, Waiting
from cim.processes.step import Asks, Sets, moment, timer_key

REST = 0
"""The number of the row of an instance that holds all but its triggers; these have their sequences."""


class _Trigger(msgspec.Struct, array_like=True):
    id: str
    commit: Kept
    places: tuple[int, ...]


class _Rest(msgspec.Struct, array_like=True):
    """``takes`` and ``head`` are those of a kind, and in the row of what is true of all its instances."""

    errands: list[tuple[str, Asks, Origin]]
    alarms: list[tuple[str, Sets, Origin]]
    stop: tuple[Kept, str, str] | None
    takes: list[str] | None
    head: Head


_TRIGGER, _REST = msgspec.json.Decoder(_Trigger), msgspec.json.Decoder(_Rest)


class PendingRows:
    """Fulfils :class:`cim.world.beside.Beside` for what processes wait for."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._touched = set[Key]()
        pending.touched = self._touched.add
        # The triggers of which there are rows: those of an instance come at the end and go at the front.
        self._triggers: defaultdict[Key, deque[int]] = defaultdict(deque)
        self.version = _version(kind.type for kind in pending.kinds.values())

    @property
    def sequence(self) -> int:
        """See :class:`cim.world.beside.Beside`."""
        return self._pending.sequence

    def changed(self) -> Mapping[Part, bytes | None]:
        """See :class:`cim.world.beside.Beside`."""
        found: dict[Part, bytes | None] = {}
        for key in self._touched:
            waiting = self._pending.waiting(key)
            kind = self._pending.kinds[key[0]] if key[1] == ITSELF else None
            is_there = waiting is not None or kind is not None
            found[*key, REST] = _rest(waiting or Waiting(), kind) if is_there else None
            found.update(self._moved(key, waiting.triggers if waiting is not None else deque()))
        self._touched.clear()
        return found

    def _moved(self, key: Key, triggers: deque[Trigger]) -> Iterator[tuple[Part, bytes | None]]:
        """The rows of triggers that went and came since the last write."""
        kept = self._triggers[key]
        first = triggers[0].commit.sequence if triggers else self._pending.sequence + 1
        while kept and kept[0] < first:
            yield (*key, kept.popleft()), None
        last = kept[-1] if kept else 0
        new = [*takewhile(lambda one: one.commit.sequence > last, reversed(triggers))]
        for trigger in reversed(new):
            kept.append(trigger.commit.sequence)
            yield (*key, kept[-1]), _written(_Trigger(trigger.id, keep(trigger.commit), trigger.places))
        if not kept:
            del self._triggers[key]

    def go_on(self, sequence: int, parts: Iterable[tuple[Part, bytes]]) -> None:
        """See :class:`cim.world.beside.Beside`."""
        self._pending.sequence = sequence
        if not self._pending.kinds:
            return
        found: defaultdict[Key, Waiting] = defaultdict(Waiting)
        for (name, id, number), body in sorted(parts, key=lambda part: part[0]):
            try:
                if number == REST:
                    self._read_rest(found[name, id], _REST.decode(body), self._pending.kinds[name], id)
                else:
                    said = _TRIGGER.decode(body)
                    found[name, id].triggers.append(Trigger(said.id, commit_of(said.commit), said.places))
                    self._triggers[name, id].append(number)
            except (msgspec.MsgspecError, BadEnvelope, KeyError, ValueError) as error:
                raise IndexRuined(
                    f"{name} {id}: what was kept of what it waits for cannot be read ({error}): start again "
                    f"once the leaf's world.sqlite is removed, it is made anew"
                ) from error
        for key, waiting in found.items():
            if not waiting.is_over:
                self._pending.take_up(key, waiting)

    def _read_rest(self, waiting: Waiting, rest: _Rest, kind: Kind, id: str) -> None:
        for made, asked, origin in rest.errands:
            waiting.errands[asked.id] = Errand(made, asked, origin)
        for made, order, origin in rest.alarms:
            waiting.alarms[timer_key(order.timer, order.data)] = Alarm(made, order, moment(order.due), origin)
        if rest.stop is not None:
            commit, work, cause = rest.stop
            waiting.stop = Stop(commit_of(commit), work, cause)
        if id == ITSELF:
            kind.head, kind.takes = rest.head, None if rest.takes is None else frozenset(rest.takes)


def _rest(waiting: Waiting, kind: Kind | None) -> bytes:
    stop, takes = waiting.stop, None if kind is None else kind.takes
    return _written(
        _Rest(
            [(one.id, one.order, one.origin) for one in waiting.errands.values()],
            [(one.id, one.order, one.origin) for one in waiting.alarms.values()],
            None if stop is None else (keep(stop.commit), stop.work, stop.cause),
            None if takes is None else sorted(takes),
            Head() if kind is None else kind.head,
        )
    )


def _written(row: _Rest | _Trigger) -> bytes:
    try:
        return codec.json_bytes(row)
    except (TypeError, ValueError, OverflowError, RecursionError):  # what another program wrote in its name
        return UNKEPT


def _version(kinds: Iterable[ProcessType]) -> str:
    """A name for all that says which instance takes what; empty where there are none."""
    told: list[str] = []
    for kind in sorted(kinds, key=str):
        events = [event for taken in kind.sources.values() for event in taken.values()]
        told.append(f"{kind} {kind.key} {kind.takes} {known_shapes(tuple(events)).version}")
        for event in events:
            told += text_of(functions_of(event))
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16] if told else ""

"""What one commit of a process says: what it answers, and what it gives.

A body's items are facts of the process under their own names, and these records of the machine's under names
that no class can have: ``cim.Reacted``. A commit begins with what it answers. The content of a command that
is asked for is an item of its own behind ``cim.Asks``, so that what is personal in it is sealed as anywhere.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from cim.contract import codec
from cim.contract.envelope import Commit

STEP = "Reacted"
"""The last part of the type of a process's commits: ``shop.Shipping.Reacted``."""

PREFIX = "cim."


@dataclass(frozen=True, slots=True)
class Reacted:
    """The process reacted to the events of this commit. Sequences change when a history is copied."""

    subject: str
    number: int
    id: str


@dataclass(frozen=True, slots=True)
class Woke:
    """The time of a timer has come: that which the reaction ``set_by`` set for ``due``."""

    timer: str
    data: Any
    due: str
    set_by: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The command of this id was not granted: by whom, and why, which may be sealed."""

    command: str
    by: str
    reason: Any


@dataclass(frozen=True, slots=True)
class Stopped:
    """The instance stands still at this work, by its id (see :mod:`cim.processes.pending`), until it can be
    done or is passed over."""

    work: str
    cause: str


@dataclass(frozen=True, slots=True)
class Takes:
    """From here on the kind takes these events, by full name, and no others."""

    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to do for any trigger up to this commit, but for the instances that are stopped."""

    subject: str
    number: int
    id: str


@dataclass(frozen=True, slots=True)
class Asks:
    """A command to deliver: its id, its full name, the subject of the entity that takes it, its content."""

    id: str
    command: str
    subject: str
    data: Any = None

    @property
    def name(self) -> str:
        """The command's own name, under which its content stands."""
        return self.command.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Sets:
    """A timer, known by its name and value, and when it is due."""

    timer: str
    data: Any
    due: str


@dataclass(frozen=True, slots=True)
class Cancels:
    """The timer of this name and value is no longer set."""

    timer: str
    data: Any


Cause: TypeAlias = Reacted | Woke | Refused | Stopped | Takes | Settled
Order: TypeAlias = Asks | Sets | Cancels

_CAUSES: dict[str, type[Any]] = {
    f"{PREFIX}{kind.__name__}": kind for kind in (Reacted, Woke, Refused, Stopped, Takes, Settled)
}
_ORDERS: dict[str, type[Any]] = {f"{PREFIX}{kind.__name__}": kind for kind in (Asks, Sets, Cancels)}


@dataclass(frozen=True, slots=True)
class Step:
    """A commit of a process, read: what it answers, what it orders, and its facts as they stand there."""

    cause: Cause
    orders: tuple[Order, ...]
    facts: tuple[codec.Item, ...]


def is_step(commit: Commit) -> bool:
    """Whether a commit is one of a process."""
    return commit.type.endswith(f".{STEP}")


def read_step(commit: Commit, body: bytes | None = None) -> Step:
    """What a process's commit says; raises :class:`cim.contract.codec.BadBody`. ``body`` is its body with
    plain values: what is personal stays sealed where it is left out."""
    items = codec.decode(commit.body if body is None else body)
    if not items or items[0].type not in _CAUSES:
        raise codec.BadBody(f"sequence {commit.sequence}: a process's commit begins with what it answers")
    orders: list[Order] = []
    facts: list[codec.Item] = []
    left = iter(items[1:])
    for one in left:
        if one.type not in _ORDERS:
            facts.append(one)
            continue
        order = codec.typed(one.data, _ORDERS[one.type])
        content = next(left, None) if isinstance(order, Asks) else None
        orders.append(order if content is None else replace(order, data=content.data))
    return Step(codec.typed(items[0].data, _CAUSES[items[0].type]), tuple(orders), tuple(facts))


def told(said: Cause | Order) -> str:
    """One of them in words for a person."""
    match said:
        case Reacted(subject, number, _):
            return f"because of {subject} #{number}"
        case Woke(timer, _, due, _):
            return f"because {timer} was due at {due}"
        case Refused(_, by, reason):
            return f"because {by} refused: {reason}"
        case Stopped(_, cause):
            return f"stands still: {cause}"
        case Takes(events):
            return f"takes {', '.join(events)} from here on"
        case Settled(subject, number, _):
            return f"nothing is left to do up to {subject} #{number}"
        case Asks(_, command, subject, _):
            return f"asks {command} of {subject}"
        case Sets(timer, _, due):
            return f"sets {timer} for {due}"
        case Cancels(timer, _):
            return f"cancels {timer}"


def items_of(said: Cause | Order) -> list[codec.Item]:
    """One of these records as items of a body."""
    found = codec.item(said)
    if not isinstance(said, Asks):
        return [codec.Item(f"{PREFIX}{found.type}", 1, found.data)]
    asks = {name: value for name, value in found.data.items() if name != "data"}
    return [codec.Item(f"{PREFIX}{found.type}", 1, asks), codec.Item(said.name, 1, said.data)]


def made_id(*parts: object) -> str:
    """An id that is the same wherever the same thing is made: 32 hex digits."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def moment(text: str) -> datetime:
    """A time as the envelope writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def written(time: datetime) -> str:
    """A moment as the envelope writes it."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def timer_key(timer: str, data: Any) -> tuple[str, bytes]:
    """What a timer is known by."""
    return timer, codec.json_bytes(data)

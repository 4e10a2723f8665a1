"""One entity as the log tells it: state, components, runs of systems, heads of its chains."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.contract.system import STATE
from cim.domain.component import Failed
from cim.domain.message import Event
from cim.domain.state import State
from cim.log.asking import Answered, Proposed
from cim.log.chain import Head

UNREAD = frozenset({Failed.__name__})
"""Components that no system can read: nothing waits until they are gone."""


@dataclass(frozen=True, slots=True)
class Step:
    """A commit by which a component came to be or went: its ``number`` on its subject, which is that of the
    entity's events where ``said`` by a person, and that of the module's components else."""

    number: int
    said: bool

    def named(self, what: str) -> tuple[str, int]:
        """How a run names it among its inputs."""
        return f"{what}/corrected" if self.said else what, self.number


@dataclass(frozen=True, slots=True)
class Gone:
    """A component that was taken away: the last value that it had, and what took it away."""

    cell: "Cell"
    step: Step
    origin: Origin
    sequence: int

    def inputs(self, source: str) -> Iterator[tuple[str, int]]:
        """How a run that is made because ``source`` is gone names that."""
        yield self.step.named(f"{source}/gone")


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person said that outranks what was derived, and the commit that says it."""

    event: Event
    commit: Commit


@dataclass(frozen=True, slots=True)
class Cell:
    """A value and where it came from. ``number`` counts the commits of the subject that wrote it.

    Where a person put it right, ``correction`` is the last that did, and ``derived`` the cell as a
    system wrote it: None where none did. ``came`` is the step by which the entity came to carry it, whatever
    it has become since.
    """

    value: Any
    origin: Origin
    sequence: int
    number: int
    by: str
    time: str
    correction: Correction | None = None
    derived: "Cell | None" = None
    came: "Step | None" = None

    def inputs(self, source: str) -> Iterator[tuple[str, int]]:
        """How a run that is made from this value, under the name ``source``, names it."""
        yield source, self.number
        if self.correction is not None:
            yield f"{source}/corrected", self.correction.commit.number

    def made(self, source: str, inputs: Mapping[str, int]) -> bool:
        """Whether a run with these inputs was made from this very value."""
        return all(inputs.get(name) == number for name, number in self.inputs(source))


@dataclass(frozen=True, slots=True)
class Again:
    """The entry in the log that lets a failed run be made again: its ``number`` counts the commits of the
    subject that it stands on."""

    number: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of a system on an entity: from which inputs, how it ended, in how many milliseconds, by
    which version of the system. ``number`` counts the commits of the subject that records it. ``again`` is
    what lets it be made again, if anything does."""

    system: str
    inputs: Mapping[str, int]
    failed: bool
    cause: str
    took: float
    sequence: int
    version: str
    number: int
    again: Again | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A run that waits for a person: what it wants to do, the origin of the entry that says so, and the
    answer with who gave it, once there is one."""

    proposed: Proposed
    origin: Origin
    answer: Answered | None = None
    by: str = ""


@dataclass(slots=True, weakref_slot=True)
class Entity:
    """All that is known of one entity.

    ``cells`` holds components by their key (``Text``, ``languages.Language``), and the state under
    :data:`cim.contract.system.STATE`. ``corrections`` holds what people put right, by the component's key;
    ``cells`` has it in already. ``first`` and ``sequence`` are those of its first and its last
    commit. ``stopped`` says why the entity no longer follows its history,
    if it does not: an unknown event, a broken chain or a message that no machine wrote stops this entity
    and no other. ``held`` is what came since, the message that stopped it first, and ``passed`` the
    sequences of those in it that are passed over when their turn comes: see :mod:`cim.log.release`.
    ``waits`` are the runs that ask a person first, by their systems.
    ``is_personal`` says whether anything personal was opened for it, erased or not.
    """

    ref: Ref
    state: State | None
    cells: dict[str, Cell] = field(default_factory=dict)
    gone: dict[str, Gone] = field(default_factory=dict)
    corrections: dict[str, list[Correction]] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    first: int = 0
    sequence: int = 0
    stopped: str | None = None
    held: list[Commit] = field(default_factory=list)
    passed: set[int] = field(default_factory=set)
    waits: dict[str, Wait] = field(default_factory=dict)
    is_personal: bool = False

    @property
    def name(self) -> str:
        """The entity for a person; the bare subject where that speaks of none."""
        return str(self.ref) if self.ref.context else self.ref.id

    @property
    def exists(self) -> bool:
        """Whether its own history has begun."""
        return STATE in self.cells

    @property
    def failures(self) -> list[Run]:
        """The systems whose last run on this entity failed."""
        return [run for run in self.runs.values() if run.failed]

    def carry(self, key: str, found: Cell, step: Step) -> None:
        """Carry a value from now on."""
        before = self.cells.get(key)
        self.cells[key] = replace(found, came=step if before is None else before.came)
        self.gone.pop(key, None)

    def lose(self, key: str, commit: Commit, step: Step) -> None:
        """Carry a value no more; what is not carried cannot be lost."""
        before = self.cells.pop(key, None)
        if before is not None and key.rpartition(".")[2] not in UNREAD:
            self.gone[key] = Gone(before, step, commit.origin, commit.sequence)

    def forget(self, state: State | None) -> None:
        """Begin anew with this state, as if nothing had been taken in yet."""
        new = Entity(self.ref, state)
        for one in fields(new):
            setattr(self, one.name, getattr(new, one.name))

    def shown(self) -> dict[str, Any]:
        """The entity as ``cim show`` prints it: the shape is kept stable."""
        components = {key: _shown(cell) for key, cell in self.cells.items() if key != STATE}
        state = codec.plain(self.state) if self.state is not None else None
        found = {"id": self.ref.id, "sequence": self.sequence, "state": state, "components": components}
        return found if self.stopped is None else {**found, "stopped": self.stopped}

    def known(self) -> dict[str, Any]:
        """All that decides what the entity is and what is done on it next, as plain data."""
        return {
            **self.shown(),
            "came": {key: (cell.number, cell.came) for key, cell in self.cells.items()},
            "gone": {key: (one.cell.value, one.step) for key, one in self.gone.items()},
            "runs": {key: (run.inputs, run.failed, run.cause, run.version) for key, run in self.runs.items()},
            "again": {key: run.again.number for key, run in self.runs.items() if run.again is not None},
            "words": {key: [one.commit.sequence for one in said] for key, said in self.corrections.items()},
            "heads": {subject: head.number for subject, head in self.heads.items()},
            "held": [commit.sequence for commit in self.held],
            "waits": {key: (one.proposed, one.answer, one.by) for key, one in self.waits.items()},
        }


def _shown(cell: Cell) -> dict[str, Any]:
    found = {"value": cell.value, "sequence": cell.sequence, "by": cell.by, "time": cell.time}
    if cell.correction is None:
        return found
    commit, derived = cell.correction.commit, cell.derived.value if cell.derived is not None else None
    return {**found, "corrected": {"by": commit.origin.owner, "time": commit.time, "derived": derived}}


def cell(value: Any, commit: Commit, by: str) -> Cell:
    """A value as a commit brought it."""
    return Cell(value, commit.origin, commit.sequence, commit.number, by, commit.time)

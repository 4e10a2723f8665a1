"""What there is to do, as a pure function of the world.

A system is due on an entity when the entity matches its query and the last run that the log records
was made from other inputs. So there is no cursor to lose: after a crash, for a module that joins a
year later, and for a worker beside another, the same question gives what is left to do. The form is
the level-triggered reconciliation that Kubernetes' controllers made known.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cim.contract import codec
from cim.contract.envelope import Origin
from cim.contract.system import STATE, Read, SystemType
from cim.world.entity import Cell, Entity

RETRY = "retry"
"""The name under which the entry that lets a run be made again stands among its inputs."""


@dataclass(frozen=True, slots=True)
class Call:
    """One run to make: the system, and which values of the entity it is made from.

    ``inputs`` names each value by the number of its commit, and under :data:`RETRY` the entry that lets a
    failed run be made again; ``cause`` is the origin of that, or of the newest value; ``id`` is the same
    wherever this run is made.
    """

    system: SystemType
    entity: Entity
    inputs: Mapping[str, int]
    cause: Origin
    id: str


def is_due(system: SystemType, entity: Entity) -> bool:
    """Whether the system has something to do on the entity."""
    if (entity.ref.context, entity.ref.entity) != system.of or entity.stopped is not None:
        return False
    if not entity.exists or not all(_matches(read, entity) for read in system.reads):
        return False
    run = entity.runs.get(str(system))
    if run is None or run.again is not None:
        return True
    return any(not entity.cells[source].made(source, run.inputs) for source in system.triggers)


def call(system: SystemType, entity: Entity) -> Call | None:
    """The run that is due now, or None."""
    if not is_due(system, entity):
        return None
    used = {read.source: entity.cells[read.source] for read in system.reads if read.source in entity.cells}
    inputs = {name: number for source, cell in used.items() for name, number in cell.inputs(source)}
    cause = max(used.values(), key=lambda cell: cell.sequence).origin
    run = entity.runs.get(str(system))
    if run is not None and run.again is not None:
        inputs[RETRY], cause = run.again.number, run.again.origin
    return Call(system, entity, inputs, cause, run_id(system, entity, inputs))


def arguments(call: Call) -> dict[str, Any]:
    """The values for a run's parameters, as the entity holds them now.

    Raises :class:`cim.contract.codec.BadBody` when a component in the log no longer has the shape that
    the system reads.
    """
    return {read.parameter: _value(read, call.entity) for read in call.system.reads}


def run_id(system: SystemType, entity: Entity, inputs: Mapping[str, int]) -> str:
    """The id of a run: made from system, entity and inputs, so that the same run has the same id."""
    text = f"{system} {entity.ref} {sorted(inputs.items())}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _matches(read: Read, entity: Entity) -> bool:
    present = read.source in entity.cells
    match read.kind:
        case "changed" | "has" | "with":
            return present
        case "without":
            return not present
        case "maybe":
            return True


def _value(read: Read, entity: Entity) -> Any:
    if read.kind in ("with", "without"):
        return read.type
    if read.source == STATE:
        return entity.state
    found: Cell | None = entity.cells.get(read.source)
    return None if found is None else codec.typed(found.value, read.type)

"""What there is to do, as a pure function of the world.

A system is due on an entity when the entity matches its query and the last run that the log records
was made from other inputs. So there is no cursor to lose: after a crash, for a module that joins a
year later, and for a worker beside another, the same question gives what is left to do. The form is
the level-triggered reconciliation that Kubernetes' controllers made known.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cim.contract import codec
from cim.contract.envelope import Origin
from cim.contract.system import PLAIN, PRESENT, STATE, TRIGGERS, Read, SystemType
from cim.world.entity import Cell, Entity, Run

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
    run = entity.runs.get(str(system))
    if not entity.exists or not all(_matches(read, entity, run) for read in system.reads):
        return False
    if run is None or run.again is not None:
        return True
    return any(not _is_made(read, entity, run.inputs) for read in system.reads if read.kind in TRIGGERS)


def call(system: SystemType, entity: Entity) -> Call | None:
    """The run that is due now, or None."""
    if not is_due(system, entity):
        return None
    inputs = _inputs(system, entity)
    cause = _newest(system, entity)
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


def holds(call: Call) -> bool:
    """Whether what the run was made from is still what the entity has."""
    now = _inputs(call.system, call.entity)
    sources = {_source(name) for name in call.inputs} - {RETRY}
    return all(_of(source, now) == _of(source, call.inputs) for source in sources)


def _source(name: str) -> str:
    return name.partition("/")[0]


def _of(source: str, inputs: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in inputs.items() if _source(name) == source}


def _matches(read: Read, entity: Entity, run: Run | None) -> bool:
    """Whether a parameter can be filled; ``run`` is the system's last one on the entity."""
    match read.kind:
        case "without":
            return _carried(read, entity) is None
        case "maybe":
            return True
        case "removed":
            gone = entity.gone.get(read.source)
            return gone is not None and read.lets(gone.cell.value)
        case "follows":  # what is not there matters to a system that was run for it
            was_there = run is not None and any(_source(name) == read.source for name in run.inputs)
            return was_there or _carried(read, entity) is not None
        case _:
            return _carried(read, entity) is not None


def _carried(read: Read, entity: Entity) -> Cell | None:
    """What a parameter stands for, if the entity carries it and its filter lets it through."""
    found = entity.cells.get(read.source)
    if found is None or not read.conditions:
        return found
    return found if read.lets(entity.state if read.source == STATE else found.value) else None


def _inputs(system: SystemType, entity: Entity) -> dict[str, int]:
    """What a run that is made now names as its inputs."""
    return {name: number for read in system.reads for name, number in _named(read, entity)}


def _named(read: Read, entity: Entity) -> Iterator[tuple[str, int]]:
    source, found = read.source, entity.cells.get(read.source)
    if read.kind in ("removed", "follows") and found is None:
        gone = entity.gone.get(source)
        yield from gone.inputs(source) if gone is not None else ()
    elif found is not None and (read.kind == "follows" or _is_looked_at(read, entity)):
        yield from found.inputs(source)
        if read.kind == "added" and found.came is not None:
            yield found.came.named(f"{source}/added")


def _is_looked_at(read: Read, entity: Entity) -> bool:
    return read.kind in (*PRESENT, "maybe") and _carried(read, entity) is not None


def _is_made(read: Read, entity: Entity, inputs: Mapping[str, int]) -> bool:
    """Whether a run with these inputs was made for what a parameter waits for, as it is now."""
    if read.kind == "added":
        name = f"{read.source}/added"
        mine = [one for one in _named(read, entity) if one[0].startswith(name)]
    else:
        mine = list(_named(read, entity))
    return all(inputs.get(name) == number for name, number in mine)


def _newest(system: SystemType, entity: Entity) -> Origin:
    """Where the newest thing came from that a run is made from."""
    found: list[tuple[int, Origin]] = []
    for read in system.reads:
        cell, gone = entity.cells.get(read.source), entity.gone.get(read.source)
        if cell is not None:
            found.append((cell.sequence, cell.origin))
        elif gone is not None and read.kind in ("removed", "follows"):
            found.append((gone.sequence, gone.origin))
    return max(found, key=lambda one: one[0])[1]


def _value(read: Read, entity: Entity) -> Any:
    if read.kind in PLAIN:
        return read.type
    if read.kind == "removed":
        return codec.typed(entity.gone[read.source].cell.value, read.type)
    found = _carried(read, entity)
    if found is None:
        return None
    return entity.state if read.source == STATE else codec.typed(found.value, read.type)

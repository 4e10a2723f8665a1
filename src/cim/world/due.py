"""What there is to do, as a pure function of the world.

A system is due on an entity when the entity matches its query and the last run that the log records
was made from other inputs. So there is no cursor to lose: after a crash, for a module that joins a
year later, and for a worker beside another, the same question gives what is left to do. The form is
the level-triggered reconciliation that Kubernetes' controllers made known.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cim.contract import codec
from cim.contract.envelope import Origin
from cim.contract.relation import Relation
from cim.contract.subjects import Ref
from cim.contract.system import PLAIN, PRESENT, STATE, TRIGGERS, Read, SystemType
from cim.world.entity import Cell, Entity, Run, Wait

Find = Callable[[Ref], Entity | None]
"""Gives another entity, to which one is related."""

RETRY = "retry"
"""The name under which the entry that lets a run be made again stands among its inputs."""

REDERIVED = "rederived"
"""The name under which a run that other code made stands among the inputs of the one in its place."""


@dataclass(frozen=True, slots=True)
class Call:
    """One run to make: the system, and which values it is made from, of the entity and of those that it is
    related to, which ``find`` gives.

    ``inputs`` names each value by the number of its commit, under :data:`RETRY` the entry that lets a failed
    run be made again, and under :data:`REDERIVED` the run in whose place this one is; ``cause`` is the origin
    of that entry, or of the newest value; ``id`` is the same wherever this run is made.
    """

    system: SystemType
    entity: Entity
    find: Find
    inputs: Mapping[str, int]
    cause: Origin
    id: str


def is_due(system: SystemType, entity: Entity, find: Find) -> bool:
    """Whether the system has something to do on the entity."""
    if (entity.ref.context, entity.ref.entity) != system.of or entity.stopped is not None:
        return False
    if not matches(system, entity, find):
        return False
    if _waits(system, entity, find):
        return False
    run, seen = entity.runs.get(str(system)), _seen(system, entity, find)
    if run is None or run.again is not None:
        return True
    return any(not _is_made(read, at, run.inputs) for read, at in seen if read.kind in TRIGGERS)


def matches(system: SystemType, entity: Entity, find: Find) -> bool:
    """Whether the entity has what the system reads. While one that it is related to is stopped, what that has
    come to be is not known, and it has not."""
    run = entity.runs.get(str(system))
    return entity.exists and all(_matches(read, at, run) for read, at in _seen(system, entity, find))


def call(system: SystemType, entity: Entity, find: Find) -> Call | None:
    """The run that is due now, or None."""
    if not is_due(system, entity, find):
        return None
    inputs = _made_from(system, entity, find)
    run = entity.runs.get(str(system))
    again = None if run is None else run.again
    cause = _newest(system, entity, find) if again is None else again.origin
    return Call(system, entity, find, inputs, cause, run_id(system, entity, inputs))


def waiting(system: SystemType, entity: Entity, find: Find) -> Wait | None:
    """What the run asks a person that would be due, if it waits for that."""
    wait = entity.waits.get(str(system))
    return wait if wait is not None and _waits(system, entity, find) else None


def _waits(system: SystemType, entity: Entity, find: Find) -> bool:
    wait = entity.waits.get(str(system))
    if wait is None or wait.answer is not None:
        return False
    return wait.proposed.run == run_id(system, entity, _made_from(system, entity, find))


def _made_from(system: SystemType, entity: Entity, find: Find) -> dict[str, int]:
    """What the run that may be due names as its inputs."""
    inputs = _inputs(system, entity, find)
    run = entity.runs.get(str(system))
    if run is not None and run.again is not None:
        inputs[RETRY] = run.again.number
    return inputs


def anew(system: SystemType, entity: Entity, find: Find, owner: str) -> Call:
    """The run to be made in the place of the last one, from what there is now; ``owner`` answers for it. The
    entity has what the system reads (:func:`matches`), and the system ran on it."""
    inputs = _inputs(system, entity, find)
    inputs[REDERIVED] = entity.runs[str(system)].number
    cause = replace(_newest(system, entity, find), owner=owner)
    return Call(system, entity, find, inputs, cause, run_id(system, entity, inputs))


def is_wanted(call: Call) -> bool:
    """Whether a run may be written still: it is due, or the run in whose place it is stands as the last."""
    if REDERIVED not in call.inputs:
        return is_due(call.system, call.entity, call.find)
    run = call.entity.runs.get(str(call.system))
    return call.entity.stopped is None and run is not None and run.number == call.inputs[REDERIVED]


def target(relation: Relation, entity: Entity) -> Ref | None:
    """The entity to which one is related, as far as it says so."""
    found = entity.cells.get(relation.source)
    if found is None:
        return None
    return relation.target(entity.state if relation.source == STATE else found.value)


def arguments(call: Call) -> dict[str, Any]:
    """The values for a run's parameters, as the entities hold them now.

    Raises :class:`cim.contract.codec.BadBody` when a component in the log no longer has the shape that
    the system reads.
    """
    seen = _seen(call.system, call.entity, call.find)
    return {read.parameter: _value(read, at) for read, at in seen}


def carrier(call: Call, read: Read) -> Ref:
    """The entity that a parameter of a run is of: the run's own where it refers to none."""
    ref = None if read.relation is None else target(read.relation, call.entity)
    return call.entity.ref if ref is None else ref


def run_id(system: SystemType, entity: Entity, inputs: Mapping[str, int]) -> str:
    """The id of a run: made from system, entity and inputs, so that the same run has the same id; what
    replaces a run is another one by other code."""
    text = f"{system} {entity.ref} {sorted(inputs.items())}"
    if REDERIVED in inputs:
        text = f"{text} {system.version}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def holds(call: Call) -> bool:
    """Whether a run is still the one that is to be made: what it was made from is what there is, what it
    found missing has not come, and nobody has let it be made again since it began."""
    made_from = {name: at for name, at in call.inputs.items() if name != REDERIVED}
    now = _inputs(call.system, call.entity, call.find)
    run = call.entity.runs.get(str(call.system))
    if REDERIVED not in call.inputs and run is not None and run.again is not None:
        now[RETRY] = run.again.number
    return made_from == now


def _source(name: str) -> str:
    return name.partition("/")[0]


def _seen(system: SystemType, entity: Entity, find: Find) -> list[tuple[Read, Entity | None]]:
    """The parameters of a system, each with the entity that it is of."""
    return [
        (read, entity if read.relation is None else _at(read.relation, entity, find)) for read in system.reads
    ]


def _at(relation: Relation, entity: Entity, find: Find) -> Entity | None:
    """The entity to which one is related, if that is there: stopped before it began, it is, too."""
    ref = target(relation, entity)
    found = None if ref is None else find(ref)
    return found if found is not None and (found.exists or found.stopped is not None) else None


def _matches(read: Read, at: Entity | None, run: Run | None) -> bool:
    """Whether a parameter can be filled; ``run`` is the system's last one on its entity."""
    if at is None or (read.relation is not None and at.stopped is not None):
        return at is None and (read.kind in ("without", "maybe") or _followed(read, run))
    match read.kind:
        case "without":
            return _carried(read, at) is None
        case "maybe":
            return True
        case "removed":
            gone = at.gone.get(read.source)
            return gone is not None and read.lets(gone.cell.value)
        case "follows":
            return _followed(read, run) or _carried(read, at) is not None
        case _:
            return _carried(read, at) is not None


def _followed(read: Read, run: Run | None) -> bool:
    """Whether a parameter keeps in step with what its system was run for: then it matters that it is not
    there."""
    if read.kind != "follows" or run is None:
        return False
    if read.relation is None:
        return any(_source(name) == read.source for name in run.inputs)
    return any(name.startswith(read.name) for name in run.inputs)


def _carried(read: Read, at: Entity) -> Cell | None:
    """What a parameter stands for, if the entity carries it and its filter lets it through."""
    found = at.cells.get(read.source)
    if found is None or not read.conditions:
        return found
    return found if read.lets(at.state if read.source == STATE else found.value) else None


def _inputs(system: SystemType, entity: Entity, find: Find) -> dict[str, int]:
    """What a run that is made now names as its inputs."""
    return {name: number for read, at in _seen(system, entity, find) for name, number in _named(read, at)}


def _named(read: Read, at: Entity | None) -> Iterator[tuple[str, int]]:
    if read.relation is not None:
        yield from _named_across(read, at)
        return
    assert at is not None, "what is read across no relation is of the entity itself"
    source, found = read.source, at.cells.get(read.source)
    if read.kind in ("removed", "follows") and found is None:
        gone = at.gone.get(source)
        yield from gone.inputs(source) if gone is not None else ()
    elif found is not None and (read.kind == "follows" or _is_looked_at(read, at)):
        yield from found.inputs(source)
        if read.kind == "added" and found.came is not None:
            yield found.came.named(f"{source}/added")


def _named_across(read: Read, at: Entity | None) -> Iterator[tuple[str, int]]:
    """The value, under the id of the entity that carries it: another entity's is another one. What a
    parameter keeps in step with and is not there has no id."""
    found = None if at is None else _carried(read, at)
    if at is not None and found is not None and (read.kind == "follows" or _is_looked_at(read, at)):
        yield from found.inputs(f"{read.name}{at.ref.id}")
    elif read.kind == "follows":
        yield read.name, 0


def _is_looked_at(read: Read, at: Entity) -> bool:
    return read.kind in (*PRESENT, "maybe") and _carried(read, at) is not None


def _is_made(read: Read, at: Entity | None, inputs: Mapping[str, int]) -> bool:
    """Whether a run with these inputs was made for what a parameter waits for, as it is now."""
    if read.kind == "added":
        name = f"{read.source}/added"
        mine = [one for one in _named(read, at) if one[0].startswith(name)]
    else:
        mine = list(_named(read, at))
    return all(inputs.get(name) == number for name, number in mine)


def _newest(system: SystemType, entity: Entity, find: Find) -> Origin:
    """Where the newest thing came from that a run is made from."""
    own = entity.cells[STATE]
    found: list[tuple[int, Origin]] = []
    for read, at in _seen(system, entity, find):
        if at is None:
            continue
        cell, gone = at.cells.get(read.source), at.gone.get(read.source)
        if cell is not None:
            found.append((cell.sequence, cell.origin))
        elif gone is not None and read.kind in ("removed", "follows"):
            found.append((gone.sequence, gone.origin))
    return max(found, key=lambda one: one[0], default=(own.sequence, own.origin))[1]


def _value(read: Read, at: Entity | None) -> Any:
    if read.kind in PLAIN:
        return read.type
    if at is None:
        return None
    if read.kind == "removed":
        return codec.typed(at.gone[read.source].cell.value, read.type)
    found = _carried(read, at)
    if found is None:
        return None
    return at.state if read.source == STATE else codec.typed(found.value, read.type)

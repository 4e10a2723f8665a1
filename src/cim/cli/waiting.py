"""``cim waiting``: what failed, what is stopped, what is yet to be done."""

import argparse
import shlex
from collections import defaultdict
from collections.abc import Iterable

from cim.agents.stages import Stages
from cim.cli.output import print_json, print_table
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.contract.composition import Composition, compose
from cim.contract.stranger import Stranger
from cim.doors.runs import AtWork, Trying, ask_runs
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.persons import reading
from cim.leaf.rows import row_store
from cim.log.chain import Head
from cim.processes.pending import Pending
from cim.projections.reading import standing
from cim.world.due import is_due
from cim.world.due import waiting as asking
from cim.world.entity import Entity, Wait
from cim.world.world import World

Waiting = dict[str, str]
MANY = 20
"""Runs of one system that are due and told one by one."""

MODULE = "a module that declares what is missing"
COPY = "a copy of the log in which nothing is missing or changed"
CODE = "changed code or a mended entity, at the next `cim up`"
FOLDS = "changed code of the projection, or `cim release` of that message"


def run(given: argparse.Namespace) -> int:
    """List it: an entity, the system, why it waits, and what frees it."""
    found = run_until_stopped(_waiting(find_machine(given.machine)))
    if given.json:
        for one in found:
            print_json(one)
    elif found:
        print_table(
            ("entity", "system", "why", "cause", "what frees it"), [tuple(one.values()) for one in found]
        )
    else:
        print("nothing waits")
    return 0


async def _waiting(machine: Machine) -> list[Waiting]:
    composition = compose(load_contexts(machine, machine.modules))
    pending, stages = Pending(composition.processes), Stages(composition.systems)
    async with reach(machine) as (client, running):
        log = await open_log(client)
        world = World(composition, sealing=await reading(machine, log))
        async for commit in log.read(">"):
            world.apply(commit)
            pending.apply(commit)
            stages.apply(commit)
        at_work = [] if running is None else await ask_runs(client, "cli", running.pid)
    up = running is not None
    return [
        *await waiting(world, composition, at_work, up=up, stages=stages),
        *waiting_processes(pending, up=up),
        *stopped_projections(machine),
        *left_alone(at_work),
    ]


async def waiting(
    world: World,
    composition: Composition,
    at_work: Iterable[AtWork] = (),
    *,
    up: bool,
    stages: Stages | None = None,
) -> list[Waiting]:
    """What waits in a world: stopped entities, failed runs, and systems that are due. Where many runs of a
    system are due they are summed up, but for those that a process ``at_work`` tried in vain."""
    found, due = list[Waiting](), defaultdict[str, list[str]](list)
    closed = {name: why for here in at_work for name, why in here.closed.items()}
    if stages is not None:
        said = {str(system): stages.closed(str(system)) for system in composition.systems}
        closed |= {name: why for name, why in said.items() if why is not None}
    tried = {(one.entity, one.system): (one, here) for here in at_work for one in here.trying}
    async for entity in world.entities.each():
        if entity.stopped is not None:
            found.append(_one(entity.name, "", "stopped", entity.stopped, _frees(entity)))
        for run in entity.failures:
            if run.again is None:
                found.append(_one(entity.name, run.system, "failed", run.cause, _retry(entity, run.system)))
        for system in composition.systems:
            wait = asking(system, entity, world.entities.at_hand)
            if wait is not None:
                found.append(_asked(entity, str(system), wait))
            if not is_due(system, entity, world.entities.at_hand):
                continue
            name = str(system)
            if (entity.name, name) in tried:
                found.append(_tried(*tried[entity.name, name]))
            else:
                due[name].append(entity.name)
    frees = "the running leaf is at it" if up else "`cim up`"
    for name, entities in due.items():
        lines = entities if len(entities) <= MANY else [f"{len(entities):,} entities"]
        if name in closed:
            if stages is None or stages.stage(name) != "retired":
                found += [_one(one, name, "closed", closed[name], _opens(name)) for one in lines]
            continue
        found += [_one(one, name, "due", "its inputs are newer than its outputs", frees) for one in lines]
    return found


def _retry(entity: Entity, system: str) -> str:
    """What lets a failed run be made again."""
    command = f"cim retry {system} --entity {shlex.quote(entity.ref.id)} --reason TEXT"
    return f"`{command}`, or a newer input of the system"


def _asked(entity: Entity, system: str, wait: Wait) -> Waiting:
    """A run that asks a person first. What it wants to do it with is in the log, and may be personal."""
    words = f"{system} --entity {shlex.quote(entity.ref.id)}"
    cause = f"it wants to do {wait.proposed.tool}, and {wait.proposed.why}"
    frees = f"`cim approve {words}`, `cim deny {words} --reason TEXT`, or a newer input"
    return _one(entity.name, system, "asks", cause, frees)


def _opens(agent: str) -> str:
    """What lets an agent work that may not."""
    return f"`cim agent activate {agent} --reason TEXT`, or the next day where its budget is used up"


def _tried(one: Trying, here: AtWork) -> Waiting:
    """A run that finds away what it needs, as the process tells that is at it."""
    when = f"in {one.next:.1f} s" if one.next else "now"
    cause = f"{one.cause} (tried {one.tries} times, again {when})"
    return _one(one.entity, one.system, "tried", cause, f"when that is over; {here.most} tries are made")


def waiting_processes(pending: Pending, *, up: bool) -> list[Waiting]:
    """The processes that stand still, and those that have a command without an answer, or, where no leaf runs
    that looks at them, an event. A timer that is set waits for its time and for nobody."""
    found: list[Waiting] = []
    for (kind, id), one in sorted(pending.instances()):
        name = f"{kind} {id}"
        if one.stop is not None:
            command = (
                f"cim release {one.stop.commit.subject} --sequence {one.stop.commit.sequence} --reason TEXT"
            )
            found.append(_one(name, kind, "stopped", one.stop.cause, f"{CODE}, or `{command}`"))
            continue
        frees = "the running leaf is at it" if up else "`cim up`"
        for errand in one.errands.values():
            cause = f"{errand.order.command} was asked of {errand.order.subject} and has no answer"
            found.append(_one(name, kind, "due", cause, frees))
        if one.triggers and not up:
            first = one.triggers[0].commit
            cause = f"what follows from {first.subject} at {first.sequence} is not decided"
            found.append(_one(name, kind, "due", cause, frees))
    return found


def stopped_projections(machine: Machine) -> list[Waiting]:
    """The projections that stand still at an event which their code cannot fold."""
    store = row_store(machine)
    standings = ((name, standing(store.place(name)).stopped) for name in store.names())
    return [_one("", name, "stopped", cause, FOLDS) for name, cause in standings if cause is not None]


def left_alone(at_work: Iterable[AtWork]) -> list[Waiting]:
    """The bindings over NATS whose providers are left alone after calls in vain."""
    found: dict[str, Waiting] = {}
    for one in (one for here in at_work for one in here.alone):
        contract = one.subject.split(".")[1]
        when = f"tried again in {one.left:.1f} s" if one.left else "tried again with the next call"
        frees = f"a provider that answers: `cim providers`, `cim provide {contract}`"
        found[one.subject] = _one("", one.subject, "open", f"{one.cause} ({when})", frees)
    return list(found.values())


def _frees(entity: Entity) -> str:
    """What lets a stopped entity go on: what would bring it back whole, and the command that gives it up."""
    if not entity.held:
        return MODULE
    first = entity.held[0]
    command = f"`cim release {shlex.quote(first.subject)} --sequence {first.sequence} --reason TEXT`"
    if isinstance(first, Stranger) or not entity.ref.context:
        return command
    head = entity.heads.get(first.subject, Head())
    return f"{COPY if head.past(first) is head else MODULE}, or {command}"


def _one(entity: str, system: str, why: str, cause: str, frees: str) -> Waiting:
    return {"entity": entity, "system": system, "why": why, "cause": cause, "frees": frees}

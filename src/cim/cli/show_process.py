"""``cim show`` of a process: what it knows, and what it waits for."""

from collections.abc import Sequence
from typing import Any

from cim.cli.moment import Moment
from cim.cli.place import open_log, reach
from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.process import ITSELF, ProcessType
from cim.leaf.machine import Machine
from cim.leaf.persons import reading
from cim.log.chain import BrokenChain
from cim.log.sealing import Sealing
from cim.processes.instance import Instance
from cim.processes.pending import Pending, Waiting
from cim.world.trail import summary

Shown = dict[str, Any]


async def show_processes(
    machine: Machine, kind: ProcessType, id: str | None, at: Moment | None
) -> list[Shown]:
    """One process, or all of a kind, as the log tells them then (None: now)."""
    async with reach(machine) as (client, _running):
        log = await open_log(client)
        sealing = await reading(machine, log)
        history = [commit async for commit in log.read(">")]
    return shown(kind, history if at is None else at.part_of(history), sealing, id)


def shown(
    kind: ProcessType, history: Sequence[Commit], sealing: Sealing, id: str | None = None
) -> list[Shown]:
    """What a history says of a kind's processes, in the order of their ids."""
    pending, instances = Pending([kind]), dict[str, Instance]()
    for commit in history:
        pending.apply(commit)
        name = commit.subject.removeprefix(f"evt.{kind}.")
        if name not in (commit.subject, ITSELF) and id in (None, name):
            instance = instances.setdefault(name, Instance(kind, kind.ref(name), kind.state(), sealing))
            _take(instance, commit)
    return [_shown(one, pending.waiting((str(kind), name))) for name, one in sorted(instances.items())]


def _take(instance: Instance, commit: Commit) -> None:
    try:
        instance.apply(commit)
    except BrokenChain as broken:
        instance.trouble = str(broken)


def _shown(instance: Instance, waiting: Waiting | None) -> Shown:
    """The shape that ``cim show --json`` keeps stable."""
    waiting = waiting or Waiting()
    stop = waiting.stop.cause if waiting.stop is not None else instance.trouble
    return {
        "id": instance.ref.id,
        "sequence": instance.head.sequence,
        "state": codec.plain(instance.state),
        "asked": [
            {"command": one.order.command, "subject": one.order.subject} for one in waiting.errands.values()
        ],
        "timers": [
            {"timer": one.order.timer, "data": one.order.data, "due": one.order.due}
            for one in sorted(waiting.alarms.values(), key=lambda one: one.due)
        ],
        **({} if stop is None else {"stopped": stop}),
    }


def rows(found: list[Shown]) -> list[tuple[str, ...]]:
    """For a person: id, sequence, state, and what it waits for."""
    return [(one["id"], str(one["sequence"]), summary(one["state"]), _waits_for(one)) for one in found]


def _waits_for(one: Shown) -> str:
    asked = [f"an answer to {ask['command']}" for ask in one["asked"]]
    timers = [f"{timer['timer']} at {timer['due']}" for timer in one["timers"]]
    stopped = [f"stopped: {one['stopped']}"] if "stopped" in one else []
    return "; ".join([*stopped, *asked, *timers])

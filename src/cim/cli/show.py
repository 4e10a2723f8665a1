"""``cim show``: entities as the log tells them, now or as of a sequence or a time."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cim.cli.moment import Moment, moment
from cim.cli.output import print_json, print_table
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.cli.show_process import rows, show_processes
from cim.contract.composition import Composition, compose
from cim.contract.envelope import Commit
from cim.contract.process import ProcessType
from cim.contract.subjects import Ref, token
from cim.domain.errors import CimError
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.persons import reading
from cim.log.sealing import Sealing
from cim.world.entity import Entity
from cim.world.trail import summary
from cim.world.world import World


@dataclass(frozen=True, slots=True)
class Past:
    """The history of one entity, or of all of a type, in the log's order."""

    composition: Composition
    history: Sequence[Commit]
    sealing: Sealing

    async def entities(self, at: Moment | None) -> list[Entity]:
        """The entities as they were then; None is now. Those that were not there yet are left out, and one
        that was stopped by its very first commit is shown as that."""
        world = World(self.composition, sealing=self.sealing)
        for commit in self.history if at is None else at.part_of(self.history):
            world.apply(commit)
        found = world.entities.each()
        return [entity async for entity in found if entity.exists or entity.stopped is not None]


def run(given: argparse.Namespace) -> int:
    """Print one entity or all of a type; 1 where the one that was asked for is not there."""
    at = None if given.at is None else moment(given.at, "--at")
    machine = find_machine(given.machine)
    processes = {str(kind): kind for kind in compose(load_contexts(machine, machine.modules)).processes}
    if given.entity in processes:
        return _show_process(machine, processes[given.entity], given, at)
    past = run_until_stopped(read_past(machine, given.entity, given.id))
    entities = run_until_stopped(past.entities(at))
    if given.id is not None and not entities:
        raise _not_there(given, at)
    if given.json:
        for entity in entities:
            print_json(entity.shown())
    elif given.id is not None:
        _print_one(entities[0].shown())
    else:
        listed = [
            (e.ref.id, str(e.sequence), summary(e.shown()["state"]), ", ".join(e.shown()["components"]))
            for e in entities
        ]
        print_table(("id", "sequence", "state", "components"), listed)
    return 0


def _not_there(given: argparse.Namespace, at: Moment | None) -> CimError:
    when = f" {at}" if at is not None else ""
    return CimError(f"there is no {given.entity} {given.id}{when}; `cim show {given.entity}` lists them")


def _show_process(machine: Machine, kind: ProcessType, given: argparse.Namespace, at: Moment | None) -> int:
    found = run_until_stopped(show_processes(machine, kind, given.id, at))
    if given.id is not None and not found:
        raise _not_there(given, at)
    if given.json:
        for one in found:
            print_json(one)
    else:
        print_table(("id", "sequence", "state", "waits for"), rows(found))
    return 0


async def read_past(machine: Machine, name: str, id: str | None) -> Past:
    """What the log holds of one entity, or of all of the type ``name`` (``context.Entity``)."""
    composition = compose(load_contexts(machine, machine.modules))
    context, _, entity = name.partition(".")
    kind = composition.entity(context, entity)
    ref = Ref(kind.context, kind.name, "*" if id is None else token(id, "ID"))
    async with reach(machine) as (client, _running):
        log = await open_log(client)
        sealing = await reading(machine, log)
        found = [
            commit for subject in (ref.events, ref.components("*")) async for commit in log.read(subject)
        ]
    return Past(composition, sorted(found, key=lambda commit: commit.sequence), sealing)


def _print_one(shown: dict[str, Any]) -> None:
    rows = [("state", "", str(shown["sequence"]), summary(shown["state"]), "")]
    if "stopped" in shown:
        rows.append(("stopped", "", "", shown["stopped"], ""))
    rows += [
        (name, cell["by"], str(cell["sequence"]), summary(cell["value"]), cell["time"])
        for name, cell in shown["components"].items()
    ]
    print_table(("", "by", "sequence", "value", "time"), rows)

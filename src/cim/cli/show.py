"""``cim show``: entities as the log tells them, now or then, and how each component came to be."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cim.cli.moment import Moment, moment
from cim.cli.output import print_json, print_table
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.cli.show_process import rows, show_processes
from cim.contract import codec
from cim.contract.composition import Composition, compose
from cim.contract.envelope import Commit
from cim.contract.process import ProcessType
from cim.contract.subjects import Ref, token
from cim.contract.system import STATE
from cim.domain.errors import CimError
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.persons import reading
from cim.log.sealing import Sealing
from cim.world.entity import Entity
from cim.world.provenance import Provenance, changes
from cim.world.trail import summary
from cim.world.world import World


@dataclass(frozen=True, slots=True)
class Past:
    """The history of one entity, or of all of a type, in the log's order."""

    composition: Composition
    history: Sequence[Commit]
    sealing: Sealing

    def world(self) -> World:
        """A world in which nothing of it is folded yet."""
        return World(self.composition, sealing=self.sealing)

    def until(self, at: Moment | None) -> Sequence[Commit]:
        """The history up to then; None is now."""
        return self.history if at is None else at.part_of(self.history)

    async def entities(self, at: Moment | None) -> list[Entity]:
        """The entities as they were then; None is now. Those that were not there yet are left out, and one
        that was stopped by its very first commit is shown as that."""
        world = self.world()
        for commit in self.until(at):
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
    if given.history is not None and given.id is None:
        raise CimError(f"--history is of one entity: name it, `cim show {given.entity} ID --history …`")
    past = run_until_stopped(read_past(machine, given.entity, given.id))
    entities = run_until_stopped(past.entities(at))
    if given.id is not None and not entities:
        raise _not_there(given, at)
    if given.history is not None:
        print_history(past, entities[0], given.history, at, as_json=given.json)
        return 0
    provenance = Provenance(past.until(at))
    shown = [_shown(entity, provenance) for entity in entities]
    if given.json:
        for one in shown:
            print_json(one)
    elif given.id is not None:
        _print_one(shown[0])
    else:
        listed = [
            (one["id"], str(one["sequence"]), summary(one["state"]), ", ".join(one["components"]))
            for one in shown
        ]
        print_table(("id", "sequence", "state", "components"), listed)
    return 0


def _shown(entity: Entity, provenance: Provenance) -> dict[str, Any]:
    """The entity as it is printed: the shape is kept stable. ``inputs`` maps what a component was made from
    to the number of the commit that it was taken from; it is null for what a person alone said."""
    shown = entity.shown()
    for key, one in shown["components"].items():
        found = provenance.of(entity, key)
        one["version"] = None if found is None else found.version
        one["inputs"] = None if found is None else found.inputs
    return shown


def print_history(past: Past, entity: Entity, key: str, at: Moment | None, *, as_json: bool) -> None:
    """Every value that a component of the one entity of ``past`` had; raises :class:`CimError` where it
    never carried any."""
    world = past.world()
    found = [codec.plain(one) for one in changes(world, past.until(at), key)] if key != STATE else []
    if not found:
        carries = ", ".join(entity.shown()["components"]) or "none"
        raise CimError(f"{entity.name} never carried a component {key}; it carries: {carries}")
    if as_json:
        for one in found:
            print_json(one)
        return
    rows = [
        (
            str(one["sequence"]),
            one["time"],
            one["what"],
            one["by"],
            one["version"] or "",
            named(one["inputs"]),
            "" if one["value"] is None else summary(one["value"]),
        )
        for one in found
    ]
    print_table(("sequence", "time", "what", "by", "version", "from", "value"), rows)


def named(inputs: Mapping[str, int] | None) -> str:
    """What something was made from, for a person: ``Text#3, state#1``."""
    return ", ".join(f"{name}#{number}" for name, number in sorted((inputs or {}).items()))


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
    rows = [("state", "", "", "", str(shown["sequence"]), summary(shown["state"]), "")]
    if "stopped" in shown:
        rows.append(("stopped", "", "", "", "", shown["stopped"], ""))
    rows += [
        (
            name,
            cell["by"],
            cell["version"] or "",
            named(cell["inputs"]),
            str(cell["sequence"]),
            summary(cell["value"]),
            cell["time"],
        )
        for name, cell in shown["components"].items()
    ]
    print_table(("", "by", "version", "from", "sequence", "value", "time"), rows)

"""``cim show``: entities as the log tells them, now or as of a sequence."""

import argparse
from typing import Any

from cim.adapters.nats.log import NatsLog
from cim.cli.output import print_json, print_table
from cim.cli.place import find_machine, reach, run_until_stopped
from cim.contract.composition import compose
from cim.contract.subjects import Ref, token
from cim.domain.errors import CimError
from cim.leaf.machine import Machine, load_contexts
from cim.world.entity import Entity
from cim.world.trail import summary
from cim.world.world import World


def run(given: argparse.Namespace) -> int:
    """Print one entity or all of a type; 1 where the one that was asked for is not there."""
    entities = run_until_stopped(_fold(find_machine(given.machine), given.entity, given.id, given.at))
    if given.id is not None and not entities:
        at = f" at sequence {given.at}" if given.at is not None else ""
        raise CimError(f"there is no {given.entity} {given.id}{at}; `cim show {given.entity}` lists them")
    if given.json:
        for entity in entities:
            print_json(entity.shown())
    elif given.id is not None:
        _print_one(entities[0].shown())
    else:
        rows = [
            (e.ref.id, str(e.sequence), summary(e.shown()["state"]), ", ".join(e.shown()["components"]))
            for e in entities
        ]
        print_table(("id", "sequence", "state", "components"), rows)
    return 0


async def _fold(machine: Machine, name: str, id: str | None, at: int | None) -> list[Entity]:
    composition = compose(load_contexts(machine, machine.modules))
    context, _, entity = name.partition(".")
    kind = composition.entity(context, entity)
    ref = Ref(kind.context, kind.name, "*" if id is None else token(id, "ID"))
    world = World(composition)
    async with reach(machine) as (client, _running):
        log = await NatsLog.open(client)
        for subject in (ref.events, ref.components("*")):
            async for commit in log.read(subject):
                if at is None or commit.sequence <= at:
                    world.apply(commit)
    return [entity for _, entity in sorted(world.entities.items()) if entity.exists]


def _print_one(shown: dict[str, Any]) -> None:
    rows = [("state", "", str(shown["sequence"]), summary(shown["state"]), "")]
    rows += [
        (name, cell["by"], str(cell["sequence"]), summary(cell["value"]), cell["time"])
        for name, cell in shown["components"].items()
    ]
    print_table(("", "by", "sequence", "value", "time"), rows)

"""``cim release``: pass over the message that stops a subject, by an entry in the log."""

import argparse

from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.joined import joined
from cim.cli.output import print_json
from cim.cli.place import find_machine, owner, run_until_stopped
from cim.contract.envelope import Commit, Origin
from cim.domain.errors import CimError
from cim.leaf.machine import Machine
from cim.leaf.rows import row_store
from cim.log.release import release
from cim.processes.stops import stands_still
from cim.projections.reading import standing
from cim.world.world import World, ref_of


def run(given: argparse.Namespace) -> int:
    """Write the release, and say whether the entity goes on."""
    if not given.reason.strip():
        raise CimError("--reason is empty: say why the message may be passed over")
    commit, still = run_until_stopped(_release(find_machine(given.machine), given))
    if given.json:
        print_json({"subject": commit.subject, "sequence": commit.sequence, "stopped": still})
        return 0
    print(f"{commit.subject}: sequence {given.sequence} is passed over since sequence {commit.sequence}")
    print("it goes on" if still is None else f"it is stopped again: {still}")
    return 0


async def _release(machine: Machine, given: argparse.Namespace) -> tuple[Commit, str | None]:
    """The release as it stands in the log, and what stops the entity after it."""
    clock, origin = SystemClock(), Origin.root(SystemEntropy().new_id(), owner())
    async with joined(machine) as node:
        stops = stops_projection(machine, given.subject, given.sequence)
        if not stops and not await stands_still(node.log, given.subject, given.sequence):
            await check_stopped(node.world, given.subject, given.sequence)
        commit = await release(
            node.log, clock, machine.source, origin, given.subject, given.sequence, given.reason
        )
        await node.world.reached(commit.sequence)
        return commit, (await node.world.entities.get(ref_of(given.subject))).stopped
    raise AssertionError("the block returns")


def stops_projection(machine: Machine, subject: str, sequence: int) -> bool:
    """Whether a projection stands still at this message, whether or not an entity does."""
    store = row_store(machine)
    return any(standing(store.place(name)).stops_at(subject, sequence) for name in store.names())


async def check_stopped(world: World, subject: str, sequence: int) -> None:
    """Hold that this message is the one that stops its entity; raises :class:`CimError` otherwise."""
    entity = await world.entities.find(ref_of(subject))
    first = entity.held[0] if entity is not None and entity.held else None
    if first is None or (first.subject, first.sequence) != (subject, sequence):
        where = "nothing there is stopped" if first is None else f"{first.subject} at {first.sequence} is"
        raise CimError(
            f"{subject} is not stopped at sequence {sequence} ({where}): `cim waiting` lists what is stopped"
        )

"""``cim erase``: nobody can read any more what is personal of one person, by an entry in the log."""

import argparse

from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.joined import joined
from cim.cli.output import print_json
from cim.cli.place import find_machine, owner, run_until_stopped
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref, token
from cim.domain.errors import CimError
from cim.leaf.machine import Machine
from cim.leaf.persons import person_keys
from cim.log.erasure import erase
from cim.log.sealing import person_name


def run(given: argparse.Namespace) -> int:
    """Write the entry, destroy the key, and say where the person's values stood."""
    if not given.reason.strip():
        raise CimError("--reason is empty: say why the person is erased; it stays readable for ever")
    context, _, entity = given.entity.partition(".")
    person = Ref(token(context, "CONTEXT"), token(entity, "Entity"), token(given.id, "ID"))
    commit, held = run_until_stopped(_erase(find_machine(given.machine), person, given.reason))
    if given.json:
        print_json({"person": person_name(person), "sequence": commit.sequence, "entities": held})
    else:
        print(f"{person} is erased since sequence {commit.sequence}: personal values on {len(held)} entities")
        print("copies of the keys that you keep elsewhere are yours to destroy")
    return 0


async def _erase(machine: Machine, person: Ref, reason: str) -> tuple[Commit, list[str]]:
    """The entry as it stands in the log, and the entities that hold something of the person."""
    clock, origin = SystemClock(), Origin.root(SystemEntropy().new_id(), owner())
    async with joined(machine) as node:
        held = node.world.holding(person_name(person))
        if not held:
            raise CimError(f"the log holds nothing personal of {person}: nothing was written")
        commit = await erase(node.log, clock, machine.source, origin, person, reason)
        person_keys(machine).destroy(person_name(person))
        await node.world.reached(commit.sequence)
        return commit, sorted(map(str, held))
    raise AssertionError("the block returns")

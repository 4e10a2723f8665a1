"""``cim erase``: nobody can read any more what is personal of one person, by an entry in the log."""

import argparse
from contextlib import AsyncExitStack

from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.output import print_json, tell
from cim.cli.place import find_machine, owner, reach, run_until_stopped
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref, token
from cim.domain.errors import CimError
from cim.leaf.heads import keep_head
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.node import background, join
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
    composition = compose(load_contexts(machine, machine.modules))
    async with AsyncExitStack() as stack:
        client, running = await stack.enter_async_context(reach(machine))
        node = await stack.enter_async_context(join(machine, client, composition, (), tell))
        if running is None:
            await stack.enter_async_context(background(keep_head(node.world, machine.state, clock, tell)))
        await node.world.until_caught_up()
        held = node.world.holding(person_name(person))
        if not held:
            raise CimError(f"the log holds nothing personal of {person}: nothing was written")
        commit = await erase(node.log, clock, machine.source, origin, person, reason)
        person_keys(machine).destroy(person_name(person))
        await node.world.reached(commit.sequence)
        return commit, sorted(map(str, held))
    raise AssertionError("the block returns")

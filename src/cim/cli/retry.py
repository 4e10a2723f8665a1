"""``cim retry``: let failed runs of a system be made again without a new input, by entries in the log."""

import argparse
from dataclasses import replace

from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.joined import joined
from cim.cli.output import print_json
from cim.cli.place import find_machine, owner, run_until_stopped
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.leaf.machine import Machine
from cim.leaf.node import Node
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.entry import entry
from cim.log.retry import RETRY, Retried
from cim.world.entity import Run


def run(given: argparse.Namespace) -> int:
    """Write the entries, and say which runs are made again."""
    if not given.reason.strip():
        raise CimError("--reason is empty: say why the run may end otherwise this time")
    if (given.entity is None) != given.all:
        raise CimError("name an entity with --entity, or all on which the system failed with --all")
    made = run_until_stopped(_retry(find_machine(given.machine), given))
    for ref, sequence in made:
        if given.json:
            print_json({"entity": str(ref), "system": given.system, "sequence": sequence})
        else:
            print(f"{ref}: {given.system} is made again since sequence {sequence}")
    if not made and not given.json:
        print("nothing to do: each is to be made again already")
    return 0


async def _retry(machine: Machine, given: argparse.Namespace) -> list[tuple[Ref, int]]:
    """The entities whose runs are made again, each with the sequence of its entry."""
    async with joined(machine) as node:
        failed: list[Ref] = []
        systems: set[str] = set()
        async for entity in node.world.entities.troubled():
            systems |= {run.system for run in entity.failures}
            if given.entity in (None, entity.ref.id) and _failed(entity.failures, given.system):
                failed.append(entity.ref)
        if not failed:
            where = "any entity" if given.all else given.entity
            there = ", ".join(sorted(systems)) or "no system"
            raise CimError(f"{given.system} did not fail on {where} (failed did: {there}): see `cim waiting`")
        made = [(ref, await _one(node, ref, given.system, given.reason)) for ref in failed]
        return [(ref, sequence) for ref, sequence in made if sequence is not None]
    raise AssertionError("the block returns")


async def _one(node: Node, ref: Ref, system: str, reason: str) -> int | None:
    """The sequence of the entry; None where the run is to be made again already, or is made by now."""
    clock, id = SystemClock(), SystemEntropy().new_id()
    subject = ref.components(system.rpartition(".")[0])
    while True:
        entity = await node.world.entities.get(ref)
        run = entity.runs.get(system)
        if run is None or not run.failed or run.again is not None:
            return None
        failure = await node.log.next_on(subject, run.sequence - 1)
        assert failure is not None
        # It belongs to what led to the run, and who asks for it answers for what comes of it.
        origin = replace(failure.origin.child(id), owner=owner())
        said = entry(subject, RETRY, Retried(system, reason), origin, node.machine.source, clock)
        outcome = await append(node.log, clock, said, entity.heads.get(subject, Head()))
        await node.world.reached(outcome.commit.sequence)
        if isinstance(outcome, Appended):
            return outcome.commit.sequence


def _failed(failures: list[Run], system: str) -> bool:
    return any(run.system == system for run in failures)

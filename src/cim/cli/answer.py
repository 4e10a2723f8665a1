"""``cim approve`` and ``cim deny``: a person's answer to what an agent asks first, by an entry in the log."""

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
from cim.log.asking import ANSWERED, Answered
from cim.log.chain import Head
from cim.log.entry import entry
from cim.world.due import waiting
from cim.world.entity import Wait


def run(given: argparse.Namespace) -> int:
    """Write the answer, and say what it lets the agent do."""
    granted = given.command == "approve"
    if not granted and not given.reason.strip():
        raise CimError("--reason is empty: say why not, the agent is told")
    ref, wait, sequence = run_until_stopped(_answer(find_machine(given.machine), given, granted))
    asked = wait.proposed
    said = {"entity": str(ref), "agent": asked.system, "tool": asked.tool, "granted": granted}
    if given.json:
        print_json({**said, "sequence": sequence})
    else:
        may = "may do" if granted else "may not do"
        print(f"{ref}: {asked.system} {may} {asked.tool}, since sequence {sequence}")
    return 0


async def _answer(machine: Machine, given: argparse.Namespace, granted: bool) -> tuple[Ref, Wait, int]:
    async with joined(machine) as node:
        found = await _asking(node, given.agent)
        here = [one for one in found if one[0].id == given.entity]
        if not here:
            there = ", ".join(ref.id for ref, _ in found) or "nowhere"
            raise CimError(
                f"{given.agent} asks nothing on {given.entity} (it does on: {there}): see `cim waiting`"
            )
        ref, wait = here[0]
        return ref, wait, await _say(node, ref, wait, granted, given.reason)
    raise AssertionError("the block returns")


async def _asking(node: Node, name: str) -> list[tuple[Ref, Wait]]:
    """The entities on which an agent asks, and what."""
    systems = [one for one in node.composition.systems if str(one) == name]
    if not systems or systems[0].agent is None:
        agents = ", ".join(str(one) for one in node.composition.systems if one.agent is not None) or "none"
        raise CimError(f"there is no agent {name} here; there are: {agents}")
    found = []
    async for entity in node.world.entities.each():
        wait = waiting(systems[0], entity, node.world.entities.at_hand)
        if wait is not None:
            found.append((entity.ref, wait))
    return found


async def _say(node: Node, ref: Ref, wait: Wait, granted: bool, reason: str) -> int:
    """Write the answer; raises :class:`CimError` where another one came before."""
    clock, asked = SystemClock(), wait.proposed
    subject = ref.components(asked.system.rpartition(".")[0])
    said = Answered(asked.system, asked.run, granted, reason)
    origin = replace(wait.origin.child(SystemEntropy().new_id()), owner=owner())
    while True:
        entity = await node.world.entities.get(ref)
        now = entity.waits.get(asked.system)
        if now is None or now.proposed != asked or now.answer is not None:
            by = f"{now.by} answered" if now is not None and now.answer is not None else "it asks no more"
            raise CimError(f"{ref}: {asked.system} waits for this no more: {by}")
        written = entry(subject, ANSWERED, said, origin, node.machine.source, clock)
        outcome = await append(node.log, clock, written, entity.heads.get(subject, Head()))
        await node.world.reached(outcome.commit.sequence)
        if isinstance(outcome, Appended):
            return outcome.commit.sequence

"""``cim rederive``: what a system wrote by other code, made anew beside the old; replaced if that is said."""

import argparse
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import takewhile
from typing import Any

from rich.progress import Progress

from cim.cli.diff import differing
from cim.cli.joined import joined
from cim.cli.output import print_json, progress, tell
from cim.cli.place import find_machine, owner, run_until_stopped
from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.subjects import Ref, token
from cim.contract.system import SystemType
from cim.domain.errors import CimError
from cim.doors.runs import ask_runs
from cim.leaf.lock import find_running
from cim.leaf.machine import Machine
from cim.leaf.node import Node
from cim.leaf.rederive import rederivation
from cim.world.difference import Difference
from cim.world.entity import Entity
from cim.world.rederivation import Rederivation, Rederived, is_by_other_code

BEHIND = 10
"""How far it stands back behind a leaf that runs: live work comes first."""

SHOWN = 100
"""Characters of a value that are shown."""

BEFORE = 20
"""Characters of a text that are shown before the first that differs."""


def run(given: argparse.Namespace) -> int:
    """Show what the code of now makes of what other code was given; 1 where it fails on an entity."""
    if given.limit is not None and given.limit < 1:
        raise CimError(f"--limit {given.limit} leaves nothing to do: name how many entities at the most")
    counted = run_until_stopped(_rederive(find_machine(given.machine), given))
    return 1 if counted["failed"] else 0


async def _rederive(machine: Machine, given: argparse.Namespace) -> Counter[str]:
    async with joined(machine, given.module) as node:
        system = _system(node.composition, given.system)
        wanted = [entity.ref async for entity in _wanted(node, system, given.entity)]
        found = wanted[: given.limit]
        if not found:
            _tell_of_none(system)
            return Counter()
        await _stand_back(machine, node, system)
        async with rederivation(node, system, given.module, owner(), tell) as anew:
            with progress() as bar:
                counted = await _all(node, anew, found, given, bar)
        _tell_counts(system, counted, len(wanted) - len(found), is_replaced=given.replace)
        return counted
    raise AssertionError("the block returns")


def _system(composition: Composition, name: str) -> SystemType:
    """The system of that name; raises :class:`CimError` that lists those that there are."""
    known = {str(system): system for system in composition.systems}
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        late = "a module that is not in machine.toml is named with --module"
        raise CimError(f"there is no system {name!r}; there are: {there} ({late})")
    return known[name]


async def _wanted(node: Node, system: SystemType, ids: list[str]) -> AsyncIterator[Entity]:
    """The entities on which other code made the last run: of those that were named, or of all."""
    if not ids:
        async for entity in node.world.entities.each(system.of):
            if is_by_other_code(system, entity):
                yield entity
        return
    for id in dict.fromkeys(ids):
        ref = Ref(*system.of, token(id, "--entity"))
        found = await node.world.entities.find(ref)
        if found is None:
            raise CimError(f"there is no {ref}: `cim show {'.'.join(system.of)}` lists them")
        if str(system) not in found.runs:
            raise CimError(f"{system} never ran on {ref}: there is nothing to make anew")
        if is_by_other_code(system, found):
            yield found


async def _stand_back(machine: Machine, node: Node, system: SystemType) -> None:
    """Leave a running leaf the processors, and tell which processes run the system by other code."""
    running = find_running(machine.state)
    if running is None:
        return
    os.nice(BEHIND)
    for one in await ask_runs(node.client, "cli", running.pid):
        if one.version(str(system)) not in (None, system.version):
            tell(
                f"process {one.pid} runs {system} by other code, and derives by that what changes meanwhile: "
                f"start it anew, then run this again"
            )


async def _all(
    node: Node, anew: Rederivation, refs: list[Ref], given: argparse.Namespace, bar: Progress
) -> Counter[str]:
    """Make it anew on each of those; how many there were of each outcome."""
    counted, task = Counter[str](), bar.add_task(str(anew.system), total=len(refs))

    async def entities() -> AsyncIterator[Entity]:
        for ref in refs:
            yield await node.world.entities.get(ref)

    async for one in anew.each(entities()):
        counted[await _each(anew, one, given)] += 1
        bar.advance(task)
    return counted


async def _each(anew: Rederivation, one: Rederived, given: argparse.Namespace) -> str:
    """Show one, and replace it then if that is said; what came of it."""
    if not given.json:
        print("\n".join(lines(one)), flush=True)
    outcome, cause, sequence = str(one.outcome), one.cause, None
    if given.replace and one.call is not None:
        try:
            sequence = await anew.replace(one)
            if sequence is None:
                outcome, cause = "overtaken", "it changed meanwhile, and has a run of its own"
        except CimError as refused:  # such as: too large for the log
            outcome, cause = "failed", str(refused)
    if given.json:
        print_json({**_shown(one, anew.system), "outcome": outcome, "cause": cause, "sequence": sequence})
    elif cause != one.cause:
        print(f"{one.entity.ref}: {outcome}: {cause}", flush=True)
    return outcome


def lines(one: Rederived) -> Iterator[str]:
    """What came of one entity, for a person: a field that differs a line."""
    name = str(one.entity.ref)
    if one.cause:
        yield f"{name}: {one.outcome}: {one.cause}"
    elif not one.differences:
        yield f"{name}: same"
    for key, found in one.differences.items():
        cell = one.entity.cells.get(key)
        said = "" if cell is None or cell.correction is None else " (what a person put right stays)"
        for place, old, new in _fields(key, found):
            yield f"{name}: {place}: {old} -> {new}{said}"


def _fields(key: str, found: Difference) -> Iterator[tuple[str, str, str]]:
    if found.old is None or found.new is None:
        yield key, *_texts(found.old, found.new)
        return
    for field, change in differing(found.old, found.new).items():
        yield f"{key}.{field}", *_texts(change["from"], change["to"])


def _texts(old: Any, new: Any) -> tuple[str, str]:
    """Two values as JSON; long ones from a little before the first place where they differ."""
    one, other = ("none" if value is None else codec.json_bytes(value).decode() for value in (old, new))
    is_long = max(len(one), len(other)) > SHOWN
    alike = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(one, other, strict=False)))
    start = max(0, alike - BEFORE) if is_long else 0
    return _cut(one, start), _cut(other, start)


def _cut(text: str, start: int) -> str:
    shown = text[start : start + SHOWN]
    return f"{'…' if start else ''}{shown}{'…' if start + SHOWN < len(text) else ''}"


def _shown(one: Rederived, system: SystemType) -> dict[str, Any]:
    """One entity as it is printed: the shape is kept stable. ``added``, ``changed`` and ``removed`` are as
    ``cim diff`` prints them; beside them stand the ``outcome``, its ``cause`` (empty where it needs none) and
    the ``sequence`` of what was written, null where nothing was."""
    found = one.differences
    return {
        "entity": str(one.entity.ref),
        "system": str(system),
        "from": one.version,
        "to": system.version,
        "added": {key: two.new for key, two in found.items() if two.old is None},
        "changed": {
            key: differing(two.old, two.new)
            for key, two in found.items()
            if two.old is not None and two.new is not None
        },
        "removed": {key: two.old for key, two in found.items() if two.new is None},
    }


def _tell_of_none(system: SystemType) -> None:
    tell(f"nothing to do: all of it was made by the code of now, {system} in version {system.version}")


def _tell_counts(system: SystemType, counted: Counter[str], left: int, *, is_replaced: bool) -> None:
    """The whole in one line, and what was not done."""
    words = {"differs": "differ", "overtaken": "changed meanwhile"}
    told = ", ".join(f"{count:,} {words.get(name, name)}" for name, count in sorted(counted.items()))
    tell(f"{system} in version {system.version}: {told}")
    if left:
        tell(f"{left:,} more were made by other code: --limit leaves them out")
    if not is_replaced:
        tell("nothing was replaced: --replace writes it")

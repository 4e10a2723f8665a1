"""``cim watch``: the entities that a question asks for, then what becomes of them."""

import argparse
import re
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from nats.aio.client import Client

from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.output import print_json, tell
from cim.cli.place import find_machine, reach, run_until_stopped
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.live import Change, Place
from cim.contract.subjects import MACHINE
from cim.domain.errors import CimError
from cim.doors.live import LiveDoor
from cim.doors.queries import QueryDoor
from cim.doors.serving import publisher
from cim.doors.watcher import Anew, live
from cim.leaf.lock import find_running
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.node import background, join
from cim.world.trail import summary

_FILTER = re.compile(r"\s*([\w.]+)\s*(==|!=|<=|>=|<|>|\bin\b)\s*(.+?)\s*\Z", re.DOTALL)


def run(given: argparse.Namespace) -> int:
    """Print what is there and what becomes of it, until interrupted; with --once what is there."""
    run_until_stopped(_watch(find_machine(given.machine), question(given), given))
    return 0


def question(given: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, as the question of a live query."""
    where = [filter_of(text) for text in given.where]
    asked = {"of": given.entity, "with": given.having, "without": given.without, "where": where}
    return {**asked, "show": given.show} if given.show else asked


def filter_of(text: str) -> dict[str, Any]:
    """A condition such as ``total > 100``; what is compared with is JSON, or else a text as it stands."""
    found = _FILTER.match(text)
    if found is None:
        raise CimError(f"--where {text!r} is no condition: write FIELD OPERATOR VALUE, such as 'total > 100'")
    field, operator, operand = found.groups()
    with suppress(codec.BadBody):
        operand = codec.json_value(operand.encode())
    return {"field": field, "operator": operator, "operand": operand}


async def _watch(machine: Machine, asked: dict[str, Any], given: argparse.Namespace) -> None:
    if not given.once and find_running(machine.state) is None:
        raise CimError(
            f"no leaf of machine {machine.name} runs: start one with `cim up {machine.folder}`, or ask with "
            f"--once for what is there"
        )
    async with reach(machine) as (client, running):
        if running is not None:
            await _print_all(client, asked, given)
            return
        # No leaf runs: the log is folded here, and the question is answered here.
        composition = compose(load_contexts(machine, machine.modules))
        async with join(machine, client, composition, (), tell) as node:
            door = LiveDoor(composition, node.world, publisher(client, tell), SystemClock(), tell)
            queries = QueryDoor(composition, node.world, node.answers, None, door)
            async with queries.serve(client, (MACHINE,), tell), background(door.run()):
                await _print_all(client, asked, given)


async def _print_all(client: Client, asked: dict[str, Any], given: argparse.Namespace) -> None:
    following = live(client, SystemClock(), SystemEntropy(), asked, "cli", trouble=tell)
    begun = whole = False
    async with aclosing(following) as told:
        async for one in told:
            if given.json:
                print_json(as_line(one))
            elif isinstance(one, Change):
                print(_in_words(one), flush=True)
            elif isinstance(one, Anew) and begun:
                tell(f"all is told anew: {one.why}")
            elif isinstance(one, Place) and not whole and not given.once:
                tell(f"that is all at sequence {one.sequence}; what changes follows")
            begun, whole = True, isinstance(one, Place) or (whole and not isinstance(one, Anew))
            if given.once and whole:
                return


def as_line(one: Anew | Change | Place) -> dict[str, Any]:
    """What was told as data: the shape is kept stable."""
    match one:
        case Anew():
            return {"what": "anew", "why": one.why}
        case Place():
            return {"what": "reached", "sequence": one.sequence, "basis": one.basis}
        case Change():
            return dict(msgspec.to_builtins(one))


def _in_words(one: Change) -> str:
    values = {name: value for name, value in (one.values or {}).items() if value is not None}
    shown = "; ".join(f"{name}: {summary(value)}" for name, value in values.items())
    stopped = f"; stopped: {one.stopped}" if one.stopped else ""
    line = f"{one.what:<7}  {one.sequence:>7}  {one.id}  {shown}{stopped}"
    return "".join(letter if letter.isprintable() else " " for letter in line).rstrip()

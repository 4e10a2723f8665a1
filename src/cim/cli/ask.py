"""``cim ask``: a declared query from the command line."""

import argparse
from collections.abc import Mapping
from typing import Any

from cim.adapters.system import SystemClock
from cim.cli.output import print_json, print_table, tell
from cim.cli.place import find_machine, reach, run_until_stopped
from cim.cli.rows import shown
from cim.cli.send import parse_fields
from cim.contract.composition import Composition, compose
from cim.contract.query import QueryType
from cim.domain.errors import CimError
from cim.doors.asker import ask_query
from cim.doors.queries import QueryDoor
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.node import join


def run(given: argparse.Namespace) -> int:
    """Ask it and print the answer."""
    told = run_until_stopped(_ask(find_machine(given.machine), given))
    if told["stopped"] is not None:
        tell(f"{given.query} answers from rows that stopped at {told['sequence']}: {told['stopped']}")
    if given.json:
        print_json(told)
    else:
        _print(told["answer"])
    return 0


async def _ask(machine: Machine, given: argparse.Namespace) -> Mapping[str, Any]:
    composition = compose(load_contexts(machine, machine.modules))
    kind = _query(composition, given.query)
    fields = parse_fields(given.fields)
    question = kind.asked_by_text({name: _text(name, value) for name, value in fields.items()})
    question |= {"reached": given.reached or 0, "patience": given.patience}
    clock = SystemClock()
    async with reach(machine) as (client, running):
        if running is not None:
            return await ask_query(client, clock, given.query, question, "cli")
        # No leaf runs: the rows are folded here, up to the log's end, and the question is answered here.
        async with join(machine, client, composition, (), tell, (), composition.projections) as node:
            await node.folded()
            async with QueryDoor(composition, node.world, node.answers).serve(client, (kind.owner,), tell):
                return await ask_query(client, clock, given.query, question, "cli")


def _query(composition: Composition, name: str) -> QueryType:
    if name in map(str, composition.projections):
        raise CimError(f"{name} is a projection, which answers with its rows: `cim rows {name}`")
    return composition.query(name)


def _text(name: str, value: str | bytes) -> str:
    if isinstance(value, bytes):
        raise CimError(f"field {name} takes no file: a question is small")
    return value


def _print(answer: Any) -> None:
    """The records of a list as a table; whatever else as it is."""
    if isinstance(answer, list) and answer and all(isinstance(one, dict) for one in answer):
        columns = tuple(dict.fromkeys(name for one in answer for name in one))
        print_table(columns, [tuple(shown(one.get(name)) for name in columns) for one in answer])
    elif isinstance(answer, dict):
        print_table(("", ""), [(name, shown(value)) for name, value in answer.items()])
    elif isinstance(answer, list):
        print("\n".join(map(shown, answer)) or "none")
    else:
        print(shown(answer))

"""``cim rows``: the rows of a projection, and how far each is behind the log."""

import argparse
import asyncio
from contextlib import AsyncExitStack
from typing import Any

from cim.adapters.system import SystemClock
from cim.cli.output import print_json, print_table, tell
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.contract import codec
from cim.contract.composition import Composition, compose
from cim.domain.errors import CimError
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.node import background
from cim.leaf.persons import reading
from cim.leaf.rows import row_store
from cim.log.backoff import delays
from cim.log.sealing import Sealing
from cim.ports.rows import Place
from cim.projections.projector import Projector
from cim.projections.reading import Standing, read_rows, standing

Rows = list[dict[str, Any]]


def run(given: argparse.Namespace) -> int:
    """Print rows, or how far each projection is; 1 where a row was asked for by its key and is not there."""
    machine = find_machine(given.machine)
    if given.projection is None:
        _print_standings(run_until_stopped(_standings(machine)), given.json)
        return 0
    last, found, rows = run_until_stopped(_rows(machine, given))
    trouble = _trouble(found, last)
    if trouble:
        tell(f"{given.projection} {trouble}")
    if given.json:
        for row in rows:
            print_json(row)
    elif rows:
        print_table(tuple(rows[0]), [tuple(map(shown, row.values())) for row in rows])
    return 0 if rows or not given.key else 1


async def _rows(machine: Machine, given: argparse.Namespace) -> tuple[int, Standing, Rows]:
    """The log's last sequence, how far the rows are, and the rows."""
    composition, store = _composed(machine), row_store(machine)
    if given.projection not in store.names():
        composition.projection(given.projection)  # refuses by name what no module declares
    async with AsyncExitStack() as stack:
        last, sealing = await _brought_up(machine, composition, stack)
        if given.reached is not None:
            await _until(store.place(given.projection), given)
        return last, *read_rows(store.place(given.projection), given.key, sealing)


async def _standings(machine: Machine) -> list[dict[str, Any]]:
    composition = _composed(machine)
    async with AsyncExitStack() as stack:
        last, _ = await _brought_up(machine, composition, stack)
        store = row_store(machine)
        names = {*store.names(), *map(str, composition.projections)}
        return [_as_line(name, standing(store.place(name)), last) for name in sorted(names)]


async def _brought_up(
    machine: Machine, composition: Composition, stack: AsyncExitStack
) -> tuple[int, Sealing]:
    """The log's last sequence, and what opens personal values. Where no leaf runs that folds the log, it is
    folded here up to there."""
    client, running = await stack.enter_async_context(reach(machine))
    log = await open_log(client)
    last, sealing = await log.last(), await reading(machine, log)
    if running is None:
        store, clock = row_store(machine), SystemClock()
        projectors = [Projector(kind, store, log, clock, tell, sealing) for kind in composition.projections]
        async with background(*(projector.run() for projector in projectors)):
            for projector in projectors:
                await projector.settled(last)
    return last, sealing


async def _until(place: Place, given: argparse.Namespace) -> None:
    """Wait until the rows hold a sequence: whoever wrote it then reads it."""
    waited = 0.0
    for delay in delays():
        found = standing(place)
        if found.sequence >= given.reached:
            return
        if found.stopped is not None or waited > given.patience:
            why = f"it stopped: {found.stopped}" if found.stopped else f"not within {given.patience:g} s"
            raise CimError(f"{given.projection} is at {found.sequence} and not at {given.reached}: {why}")
        await asyncio.sleep(delay)
        waited += delay


def _composed(machine: Machine) -> Composition:
    return compose(load_contexts(machine, machine.modules))


def _as_line(name: str, found: Standing, last: int) -> dict[str, Any]:
    """How far a projection is, as data: the shape is kept stable."""
    behind = max(0, last - found.sequence)
    return {
        "projection": name,
        "sequence": found.sequence,
        "last": last,
        "behind": behind,
        "stopped": found.stopped,
        "anew": found.anew,
    }


def _print_standings(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(one)
    elif found:
        rows = [
            (one["projection"], str(one["sequence"]), str(one["behind"]), _trouble_of(one)) for one in found
        ]
        print_table(("projection", "sequence", "behind", ""), rows)
    else:
        print("no module here declares a projection")


def _trouble_of(line: dict[str, Any]) -> str:
    return _trouble(Standing(line["sequence"], line["stopped"], line["anew"]), line["last"])


def _trouble(found: Standing, last: int) -> str:
    """Why the rows are not those of the whole log; empty where they are."""
    if found.stopped is not None:
        return f"stopped: {found.stopped}; what frees it is changed code, or `cim release`"
    if found.anew is not None:
        return f"is folded anew by newer code, at {found.anew} of {last}: these are the rows before"
    return f"is {last - found.sequence} behind the log" if found.sequence < last else ""


def shown(value: Any) -> str:
    """A value as a cell of a table."""
    if value is None:
        return ""
    return value if isinstance(value, str) else codec.json_bytes(value).decode()

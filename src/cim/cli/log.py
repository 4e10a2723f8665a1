"""``cim log``: the log, a message a line."""

import argparse
from contextlib import suppress
from typing import Any

from cim.adapters.system import SystemClock
from cim.cli.output import print_json, tell
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger
from cim.leaf.machine import Machine
from cim.leaf.persons import reading
from cim.log.consumer import consume
from cim.log.erasure import erased
from cim.log.sealing import Sealing
from cim.world.trail import summary


def run(given: argparse.Namespace) -> int:
    """Print every message; with --follow, go on until interrupted."""
    run_until_stopped(_log(find_machine(given.machine), given.json, given.follow))
    return 0


async def _log(machine: Machine, as_json: bool, follow: bool) -> None:
    async with reach(machine) as (client, _running):
        log = await open_log(client)
        sealing = await reading(machine, log)

        async def show(batch: list[Commit]) -> None:
            for commit in batch:
                with suppress(codec.BadBody):
                    said = erased(commit)
                    if said is not None:
                        sealing.forget(said.person)
                print_commit(commit, as_json, sealing)

        if follow:
            await consume(log, SystemClock(), 0, show, tell)
        async for commit in log.read(">"):
            print_commit(commit, as_json, sealing)


def as_line(commit: Commit, sealing: Sealing | None = None) -> dict[str, Any]:
    """A commit as data, personal values opened by ``sealing``: the shape is kept stable."""
    return {
        "sequence": commit.sequence,
        "subject": commit.subject,
        "number": commit.number,
        "id": commit.id,
        "correlation": commit.origin.correlation,
        "causation": commit.origin.causation,
        "owner": commit.origin.owner,
        "time": commit.time,
        "data": [codec.plain(item) for item in items_of(commit, sealing)],
        **({"stranger": commit.reason} if isinstance(commit, Stranger) else {}),
    }


def items_of(commit: Commit, sealing: Sealing | None = None) -> list[codec.Item]:
    """The items of a commit; none where nobody can read them."""
    if isinstance(commit, Stranger):
        return []
    try:
        return codec.decode(commit.body if sealing is None else sealing.shown(commit))
    except codec.BadBody:
        return []


def print_commit(commit: Commit, as_json: bool, sealing: Sealing | None = None) -> None:
    """One commit as a line of JSON, or for a person."""
    if as_json:
        print_json(as_line(commit, sealing))
        return
    if isinstance(commit, Stranger):
        line = f"{commit.sequence:>7}  no machine wrote this  {commit.subject}  {commit.reason}"
        print("".join(letter if letter.isprintable() else " " for letter in line), flush=True)
        return
    items = "; ".join(f"{item.type} {summary(item.data)}"[:100] for item in items_of(commit, sealing))
    print(
        f"{commit.sequence:>7}  {commit.time}  {commit.subject} #{commit.number}  {items or '(nothing)'}",
        flush=True,
    )

"""``cim log``: the log, a message a line."""

import argparse
from typing import Any

from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.cli.output import print_json, tell
from cim.cli.place import find_machine, reach, run_until_stopped
from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger
from cim.leaf.machine import Machine
from cim.log.consumer import consume
from cim.world.trail import summary


def run(given: argparse.Namespace) -> int:
    """Print every message; with --follow, go on until interrupted."""
    run_until_stopped(_log(find_machine(given.machine), given.json, given.follow))
    return 0


async def _log(machine: Machine, as_json: bool, follow: bool) -> None:
    async def show(batch: list[Commit]) -> None:
        for commit in batch:
            print_commit(commit, as_json)

    async with reach(machine) as (client, _running):
        log = await NatsLog.open(client)
        if follow:
            await consume(log, SystemClock(), 0, show, tell)
        async for commit in log.read(">"):
            print_commit(commit, as_json)


def as_line(commit: Commit) -> dict[str, Any]:
    """A commit as data: the shape is kept stable."""
    return {
        "sequence": commit.sequence,
        "subject": commit.subject,
        "number": commit.number,
        "id": commit.id,
        "correlation": commit.origin.correlation,
        "causation": commit.origin.causation,
        "owner": commit.origin.owner,
        "time": commit.time,
        "data": [codec.plain(item) for item in items_of(commit)],
        **({"stranger": commit.reason} if isinstance(commit, Stranger) else {}),
    }


def items_of(commit: Commit) -> list[codec.Item]:
    """The items of a commit; none where nobody can read them."""
    try:
        return [] if isinstance(commit, Stranger) else codec.decode(commit.body)
    except codec.BadBody:
        return []


def print_commit(commit: Commit, as_json: bool) -> None:
    """One commit as a line of JSON, or for a person."""
    if as_json:
        print_json(as_line(commit))
        return
    if isinstance(commit, Stranger):
        line = f"{commit.sequence:>7}  no machine wrote this  {commit.subject}  {commit.reason}"
        print("".join(letter if letter.isprintable() else " " for letter in line), flush=True)
        return
    items = "; ".join(f"{item.type} {summary(item.data)}"[:100] for item in items_of(commit))
    print(
        f"{commit.sequence:>7}  {commit.time}  {commit.subject} #{commit.number}  {items or '(nothing)'}",
        flush=True,
    )

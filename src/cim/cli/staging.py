"""``cim agent activate``, ``suspend``, ``retire`` and ``prompt``: what people say of agents, into the log."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.output import print_json
from cim.cli.place import owner, reach, run_until_stopped
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.domain.errors import CimError
from cim.leaf.machine import Machine, load_contexts
from cim.log.append import Appended, append
from cim.log.backoff import outlast
from cim.log.chain import Head
from cim.log.entry import entry
from cim.log.staging import PROMPTED, STAGED, Prompted, Stage, Staged, agent_ref

SAYINGS: Mapping[str, Stage | None] = {
    "activate": "active",
    "suspend": "suspended",
    "retire": "retired",
    "prompt": None,
}
"""The words of the command, each with the stage that it puts an agent in."""

ALL = "all"
"""The name that stands for every agent of the machine."""


def say(machine: Machine, given: argparse.Namespace) -> int:
    """Write it down, and say what holds from now on."""
    stage = SAYINGS[given.what]
    if stage is not None and not given.reason.strip():
        raise CimError(
            f"--reason is empty: say why, it stands in the log (`cim agent {given.what} … --reason TEXT`)"
        )
    for agent, sequence in run_until_stopped(_say(machine, given, stage)):
        if given.json:
            print_json({"agent": agent, "stage": stage, "sequence": sequence})
        else:
            what = (
                f"is {stage}" if stage is not None else "is told to be that, in runs that begin from here on"
            )
            print(f"{agent} {what}, since sequence {sequence}")
    return 0


async def _say(machine: Machine, given: argparse.Namespace, stage: Stage | None) -> list[tuple[str, int]]:
    there = [
        str(one) for one in compose(load_contexts(machine, machine.modules)).systems if one.agent is not None
    ]
    chosen = there if given.name == ALL and stage is not None else [one for one in there if one == given.name]
    if not chosen:
        raise CimError(f"there is no agent {given.name!r} here; there are: {', '.join(there) or 'none'}")
    clock = SystemClock()
    async with reach(machine) as (client, _running):
        log = await outlast(lambda: NatsLog.open(client), clock)
        return [(one, await _one(log, machine, one, _said(one, given, stage))) for one in chosen]


def _said(agent: str, given: argparse.Namespace, stage: Stage | None) -> Staged | Prompted:
    if stage is not None:
        return Staged(agent, stage, given.reason)
    if given.text is None:
        raise CimError(
            "what is it told to be? give it with --text TEXT, --text @FILE, or --text '' for its code's"
        )
    return Prompted(agent, prompt_text(given.text))


def prompt_text(given: str) -> str:
    """What ``--text`` gives: a text, or with ``@`` what is in a file."""
    return Path(given[1:]).read_text() if given.startswith("@") else given


async def _one(log: NatsLog, machine: Machine, agent: str, said: Staged | Prompted) -> int:
    clock, subject = SystemClock(), agent_ref(agent).events
    origin = Origin.root(SystemEntropy().new_id(), owner())
    written = entry(
        subject, STAGED if isinstance(said, Staged) else PROMPTED, said, origin, machine.source, clock
    )
    while True:
        head = Head()
        async for commit in log.read(subject):
            head = head.past(commit)
        outcome = await append(log, clock, written, head)
        if isinstance(outcome, Appended):
            return outcome.commit.sequence

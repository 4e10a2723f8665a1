"""``cim agent``: agents and their stages, their runs, one step by step, and a replay that asks nobody."""

import argparse
import time
from typing import Any

from rich.console import Console
from rich.markup import escape

from cim.agents.past import Past, PastRun
from cim.agents.stages import Stages
from cim.cli.fork import fork
from cim.cli.output import print_json, print_table
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.cli.staging import SAYINGS, say
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.tool import Tool
from cim.domain.errors import CimError
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.models import Models
from cim.leaf.persons import reading
from cim.leaf.replaying import replayed

SHORT = 12
"""Hex digits of a run's id that name it on the command line, if no other begins so."""

LONGEST = 400
"""Characters of what was asked and said that are shown, without --json."""


def run(given: argparse.Namespace) -> int:
    """Print what was asked for, or say something of an agent."""
    machine = find_machine(given.machine)
    if given.what in SAYINGS:
        return say(machine, given)
    past, stages = run_until_stopped(_past(machine))
    if given.what == "list":
        _agents(machine, past, stages, given)
        return 0
    if given.what == "runs":
        _list([one for one in past.runs.values() if given.name in ("", str(one.began.system))], given)
        return 0
    if not given.name:
        raise CimError(f"which run? `cim agent runs` lists them; then `cim agent {given.what} RUN`")
    found = chosen(past, given.name)
    if given.what == "show":
        _show(found, given)
        return 0
    prompt = stages.prompt_of(found.began.system, found.began.prompt)
    if given.what == "fork":
        return fork(machine, found, prompt, given)
    return _replay(machine, found, prompt, given)


async def _past(machine: Machine) -> tuple[Past, Stages]:
    composition = compose(load_contexts(machine, machine.modules))
    async with reach(machine) as (client, _running):
        log = await open_log(client)
        past, stages = Past(await reading(machine, log)), Stages(composition.systems)
        async for commit in log.read(">"):
            past.apply(commit)
            stages.apply(commit)
        return past, stages


def _agents(machine: Machine, past: Past, stages: Stages, given: argparse.Namespace) -> None:
    """Each agent: its stage and who put it there, what it thinks with, what it may do, and what it did."""
    models, rows = Models(machine), list[dict[str, Any]]()
    for system in compose(load_contexts(machine, machine.modules)).systems:
        if system.agent is None or given.name not in ("", str(system)):
            continue
        said = stages.said(str(system))
        runs = [one for one in past.runs.values() if one.began.system == str(system)]
        rows.append(
            {
                "agent": str(system),
                "stage": stages.stage(str(system)),
                "by": said.by,
                "reason": said.reason,
                "model": models.named(system),
                "version": system.version,
                "prompt": stages.prompt(str(system))[0],
                "tools": [
                    f"{one.grant} (asks)" if one.asks else one.grant for one in system.agent.tools.values()
                ],
                "runs": len(runs),
                "tokens": [sum(one.tokens[0] for one in runs), sum(one.tokens[1] for one in runs)],
            }
        )
    if given.json:
        for row in rows:
            print_json(row)
    elif rows:
        heads = ("agent", "stage", "by", "model", "tools", "runs", "tokens in", "out")
        print_table(
            heads,
            [
                (
                    row["agent"],
                    row["stage"],
                    row["by"] or "its code",
                    row["model"],
                    ", ".join(row["tools"]) or "none",
                    str(row["runs"]),
                    *map(str, row["tokens"]),
                )
                for row in rows
            ],
        )
    else:
        print("no module here declares an agent")


def chosen(past: Past, name: str) -> PastRun:
    """The run whose id begins so; raises :class:`CimError` where that is none or several."""
    found = [one for id, one in past.runs.items() if id.startswith(name)]
    if len(found) != 1:
        many = (
            f"{len(found)} runs begin with {name}: give more of it" if found else f"no run begins with {name}"
        )
        raise CimError(f"{many}; `cim agent runs` lists them")
    return found[0]


def as_data(run: PastRun) -> dict[str, Any]:
    """A run as plain data: the shape is kept stable."""
    return {
        "run": run.ref.id,
        "agent": run.began.system,
        "version": run.began.version,
        "entity": str(run.on),
        "model": run.began.model,
        "owner": run.owner,
        "correlation": run.correlation,
        "began": run.time,
        "outcome": run.outcome or "under way",
        "cause": run.cause,
        "requests": run.requests,
        "tokens": list(run.tokens),
        "steps": [codec.plain(step) for step in run.steps],
    }


def _list(runs: list[PastRun], given: argparse.Namespace) -> None:
    if given.json:
        for one in runs:
            print_json(as_data(one))
        return
    if not runs:
        print("no agent has run")
        return
    heads = ("run", "agent", "entity", "model", "steps", "tokens in", "out", "outcome")
    print_table(
        heads,
        [
            (
                one.ref.id[:SHORT],
                one.began.system,
                str(one.on),
                one.began.model,
                str(len(one.steps)),
                *map(str, one.tokens),
                one.outcome or "under way",
            )
            for one in runs
        ],
    )


def _show(run: PastRun, given: argparse.Namespace) -> None:
    if given.json:
        print_json(as_data(run))
        return
    console = Console(highlight=False)
    console.print(
        f"[bold]{escape(run.began.system)}[/] on {escape(str(run.on))}, by {escape(run.began.model)}, "
        f"for {escape(run.owner)}, {run.time}"
    )
    for step in run.steps:
        spent = f", {step.tokens_in} tokens in, {step.tokens_out} out" if step.tokens_in else ""
        console.print(
            f"\n[bold]{step.think}.{step.number} {escape(step.what)}[/]  [dim]{step.took:,.0f} ms{spent}[/]"
        )
        console.print(f"  [dim]asked[/] {escape(_short(step.asked))}", soft_wrap=True)
        console.print(f"  [dim]said [/] {escape(_short(step.said))}", soft_wrap=True)
    cause = f": {run.cause}" if run.cause else ""
    console.print(f"\n{escape((run.outcome or 'under way') + cause)}")


def _short(text: Any) -> str:
    shown = text if isinstance(text, str) else "[sealed]"
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def _tool(granted: Tool) -> str:
    return f"{granted.grant} (asks)" if granted.asks else granted.grant


def _replay(machine: Machine, run: PastRun, prompt: str, given: argparse.Namespace) -> int:
    composition = compose(load_contexts(machine, machine.modules))
    began = time.monotonic()
    outcome = replayed(machine, composition, run, prompt)
    took = (time.monotonic() - began) * 1000
    said = {"run": run.ref.id, "steps": len(run.steps), "took": round(took, 3), **outcome}
    if given.json:
        print_json(said)
    else:
        head = f"{run.began.system} {run.ref.id[:SHORT]}"
        print(f"{head}: {len(run.steps)} steps replayed in {took:,.0f} ms, no call made")
        for one in outcome["outputs"]:
            print(f"  {one['type']} {codec.json_bytes(one['data']).decode()}" if one else "  None")
        if outcome["cause"]:
            print(f"  failed: {outcome['cause']}")
    return 0

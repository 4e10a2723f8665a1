"""``cim agent fork``: a run made anew from one of its steps on, beside what it was."""

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from rich.console import Console
from rich.markup import escape

from cim.adapters.system import SystemClock
from cim.agents.fork import Fork, place_of
from cim.agents.past import PastRun
from cim.agents.steps import Step
from cim.cli.output import print_json
from cim.cli.place import reach, run_until_stopped
from cim.cli.staging import prompt_text
from cim.contract import codec
from cim.contract.composition import compose
from cim.domain.errors import CimError
from cim.leaf.agent_doors import AgentDoors
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.replaying import agent_of, forked

LONGEST = 200
"""Characters of what was said in a step that are shown, without --json."""


def fork(machine: Machine, run: PastRun, prompt: str, given: argparse.Namespace) -> int:
    """Make the run anew and print both; ``prompt`` is what it was told to be."""
    if given.at is None:
        raise CimError("--at is missing: from which step on? `cim agent show RUN` numbers them, such as 0.2")
    text = prompt if given.text is None else prompt_text(given.text)
    found, outcome = run_until_stopped(_made(machine, run, place_of(given.at), text, given.model))
    if given.json:
        print_json(
            {
                "run": run.ref.id,
                "at": given.at,
                "kept": len(found.kept),
                "was": [codec.plain(step) for step in run.steps[len(found.kept) :]],
                "steps": [codec.plain(step) for step in found.steps],
                **outcome,
            }
        )
    else:
        _print(run, found, outcome)
    return 0


async def _made(
    machine: Machine, run: PastRun, at: tuple[int, int], prompt: str, model: str | None
) -> tuple[Fork, dict[str, Any]]:
    composition = compose(load_contexts(machine, machine.modules))
    system = agent_of(composition, run)
    if model is not None:
        bound = machine.agents.get(model, model)
        machine = replace(machine, agents={**machine.agents, str(system): bound})
    loop = asyncio.get_running_loop()
    async with reach(machine) as (client, _):
        doors = AgentDoors(client, SystemClock())

        def ask(name: str, question: Mapping[str, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(doors.ask(name, question), loop).result()

        found = Fork(run, system, at, prompt, ask)
        # In a thread with a loop of its own: what an agent's function asks there is answered by this one.
        return found, await asyncio.to_thread(forked, machine, composition, found)


def _print(run: PastRun, found: Fork, outcome: Mapping[str, Any]) -> None:
    console = Console(highlight=False)
    kept = len(found.kept)
    steps = "step was" if kept == 1 else "steps were"
    console.print(f"[bold]{escape(run.began.system)}[/] on {escape(str(run.on))}: {kept} {steps} kept")
    for was, now in zip_longest(run.steps[kept:], found.steps):
        for head, step in (("was", was), ("now", now)):
            console.print(f"  [dim]{head}[/] {escape(_line(step))}", soft_wrap=True)
    if outcome["would"] is not None:
        would = outcome["would"]
        text = codec.json_bytes(would["arguments"]).decode()
        console.print(f"it would send {escape(would['command'])} {escape(text)}, and that is not done here")
    for one in outcome["outputs"]:
        said = "None" if one is None else f"{one['type']} {codec.json_bytes(one['data']).decode()}"
        console.print(f"it would come to {escape(said)}", soft_wrap=True)
    if outcome["cause"]:
        console.print(f"it would fail: {escape(outcome['cause'])}", soft_wrap=True)


def _line(step: Step | None) -> str:
    if step is None:
        return "nothing"
    said = step.said if len(step.said) <= LONGEST else f"{step.said[:LONGEST]}…"
    return f"{step.think}.{step.number} {step.what}: {said}"

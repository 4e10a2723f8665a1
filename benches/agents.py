"""What an agent costs beside its model: a step, runs on a leaf, a replay of a hundred steps, a crash at each.

``PYTHONPATH=benches python benches/agents.py [--runs N] [--write]``. The model answers at once and is the
same on every side. Its rival is the library alone (`pydantic-ai`), which keeps nothing.
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_ai import Agent, StructuredDict
from pydantic_ai.models.function import FunctionModel

from agents_desk import AtOnce, Letter, Tone, Write, agents_desk
from agents_pond import STEPS, agents_pond, ponder
from cim.adapters.system import SystemClock, SystemEntropy
from cim.agents.thinking import Thinking, run
from cim.cli.output import progress
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.doors.sender import send
from cim.leaf.compose import leaf
from cim.leaf.machine import load_machine
from cim.testing.thinking import InMemory, Killed
from tables import table, write_section

COMMAND = "PYTHONPATH=benches python benches/agents.py --write"
SYSTEMS = {system.name: system for system in compose([agents_desk, agents_pond]).systems}
MACHINE = """
name = "agents"
modules = ["agents_desk"]
port = 0

[agents]
default = { use = "agents_desk:AtOnce" }
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall and processor milliseconds of one run, over so many."""

    wall: float
    processor: float


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured."""

    bare: Cost
    engine: Cost
    leaf_rate: float
    replay: float
    first: float
    killed: int
    repeated: int


def main() -> None:
    """Measure, print, and write into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--runs", type=int, default=500)
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    found = measure(given.runs)
    body = report(found)
    print(body)
    if given.write:
        notes = (
            f"A model that answers at once; {given.runs} runs of one request each, and one of {STEPS}.\n"
            "The leaf is a whole one on a real server (`dev`), each step a commit; the library keeps nothing."
        )
        write_section("Agents", COMMAND, notes, body)


def measure(runs: int, every: int = 1) -> Found:
    """All of it; ``runs`` of the small agent, and the large one killed behind ``every`` so manieth step."""
    with progress() as bar:
        task = bar.add_task("agents", total=5)

        def done(one: Any) -> Any:
            bar.advance(task)
            return one

        bare = done(_timed(runs, _library()))
        engine = done(_timed(runs, _engine()))
        rate = done(asyncio.run(_on_a_leaf(runs)))
        first, again = done(_replayed())
        killed, repeated = done(_crashed(every))
    return Found(bare, engine, rate, again, first, killed, repeated)


def _timed(runs: int, one: Callable[[], Awaitable[Any]]) -> Cost:
    async def all() -> Cost:
        await one()
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(runs):
            assert await one()
        took = time.perf_counter() - wall, time.process_time() - processor
        return Cost(took[0] * 1000 / runs, took[1] * 1000 / runs)

    return asyncio.run(all())


def _library() -> Callable[[], Awaitable[Any]]:
    answer = SYSTEMS["judge"].agent
    assert answer is not None
    schema = StructuredDict(answer.thinks["think"].schema, name="answer")
    agent = Agent(FunctionModel(AtOnce()), name="bare", instructions="You judge letters.", output_type=schema)

    async def one() -> Any:
        return (await agent.run('How does it sound?\\n\\nLetter: {"text":"Dear you"}')).output

    return one


def _thinks(name: str) -> Mapping[str, Any]:
    system = SYSTEMS[name]
    assert system.agent is not None
    model = FunctionModel(AtOnce())
    return {key: Thinking(system, one, model, {}) for key, one in system.agent.thinks.items()}


def _engine() -> Callable[[], Awaitable[Any]]:
    thinks, system = _thinks("judge"), SYSTEMS["judge"]

    async def one() -> Any:
        steps = InMemory()
        found = await run(steps, lambda: system.function(Letter("Dear you"), **thinks))
        assert found == Tone("warm")
        assert len(steps.steps) == 1
        return found

    return one


async def _on_a_leaf(runs: int) -> float:
    """Runs a second, each with one request and its result in the log."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "machine.toml").write_text(MACHINE)
        # Its workers find the module there, from wherever this is run.
        shutil.copy(Path(__file__).with_name("agents_desk.py"), folder)
        async with leaf(load_machine(folder), lambda text: None) as up:
            node = up.node
            kind = node.composition.entities["agents_desk", "Letter"]

            async def write(number: int) -> None:
                origin, clock = Origin.root(SystemEntropy().new_id(), "bench"), SystemClock()
                command = Write(f"l{number}", "Dear you")
                await send(node.client, clock, kind, command, origin, "bench", 30.0)

            await write(-1)
            await node.idle()
            began = time.perf_counter()
            await asyncio.gather(*(write(number) for number in range(runs)))
            await node.idle()
            took = time.perf_counter() - began
            judged = [one async for one in node.world.entities.each() if "Tone" in one.cells]
            assert len(judged) == runs + 1
            return runs / took


def _replayed() -> tuple[float, float]:
    """Milliseconds of a run of a hundred steps, and of its replay."""
    thinks, steps = _thinks("ponder"), InMemory()

    def one() -> float:
        began = time.perf_counter()
        asyncio.run(run(steps, lambda: ponder(Letter("Dear you"), **thinks)))
        return (time.perf_counter() - began) * 1000

    first, again = one(), one()
    assert len(steps.steps) == STEPS
    return first, again


def _crashed(every: int) -> tuple[int, int]:
    """A run that is killed behind each of its steps: how often, and how many steps were made twice."""
    thinks, steps, killed = _thinks("ponder"), InMemory(), 0
    while True:
        steps.after = len(steps.steps) + every
        if steps.after > STEPS:
            steps.after = None
        try:
            asyncio.run(run(steps, lambda: ponder(Letter("Dear you"), **thinks)))
            break
        except Killed:
            killed += 1
    return killed, len(steps.steps) - len({(one.think, one.number) for one in steps.steps})


def report(found: Found) -> str:
    """The table."""
    bare, engine = found.bare, found.engine
    over = engine.processor - bare.processor
    rows = [
        ("a run of the library alone", f"{bare.wall:.2f} ms", f"{bare.processor:.2f} ms", "keeps nothing"),
        ("as an agent", f"{engine.wall:.2f} ms", f"{engine.processor:.2f} ms", f"+{over:.2f} ms"),
        ("runs on a leaf, each step in the log", f"{found.leaf_rate:,.0f}/s", "", "eight at once"),
        (f"a run of {STEPS} steps", f"{found.first:,.0f} ms", "", ""),
        ("its replay", f"{found.replay:,.0f} ms", "", "no call"),
        ("killed behind each step", f"{found.killed} times", "", f"steps made twice: {found.repeated}"),
    ]
    return table(("", "wall", "processor", ""), rows)


if __name__ == "__main__":
    main()

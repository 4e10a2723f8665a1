"""The life of a whole machine from one seed: crashes, cut links, lost and doubled messages, two processes.

``python -m cim.testing.simulation --seed 0 --runs 1000`` prints the summary of many lives. A life is made
from nothing but its seed: ``--seed N --runs 1`` plays life N again.
"""

import argparse
import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass

from cim.actors.request import Receipt
from cim.contract.envelope import Commit
from cim.testing.faulty_log import steps
from cim.testing.jars import HOLDS, Move, Pour, Put
from cim.testing.machine import Machine, ask
from cim.testing.oracle import stored, verdict
from cim.testing.process_oracle import told_of_processes

MOST_JARS, CLIENTS, COMMANDS, DEEDS = 6, 4, 12, 16
LIMIT = 4000
"""Rounds within which a machine comes to rest once its network is calm."""


@dataclass(frozen=True, slots=True)
class Life:
    """How one life went: what is wrong at its end, what was counted, and a digest of its whole log."""

    seed: int
    wrong: tuple[str, ...]
    counted: Counter[str]
    digest: str


def live(seed: int) -> Life:
    """One life from its seed."""
    return asyncio.run(_live(seed))


async def _live(seed: int) -> Life:
    chance = random.Random(seed)
    machine = Machine(chance)
    try:
        await chaos(machine)
        history = await stored(machine)
        wrong = tuple(dict.fromkeys(await verdict(machine, history)))
        return Life(seed, wrong, _counted(machine, history, wrong), machine.processes[0].world.digest)
    finally:
        await machine.stop()


async def chaos(machine: Machine) -> None:
    jars = [f"j{number}" for number in range(machine.chance.randint(1, MOST_JARS))]
    clients = [asyncio.ensure_future(_client(machine, jars, name)) for name in range(CLIENTS)]
    for writer in "ab":
        ids = [f"{writer}{number}" for number in range(COMMANDS)]
        clients.append(asyncio.ensure_future(machine.append("evt.pages.Page.p1", ids)))
    clients.append(asyncio.ensure_future(_intruder(machine)))
    for _ in range(DEEDS):
        await steps(machine.chance.randrange(120))
        deed = machine.chance.choices(["crash", "cut", "jump", "breathe"], [3, 2, 1, 3])[0]
        if deed == "crash":
            await machine.crash(machine.chance.randrange(len(machine.processes)))
        elif deed == "cut":
            machine.process().log.cut(machine.chance.randint(1, 60))
        elif deed == "jump":
            machine.network.faults["clock jumps"] += 1
            machine.process().clock.move(machine.chance.randint(1, 10_000))
    await machine.settle(clients, LIMIT)
    # Whatever it went through, it takes and works off what comes now.
    later = [asyncio.ensure_future(machine.send(ask(Pour(jar), f"later-{jar}"))) for jar in jars]
    await machine.settle(later, LIMIT)


async def _client(machine: Machine, jars: list[str], name: int) -> None:
    """One command after the other, each until it is answered; some ids are used again for something else."""
    for number in range(COMMANDS):
        jar, id = machine.chance.choice(jars), f"c{name}-{number}"
        await machine.send(ask(_command(machine.chance, jars, jar), id))
        if machine.chance.random() < 0.2:
            await machine.send(ask(_command(machine.chance, jars, jar), id))


async def _intruder(machine: Machine) -> None:
    """A jar is begun, and another program writes on its subject."""
    await machine.send(ask(Put("parked", machine.chance.randint(1, HOLDS)), "begun"))
    await machine.network.take_time()
    await machine.intrude("parked")


def _command(chance: random.Random, jars: list[str], jar: str) -> Put | Pour | Move:
    others = [other for other in jars if other != jar]
    if others and chance.random() < 0.3:
        return Move(jar, chance.choice(others), chance.randint(1, HOLDS // 2))
    return Pour(jar) if chance.random() < 0.3 else Put(jar, chance.randint(1, HOLDS + 1))


def _counted(machine: Machine, history: list[Commit], wrong: tuple[str, ...]) -> Counter[str]:
    acknowledged = sum(isinstance(answer.outcome, Receipt) for answer in machine.answers)
    counted = Counter(machine.network.faults)
    counted["crashes"] = machine.crashes
    counted["commands acknowledged"] = acknowledged
    counted["moves acknowledged"] = sum(
        isinstance(answer.outcome, Receipt) and isinstance(answer.asked.command, Move)
        for answer in machine.answers
    )
    counted["commands rejected"] = len(machine.answers) - acknowledged
    counted["appends acknowledged"] = len(machine.appended)
    counted += told_of_processes(history)
    counted["lost"] = sum(text.startswith("lost") for text in wrong)
    counted["doubled"] = sum(text.startswith("doubled") for text in wrong)
    return counted


def main(arguments: list[str] | None = None) -> int:
    """Print the summary of many lives; 1 when something is wrong with one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="the first life's seed; the others follow it")
    parser.add_argument("--runs", type=int, default=100, help="how many lives")
    given = parser.parse_args(arguments)
    total: Counter[str] = Counter()
    failed = 0
    for seed in range(given.seed, given.seed + given.runs):
        life = live(seed)
        total += life.counted
        failed += bool(life.wrong)
        for text in life.wrong:
            print(f"seed {seed}: {text}", flush=True)
    print(f"seeds {given.seed} to {given.seed + given.runs - 1}: {given.runs} runs, {failed} failed")
    first = ["crashes", "link cut", "commands acknowledged", "commands rejected", "appends acknowledged"]
    for name in [*first, *sorted(total.keys() - {*first, "lost", "doubled"}), "lost", "doubled"]:
        print(f"{name:>22}  {total[name]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

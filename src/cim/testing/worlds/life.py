"""The life of a world of random modules: what people do, what breaks, and what is wrong at its end."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cim.actors.request import Asked, content_digest
from cim.adapters.memory.index import MemoryIndex
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.append import OutcomeUnknown, append
from cim.log.chain import Head
from cim.log.entry import entry
from cim.log.retry import RETRY, Retried
from cim.ports.log import LinkLost, Log
from cim.testing.faulty_log import steps
from cim.testing.machine import Machine, Process
from cim.testing.oracle import chains, once, stored
from cim.testing.worlds.module import Modules
from cim.testing.worlds.oracle import Oracle
from cim.testing.worlds.plan import VALUES, Plan, planned
from cim.testing.worlds.settled import settled
from cim.world.entity import Entity
from cim.world.indexed import IndexedEntities
from cim.world.standing import go_on
from cim.world.world import World, ref_of

LIMIT = 8000
"""Rounds within which a world comes to rest once its network is calm."""

MOST_THINGS, MOST_DEEDS = 3, 40

Deed = tuple[Any, ...]
"""``become thing level``, ``say thing component n``, ``retry thing which`` (of its failures),
``crash process``, ``cut process tries``, ``jump process seconds``, ``join`` (the module ``late`` comes), or
``breathe steps``."""


@dataclass(frozen=True)
class Case:
    """A life as it is played: its modules and deeds, the seed of what breaks, and whether nothing does."""

    plan: Plan
    deeds: tuple[Deed, ...]
    seed: int
    calm: bool = False


@dataclass(frozen=True, slots=True)
class Life:
    """How one life went: what is wrong at its end, what was counted, and a digest of its whole log."""

    wrong: tuple[str, ...]
    counted: Counter[str]
    digest: str


def case(seed: int) -> Case:
    """The life of a seed."""
    chance = random.Random(seed)
    plan = planned(chance)
    things = [f"t{number}" for number in range(chance.randint(1, MOST_THINGS))]
    deeds = tuple(_deed(chance, plan, things) for _ in range(chance.randint(10, MOST_DEEDS)))
    return Case(plan, deeds, seed)


def _deed(chance: random.Random, plan: Plan, things: list[str]) -> Deed:
    thing = chance.choice(things)
    said = [one.name for one in plan.components if one.word is not None]
    kinds = {
        "become": 10,
        "say": 5 if said else 0,
        "retry": 5,
        "crash": 3,
        "cut": 2,
        "jump": 1,
        "join": 1,
        "breathe": 8,
    }
    match chance.choices(list(kinds), list(kinds.values()))[0]:
        case "become":
            return "become", thing, chance.randrange(VALUES)
        case "say":
            return "say", thing, chance.choice(said), chance.randrange(VALUES)
        case "retry":
            return "retry", thing, chance.randrange(VALUES)
        case "crash":
            return "crash", chance.randrange(2)
        case "cut":
            return "cut", chance.randrange(2), chance.randint(1, 60)
        case "jump":
            return "jump", chance.randrange(2), chance.randint(1, 100)
        case "join":
            return ("join",)
        case _:
            return "breathe", chance.randrange(150)


def live(played: Case) -> Life:
    """Play a life. Raises :class:`cim.domain.errors.Misdeclared` where the machine refuses its modules."""
    return asyncio.run(live_over(played))


async def live_over(played: Case, stores: Sequence[Log] = ()) -> Life:
    """Play a life over one log, to which each process has a connection of its own among ``stores``; in memory
    where there are none."""
    return await _Living(played, stores).live()


class _Living:
    def __init__(self, played: Case, stores: Sequence[Log]) -> None:
        self._case, self._modules, self._stores = played, Modules(played.plan), stores
        self._late = compose([self._modules.things, self._modules.late])
        self._clients: list[asyncio.Task[Any]] = []

    async def live(self) -> Life:
        self._machine = machine = Machine(
            random.Random(self._case.seed), 2, compose([self._modules.things]), self._stores
        )
        machine.network.calm = self._case.calm
        try:
            for number, deed in enumerate(self._case.deeds):
                await self._do(number, deed)
            await machine.settle(self._clients, LIMIT)
            await self._join()
            await machine.settle([], LIMIT)
            history = await stored(machine)
            oracle = Oracle(self._case.plan)
            for commit in history:
                oracle.take(commit)
            counted = self._counted(oracle)
            wrong = [text async for text in _all_wrong(self._case.plan, machine, history, oracle, counted)]
            return Life(tuple(dict.fromkeys(wrong)), counted, machine.processes[0].world.digest)
        finally:
            await machine.stop()

    async def _do(self, number: int, deed: Deed) -> None:
        machine = self._machine
        match deed:
            case ("become", thing, level):
                self._ask(thing, self._modules.command("Become")(thing, level), f"c{number}")
            case ("say", thing, what, n):
                self._ask(thing, self._modules.command("Say")(thing, what, n), f"c{number}")
            case ("retry", thing, which):
                self._clients.append(asyncio.ensure_future(self._retry(thing, which, f"r{number}")))
            case ("crash", place):
                await machine.crash(place)
            case ("cut", place, tries):
                machine.processes[place].log.cut(tries)
            case ("jump", place, seconds):
                machine.processes[place].clock.move(seconds)
            case ("join",):
                await self._join()
            case (_, count):
                await steps(count)
            case _:
                raise AssertionError(f"nobody knows the deed {deed}")

    def _ask(self, thing: str, command: Any, id: str) -> None:
        ref, name = Ref("things", "Thing", thing), type(command).__name__
        digest = content_digest(ref, name, codec.encode([codec.item(command)]))
        asked = Asked(ref, command, Origin.root(id, "tester"), digest)
        self._clients.append(asyncio.ensure_future(self._machine.send(asked)))

    async def _retry(self, thing: str, which: int, id: str) -> None:
        """A person has a run made again, as ``cim retry`` does, behind what a process knows by then."""
        process = self._machine.process()
        ref = Ref("things", "Thing", thing)
        entity = process.world.entities.at_hand(ref)
        if entity is None or not entity.failures:
            return
        system = entity.failures[which % len(entity.failures)].system
        subject = ref.components(system.partition(".")[0])
        said, origin = Retried(system, "it may go now"), Origin.root(id, "tester")
        commit = entry(subject, RETRY, said, origin, "cim:simulated", process.clock)
        try:
            await append(process.log, process.clock, commit, entity.heads.get(subject, Head()))
        except (LinkLost, OutcomeUnknown):
            return

    async def _join(self) -> None:
        """The later module comes: each process begins anew with it."""
        self._machine.composition = self._late
        for place, process in enumerate(self._machine.processes):
            if process.composition is not self._late:
                await self._machine.crash(place)

    def _counted(self, oracle: Oracle) -> Counter[str]:
        counted = Counter(self._machine.network.faults) + oracle.counted
        counted["crashes"] = self._machine.crashes
        counted["commands acknowledged"] = len(self._machine.answers)
        for system in self._case.plan.systems:
            counted[f"systems: {system.manner}"] += 1
            for read in system.reads:
                counted[f"reads: {read.kind}"] += 1
        return counted


async def _all_wrong(
    plan: Plan, machine: Machine, history: list[Commit], oracle: Oracle, counted: Counter[str]
) -> AsyncIterator[str]:
    for text in (*machine.troubles, *chains(history), *once(history), *oracle.wrong, *oracle.unrest()):
        yield text
    for text in _lost(machine, history):
        yield text
    for id, (level, words) in _said(history).items():
        for name, value in settled(plan, level, words).items():
            counted[
                "components judged by the log" if value == "open" else "components judged by what was said"
            ] += 1
            cell = oracle.things[id]["cells"].get(plan.component(name).key)
            if value != "open" and (None if cell is None else cell["n"]) != value:
                yield f"unlike: {name} of {id} is {cell}; {level} and {words} lead to {value}"
    told = await _folded(machine, history, len(history))
    for place, process in enumerate(machine.processes):
        for text in await _world_wrong(plan, process, oracle):
            yield f"world {place}: {text}"
        if await process.world.fingerprint() != told:
            yield f"world {place}: knows something else than one that folds the log"
    if await _gone_on(machine, history) != told:
        yield "a world that goes on from an index is another one"
    for size in (1, 7):
        if await _folded(machine, history, size) != told:
            yield f"a world that folds {size} entries at once is another one"


async def _folded(machine: Machine, history: list[Commit], size: int) -> str:
    world = World(machine.composition)
    for start in range(0, len(history), max(1, size)):
        await world.take(history[start : start + size])
    return await world.fingerprint()


async def _gone_on(machine: Machine, history: list[Commit]) -> str:
    """What is known by worlds of which each begins where the one before it ended, a third of the way."""
    index, told = MemoryIndex(), list[str]()
    third = len(history) // 3 + 1
    for start in range(0, max(1, len(history)), third):
        entities = IndexedEntities(index, machine.composition, told.append, hot=1, written=2)
        world = World(machine.composition, history=partial(_history, history), entities=entities)
        await go_on(world, entities, index, machine.store, 0, told.append)
        assert world.sequence == start, told
        for commit in history[start : start + third]:
            await world.take([commit])
            await world.keep()
        await world.finish()
    return await world.fingerprint()


async def _history(history: list[Commit], ref: Ref) -> list[Commit]:
    return [commit for commit in history if ref_of(commit.subject) == ref]


def _lost(machine: Machine, history: list[Commit]) -> Iterator[str]:
    there = Counter((commit.id, commit.subject) for commit in history)
    for answer in machine.answers:
        if there[answer.asked.origin.id, answer.asked.ref.events] != 1:
            yield f"lost: {answer.asked.origin.id} has an answer and is not in the log once"


def _said(history: list[Commit]) -> dict[str, tuple[int, dict[str, list[int]]]]:
    """The level of each thing, and what people said of its components, in their order."""
    found: dict[str, tuple[int, dict[str, list[int]]]] = {}
    for commit in history:
        if commit.subject.startswith("evt."):
            id = commit.subject.split(".")[3]
            level, words = found.get(id, (0, {}))
            for item in json.loads(commit.body):
                data = item["data"]
                if item["type"] == "Became":
                    level = data["level"]
                else:
                    words.setdefault(data["what"], []).append(data["n"])
            found[id] = level, words
    return found


async def _world_wrong(plan: Plan, process: Process, oracle: Oracle) -> list[str]:
    known = {one.ref.id: one async for one in process.world.entities.each()}
    if known.keys() != oracle.things.keys():
        return [f"has the things {sorted(known)}, not {sorted(oracle.things)}"]
    said = {id: _shown(entity) for id, entity in known.items()}
    expected = {id: _expected(thing) for id, thing in oracle.things.items()}
    return [f"{id} is {said[id]}, the log says {expected[id]}" for id in known if said[id] != expected[id]]


def _shown(entity: Entity) -> dict[str, Any]:
    return {
        "level": codec.plain(entity.state)["level"],
        "cells": {
            key: cell.value["n"] for key, cell in entity.cells.items() if cell.value and "n" in cell.value
        },
        "gone": {key: gone.cell.value["n"] for key, gone in entity.gone.items()},
        "failed": {key: cell.value for key, cell in entity.cells.items() if key.endswith("Failed")},
        "stopped": entity.stopped,
    }


def _expected(thing: dict[str, Any]) -> dict[str, Any]:
    return {
        "level": thing["level"],
        "cells": {key: cell["n"] for key, cell in thing["cells"].items()},
        "gone": {key: gone["n"] for key, gone in thing["gone"].items()},
        "failed": {
            "Failed" if owner == "things" else f"{owner}.Failed": said
            for owner, said in thing["failed"].items()
        },
        "stopped": None,
    }

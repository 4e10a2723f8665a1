"""What a log of random modules must say, worked out in plain dictionaries from its stored bytes.

The rules are written down from docs/module.md and the decisions 3, 9, 32 and 34, and from nothing of the code
under test: bodies are plain JSON, and what a system reads and makes stands in the plan. After each entry
of the log it is known what stands on each thing, so each run can be asked: was there a moment since the last
entry on its subject at which it was due with these very inputs? Then it is known what it must have written.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from cim.contract.envelope import Commit
from cim.testing.clock import START
from cim.testing.worlds.module import given_to
from cim.testing.worlds.plan import THING, TRIGGERS, Plan, ReadPlan, SystemPlan, blames, found

Thing = dict[str, Any]
"""One thing: ``exists``, ``level``, ``number`` (of the event that last changed it), ``derived`` (what systems
wrote, by key), ``words`` (what people said, by key), ``cells`` (what it carries), ``came`` and ``gone`` (by
key), ``runs`` (the last of each system), and ``failed`` (what each module says failed)."""

NOTHING: Thing = {
    "exists": False,
    "level": 0,
    "number": 0,
    "derived": {},
    "words": {},
    "cells": {},
    "came": {},
    "gone": {},
    "runs": {},
    "failed": {},
}


class Oracle:
    """Takes a log in, entry by entry; ``wrong`` holds what was wrong with any, ``things`` how they stand."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._systems = {str(one): one for one in plan.systems}
        self._components = {(one.owner, one.name): one for one in plan.components}
        self.things: dict[str, Thing] = {}
        self.wrong: list[str] = []
        self.counted: Counter[str] = Counter()
        # Each thing as it stood after each entry, and where the last entry of each subject stands.
        self._moments: defaultdict[str, list[tuple[int, Thing]]] = defaultdict(list)
        self._last: dict[str, int] = {}
        self._made: set[tuple[str, str, str]] = set()

    def take(self, commit: Commit) -> None:
        """The next entry of the log."""
        parts = commit.subject.split(".")
        id = parts[3]
        thing = deepcopy(self.things.get(id, NOTHING))
        items = json.loads(commit.body)
        if parts[0] == "evt":
            self._events(thing, items, commit)
        elif commit.type == "cim.Retried":
            self._retry(thing, items[0]["data"]["system"], commit)
        elif commit.derivation is None:
            self._end(thing, parts[4], items, commit)
        else:
            self._run(id, thing, parts[4], items, commit)
        self.things[id] = thing
        self._moments[id].append((commit.sequence, thing))
        self._last[commit.subject] = commit.sequence

    def unrest(self) -> Iterator[str]:
        """What should have happened by now, when all is at rest."""
        for id, thing in self.things.items():
            for name, system in self._systems.items():
                if is_due(self._plan, system, thing):
                    yield f"left undone: {name} is due on {id}, which is {thing}"
            for key, cell in thing["cells"].items():
                if cell["until"] is not None:
                    yield f"left undone: {key} of {id} ended at {cell['until']}"

    def _say(self, commit: Commit, text: str) -> None:
        self.wrong.append(f"sequence {commit.sequence} on {commit.subject}: {text}")

    def _events(self, thing: Thing, items: list[Any], commit: Commit) -> None:
        level = thing["level"]
        for item in items:
            if item["type"] == "Became":
                level = item["data"]["level"]
            for one in self._plan.components:
                if item["type"] == "Said" and item["data"]["what"] == one.name and one.word is not None:
                    thing["words"].setdefault(one.key, []).append((commit.number, item["data"]["n"]))
                    self._settle(thing, one.key, commit.number, "/corrected")
        if items and (not thing["exists"] or level != thing["level"]):
            thing["number"] = commit.number
        thing["exists"] = thing["exists"] or bool(items)
        thing["level"] = level

    def _settle(self, thing: Thing, key: str, number: int, said: str) -> None:
        """What the thing carries under a key, and since when, after something was written or said."""
        component = next(one for one in self._plan.components if one.key == key)
        derived, before = thing["derived"].get(key), thing["cells"].pop(key, None)
        value = derived["n"] if derived else 0 if component.has_default else None
        last = None
        for at, word in thing["words"].get(key, []):
            if value is not None and component.put_right(value, word) != value:
                value, last = component.put_right(value, word), at
        if derived is None and last is None:
            if before is not None:
                thing["gone"][key] = {"name": f"gone{said}", "number": number, "n": before["n"]}
            return
        until = derived["until"] if derived else None
        # What stands alone since a system took its value away is another value than what stood alone before.
        number_of = derived["number"] if derived else before["number"] if said and before else number
        number_of = 0 if said and before is None else number_of
        thing["cells"][key] = {"n": value, "until": until, "number": number_of, "corrected": last}
        thing["gone"].pop(key, None)
        if before is None:
            thing["came"][key] = {"name": f"added{said}", "number": number}

    def _retry(self, thing: Thing, system: str, commit: Commit) -> None:
        run = thing["runs"].get(system)
        if run is not None and run["failed"] and run["again"] is None:
            run["again"] = commit.number
            self.counted["retries"] += 1

    def _end(self, thing: Thing, owner: str, items: list[Any], commit: Commit) -> None:
        """A component that has reached its end."""
        component = self._components.get((owner, items[0]["type"]))
        cell = thing["derived"].get(component.key) if component else None
        if component is None or len(items) != 1 or items[0]["data"] is not None or cell is None:
            self._say(commit, f"nobody made {items}, and it ends nothing that stands there")
            return
        if cell["until"] is None or cell["until"] > datetime.fromisoformat(commit.time):
            self._say(commit, f"{component.key} ends before its time, {cell['until']}")
        del thing["derived"][component.key]
        self._settle(thing, component.key, commit.number, "")
        self.counted["components ended"] += 1

    def _run(self, id: str, thing: Thing, owner: str, items: list[Any], commit: Commit) -> None:
        derivation = commit.derivation
        system = self._systems.get(derivation.system) if derivation else None
        if derivation is None or system is None or system.owner != owner:
            self._say(commit, f"no system of {owner} may have made this")
            return
        named = dict(derivation.inputs)
        made = (id, str(system), str(sorted(named.items())))
        if made in self._made:
            self._say(commit, f"doubled: the run of {system} from {named}")
        self._made.add(made)
        moments = [one for one in self._since(id, commit) if is_due(self._plan, system, one)]
        moment = next((one for one in moments if inputs(self._plan, system, one) == named), None)
        if moment is None:
            due = [inputs(self._plan, system, one) for one in moments]
            self._say(commit, f"untrue: {system} was not due from {named}, but from {due}")
        failed = derivation.outcome == "failed"
        said = {item["type"]: item["data"] for item in items}
        failure = said.pop("Failed", None)
        if moment is not None:
            self._judge(system, moment, failed, said, failure, commit)
        cause = failure["cause"] if failed and failure else ""
        thing["runs"][str(system)] = {"inputs": named, "failed": failed, "cause": cause, "again": None}
        for name, data in said.items():
            component = self._components[owner, name]
            thing["derived"].pop(component.key, None)
            if data is not None:
                until = data.get("until")
                end = None if until is None else datetime.fromisoformat(until)
                thing["derived"][component.key] = {"n": data["n"], "until": end, "number": commit.number}
            self._settle(thing, component.key, commit.number, "")
        self._failures(thing, owner, {item["type"] for item in items}, failure, commit)
        self.counted["runs failed" if failed else "runs"] += 1

    def _since(self, id: str, commit: Commit) -> list[Thing]:
        """The thing at each moment at which whoever wrote the entry may have looked at it."""
        last, moments = self._last.get(commit.subject, 0), self._moments[id]
        return [one for at, one in moments if at >= last] or [NOTHING]

    def _judge(
        self,
        system: SystemPlan,
        moment: Thing,
        failed: bool,
        said: Mapping[str, Any],
        failure: Any,
        commit: Commit,
    ) -> None:
        """Hold what a run says against what its inputs lead to."""
        given = given_to(
            system, {read.parameter: value_of(self._plan, read, moment) for read in system.reads}
        )
        must = system.manner == "never" or (system.manner in ("fails", "lies") and blames(system, given))
        # What fails the first time may do so in each process, and what is away may stay so for all tries.
        may = must or system.manner == "once"
        if (must and not failed) or (failed and not may):
            self._say(commit, f"{system} {'failed' if failed else 'did not fail'} on {given}: {failure}")
        if failed:
            words = (
                "returned str"
                if system.manner == "lies"
                else f"{system.name} cannot: {sorted(given.items())}"
            )
            if said or failure is None or failure["system"] != str(system) or words not in failure["cause"]:
                self._say(commit, f"{system} failed on {given} and says {said} and {failure}")
            return
        made = zip(system.outputs, found(self._plan, system, given), strict=True)
        expected: dict[str, Any] = {}
        for output, one in made:
            component = self._plan.component(output.component)
            if one is not None:
                expected[output.component] = (one[0], one[1])
            elif component.key in moment["derived"]:
                expected[output.component] = None
        wrote = {name: None if data is None else (data["n"], _second(data)) for name, data in said.items()}
        if wrote != expected:
            self._say(commit, f"untrue: {system} wrote {wrote} from {given}, which lead to {expected}")

    def _failures(self, thing: Thing, owner: str, named: set[str], failure: Any, commit: Commit) -> None:
        """A module's ``Failed`` on a thing tells of one of its failures while there is one."""
        if "Failed" in named:
            thing["failed"].pop(owner, None)
            if failure is not None:
                thing["failed"][owner] = failure
        standing = {
            name: run["cause"]
            for name, run in thing["runs"].items()
            if run["failed"] and self._systems[name].owner == owner
        }
        told = thing["failed"].get(owner)
        if (told is None) != (not standing) or (told and standing.get(told["system"]) != told["cause"]):
            self._say(commit, f"{owner} tells of the failure {told}, and there are {standing}")


def _second(data: Mapping[str, Any]) -> int | None:
    until = data.get("until")
    return None if until is None else (datetime.fromisoformat(until) - START) // timedelta(seconds=1)


def value_of(plan: Plan, read: ReadPlan, thing: Thing) -> int | None:
    """What a parameter is given; None where there is nothing, or nothing that its filters let through."""
    if read.source == THING:
        value = thing["level"] if thing["exists"] else None
    elif read.kind == "removed":
        value = thing["gone"].get(plan.key(read.source), {}).get("n")
    else:
        value = thing["cells"].get(plan.key(read.source), {}).get("n")
    return value if value is not None and read.lets(value) else None


def is_due(plan: Plan, system: SystemPlan, thing: Thing) -> bool:
    """Whether a system has something to do: its query matches, and its last run was for something else."""
    run = thing["runs"].get(str(system))
    if not thing["exists"] or not all(_matches(plan, read, thing, run) for read in system.reads):
        return False
    if run is None or run["again"] is not None:
        return True
    waits = [read for read in system.reads if read.kind in TRIGGERS]
    return any(
        run["inputs"].get(name) != at for read in waits for name, at in _waited(plan, read, thing).items()
    )


def _matches(plan: Plan, read: ReadPlan, thing: Thing, run: Any) -> bool:
    match read.kind:
        case "maybe":
            return True
        case "without":
            return value_of(plan, read, thing) is None
        case "follows":  # who was never run for it is owed nothing when it is gone
            key = plan.key(read.source)
            was = run is not None and any(name.split("/")[0] == key for name in run["inputs"])
            return was or value_of(plan, read, thing) is not None
        case _:
            return value_of(plan, read, thing) is not None


def inputs(plan: Plan, system: SystemPlan, thing: Thing) -> dict[str, int]:
    """How a run that is made now names what it is made from."""
    named: dict[str, int] = {}
    for read in system.reads:
        if read.kind == "follows" or (read.kind != "without" and value_of(plan, read, thing) is not None):
            named |= _named(plan, read, thing)
    run = thing["runs"].get(str(system))
    return named if run is None or run["again"] is None else {**named, "retry": run["again"]}


def _waited(plan: Plan, read: ReadPlan, thing: Thing) -> dict[str, int]:
    """The part of a parameter's inputs that makes its system run when it is another one."""
    named = _named(plan, read, thing)
    return {name: at for name, at in named.items() if "/added" in name} if read.kind == "added" else named


def _named(plan: Plan, read: ReadPlan, thing: Thing) -> dict[str, int]:
    key = plan.key(read.source)
    if read.source == THING:
        return {key: thing["number"], **({f"{key}/added": 1} if read.kind == "added" else {})}
    cell, gone = thing["cells"].get(key), thing["gone"].get(key)
    if cell is None:
        return {} if gone is None else {f"{key}/{gone['name']}": gone["number"]}
    named = {key: cell["number"]}
    if cell["corrected"] is not None:
        named[f"{key}/corrected"] = cell["corrected"]
    if read.kind == "added":
        came = thing["came"][key]
        named[f"{key}/{came['name']}"] = came["number"]
    return named

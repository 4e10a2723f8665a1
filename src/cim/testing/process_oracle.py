"""What must hold of the processes of a simulated machine at rest, worked out from the stored bytes alone.

A model of its own, a few numbers a jar, goes through the log; whatever a process wrote is held against it:
each reaction once and in order, each command answered once, each timer once and not before its time.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from cim.contract.envelope import Commit
from cim.testing.keepers import DUSTY_AFTER

Said = list[tuple[Any, ...]]


@dataclass(slots=True)
class Kept:
    """What the process of one jar should know and have to do."""

    triggers: list[tuple[Commit, Any]] = field(default_factory=list)
    odd: int = 0
    asked: dict[str, tuple[str, int]] = field(default_factory=dict)
    due: str | None = None


def asked_ids(history: Iterable[Commit]) -> set[str]:
    """The ids of all commands that processes asked for."""
    return {
        item["data"]["id"]
        for commit in history
        if commit.subject.startswith("evt.keepers.Keeping.")
        for item in json.loads(commit.body)
        if item["type"] == "cim.Asks"
    }


def told_of_processes(history: Iterable[Commit]) -> Counter[str]:
    """How many reactions, wakings, refusals and positions the log holds."""
    names = {
        "cim.Reacted": "reactions",
        "cim.Woke": "timers woken",
        "cim.Refused": "commands of processes refused",
        "cim.Settled": "positions settled",
    }
    firsts = (
        json.loads(commit.body)[0]["type"]
        for commit in history
        if commit.subject.startswith("evt.keepers.Keeping.")
    )
    return Counter(names.get(first, "other steps") for first in firsts)


def processes(history: Iterable[Commit]) -> Iterator[str]:
    """Everything that is wrong with them, each in a sentence that begins with its kind."""
    kept: defaultdict[str, Kept] = defaultdict(Kept)
    has_begun = False
    for commit in history:
        _, context, kind, id = commit.subject.split(".")[:4]
        items = json.loads(commit.body)
        if (context, kind, id) == ("keepers", "Keeping", "="):
            has_begun = True
        elif (context, kind) == ("keepers", "Keeping"):
            yield from _step(kept[id], id, commit, items)
        elif (context, kind) == ("keepers", "Page"):
            if kept[id].asked.pop(commit.id, None) is None:
                yield f"doubled: sequence {commit.sequence} answers a command that has its answer"
        elif commit.subject.startswith("evt.jars.") and has_begun:
            taken = [item for item in items if item["type"] in ("Added", "Halved")]
            kept[id].triggers += [(commit, taken)] if taken else []
    for id, one in kept.items():
        left = [commit.sequence for commit, items in one.triggers if not _is_silent(one, items)]
        yield from (f"lost: {id} did not react to sequence {sequence}" for sequence in left)
        yield from (f"lost: {id} has no answer to {command}" for command in one.asked)
        if one.due is not None:
            yield f"lost: {id} was not woken at {one.due}"


def _step(kept: Kept, id: str, commit: Commit, items: Any) -> Iterator[str]:
    cause, where = items[0], f"sequence {commit.sequence}"
    match cause["type"]:
        case "cim.Reacted":
            named = cause["data"]["subject"], cause["data"]["number"], cause["data"]["id"]
            places = [n for n, (one, _) in enumerate(kept.triggers) if _named(one) == named]
            if not places:
                yield f"doubled: {where} reacts to {named[2]}, which has its reaction or never came"
                return
            for one, passed in kept.triggers[: places[0]]:
                if not _is_silent(kept, passed):
                    yield f"disorder: {where} reacts before the reaction to sequence {one.sequence}"
            trigger, events = kept.triggers[places[0]]
            del kept.triggers[: places[0] + 1]
            expected = _reaction(kept, id, trigger, events)
        case "cim.Woke":
            if kept.due is None or kept.due != cause["data"]["due"] or commit.time < kept.due:
                yield f"untimely: {where} wakes {id} at {commit.time}, its timer is due at {kept.due}"
            kept.due, expected = None, [("Note", id, -kept.odd)]
        case "cim.Refused":
            name, amount = kept.asked.pop(cause["data"]["command"], ("", 0))
            if name != "Note":
                yield f"doubled: {where} tells that {name or 'nothing'} was refused"
            expected = [("GaveUp", amount), ("Wipe", id)]
        case other:
            yield f"stopped: {where}: {other} {cause['data']}"
            return
    said = _said(items[1:])
    if said != expected:
        yield f"untrue: {where} says {said}, what it answers leads to {expected}"
    for one, content in pairwise(items):
        if one["type"] == "cim.Asks":
            kept.asked[one["data"]["id"]] = content["type"], content["data"].get("amount", 0)


def _reaction(kept: Kept, id: str, trigger: Commit, events: Any) -> Said:
    expected: Said = []
    for one in events:
        if one["type"] == "Halved":
            kept.due = None
            expected.append(("cancels",))
        elif one["data"]["amount"] % 2:
            kept.due = _later(trigger.time, DUSTY_AFTER)
            expected += [("Counted", one["data"]["amount"]), ("Note", id, kept.odd), ("sets", kept.due)]
            kept.odd += 1
    return expected


def _said(items: Any) -> Said:
    """What a commit says besides what it answers."""
    said: Said = []
    for one in items:
        data = one["data"]
        match one["type"]:
            case "cim.Asks":
                continue
            case "cim.Sets":
                said.append(("sets", data["due"]))
            case "cim.Cancels":
                said.append(("cancels",))
            case "Note":
                said.append(("Note", data["page"], data["amount"]))
            case name:
                said.append((name, *data.values()))
    return said


def _is_silent(kept: Kept, events: Any) -> bool:
    return all(kept.odd == 0 if one["type"] == "Halved" else one["data"]["amount"] % 2 == 0 for one in events)


def _named(commit: Commit) -> tuple[str, int, str]:
    return commit.subject, commit.number, commit.id


def _later(time: str, delay: timedelta) -> str:
    due = datetime.fromisoformat(time) + delay
    return due.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

"""What must hold at the end of a fault run, worked out from the stored log by code of its own.

The log is read as it is; nothing here asks the machine what it thinks, but for the rows and the page's values
that are compared at last.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger
from cim.testing.faults.journal import Line
from cim.testing.jars import SPILLING
from cim.testing.oracle import Fold, chains, components, fold, moved, once

History = list[Commit]


@dataclass
class Heard:
    """What the senders asked, how often, and what they were told, by the commands' ids."""

    asked: Counter[str] = field(default_factory=Counter)
    receipts: dict[str, list[Line]] = field(default_factory=dict)
    rejected: dict[str, Line] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Heard":
        """Everything in the journals; an id is unknown where no answer ever came."""
        heard = cls()
        for line in lines:
            match line["is"]:
                case "asked":
                    heard.asked[line["id"]] += 1
                case "receipt":
                    heard.receipts.setdefault(line["id"], []).append(line)
                case "rejection":
                    heard.rejected[line["id"]] = line
                case _:
                    pass
        heard.unknown = heard.asked.keys() - heard.receipts.keys() - heard.rejected.keys()
        return heard


def verdict(history: History, heard: Heard) -> Iterator[str]:
    """Everything that is wrong with the log, each in a sentence that begins with its kind."""
    for place, commit in enumerate(history, 1):
        if commit.sequence != place:
            yield f"hole: sequence {place} is missing, {commit.sequence} stands there"
            return
        if isinstance(commit, Stranger):
            yield f"stranger: sequence {place}: {commit.reason}"
            return
    yield from chains(history)
    yield from once(history)
    yield from moved(history)
    yield from _acknowledged(history, heard)
    yield from _runs(history)


def _acknowledged(history: History, heard: Heard) -> Iterator[str]:
    for id, told in heard.receipts.items():
        sequences = {line["sequence"] for line in told}
        if len(sequences) > 1:
            yield f"doubled: {id} was told the sequences {sorted(sequences)}"
        for sequence in sequences:
            found = history[sequence - 1] if 0 < sequence <= len(history) else None
            if found is None or (found.subject, found.id) != (f"evt.jars.Jar.{told[0]['entity']}", id):
                yield f"lost: {id} is not at sequence {sequence}, as its receipt says"
    stored = {commit.id for commit in history if commit.request is not None}
    yield from (f"invented: {id} was never asked" for id in sorted(stored - heard.asked.keys()))
    # A command that was sent twice is decided twice, and an earlier try may be granted after a later one
    # was refused.
    once_only = {id for id, line in heard.rejected.items() if line["tries"] == 1 and heard.asked[id] == 1}
    yield from (f"lost: {id} was rejected and is in the log" for id in sorted(once_only & stored))


def final_states(history: History) -> dict[str, Fold]:
    """Every jar as the log says: its amount and its number of events."""
    states: dict[str, Fold] = {}
    for commit in history:
        if commit.subject.startswith("evt.jars.Jar."):
            jar = commit.subject.rpartition(".")[2]
            states[jar] = fold(states.get(jar, {"amount": 0, "deeds": 0}), json.loads(commit.body))
    return states


def _runs(history: History) -> Iterator[str]:
    """Every weight is that of the very state that its run names as its input."""
    states: dict[str, Fold] = {}
    amounts: dict[tuple[str, int], int] = {}
    for commit in history:
        kind, _, _, jar, *owner = commit.subject.split(".")
        items = json.loads(commit.body)
        if kind == "evt":
            states[jar] = fold(states.get(jar, {"amount": 0, "deeds": 0}), items)
            amounts[jar, commit.number] = states[jar]["amount"]
        elif owner == ["jars"] and commit.derivation is not None:
            amount = amounts.get((jar, commit.derivation.inputs.get("state", 0)))
            for item in items:
                if item["type"] == "Weight" and item["data"] != {"grams": 100 + (amount or 0)}:
                    yield f"untrue: sequence {commit.sequence} weighs {item['data']}, the jar held {amount}"


def settled(history: History) -> Iterator[str]:
    """Every jar whose values are not those of its last state yet: systems may still be at work on it."""
    cells: dict[str, dict[str, Any]] = {}
    for commit in history:
        kind, _, _, jar, *owner = commit.subject.split(".")
        for item in json.loads(commit.body) if kind == "cmp" else ():
            name = item["type"] if owner == ["jars"] else f"{owner[0]}.{item['type']}"
            cells.setdefault(jar, {})[name] = item["data"]
    for jar, state in final_states(history).items():
        found = {name: value for name, value in cells.get(jar, {}).items() if value is not None}
        expected = components(state, found.get("Price") if state["amount"] == SPILLING else None)
        if found != expected:
            yield f"unsettled: {jar} has {found}, not {expected}"


def compared(history: History, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What the projection's rows say otherwise than the log."""
    found = {row["jar"]: {"amount": row["amount"], "deeds": row["deeds"]} for row in rows}
    expected = final_states(history)
    for jar in sorted(found.keys() | expected.keys()):
        if found.get(jar) != expected.get(jar):
            yield f"projection: {jar} is {found.get(jar)} in the rows, {expected.get(jar)} in the log"

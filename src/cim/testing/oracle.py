"""What must hold of a simulated machine at rest, worked out from the stored bytes by code of its own.

Nothing here asks the code under test what it thinks: bodies are read as plain JSON, chains are hashed
again, states are folded into dictionaries. Only the last part, the audit, tries the machine's own check:
it must find what was changed behind its back.
"""

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import replace
from typing import Any

from cim.actors.request import Receipt, Rejection
from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger
from cim.contract.system import STATE
from cim.log.chain import BrokenChain, Chains
from cim.testing.jars import HOLDS, SPILLING, Move, Put
from cim.testing.machine import COMPOSITION, Answer, Machine, Process
from cim.testing.process_oracle import asked_ids, processes
from cim.world.world import World

History = list[Commit]
Fold = dict[str, int]


async def stored(machine: Machine) -> History:
    """The whole log."""
    return [commit async for commit in machine.store.read(">")]


async def verdict(machine: Machine, history: History) -> list[str]:
    """Everything that is wrong, each in a sentence that begins with its kind."""
    ours = [commit for commit in history if not isinstance(commit, Stranger)]
    found = [f"trouble: {text}" for text in machine.troubles]
    found += [*chains(ours), *once(ours), *_acknowledged(machine, history), *_rejected(machine, history)]
    found += [*moved(ours), *_runs(history), *processes(ours)]
    for place, process in enumerate(machine.processes):
        wrong = _world(process, history, machine.parked)
        found += [f"world {place}: {text}" async for text in wrong]
    return [*found, *_audit(machine.chance, ours)]


def chains(history: History) -> Iterator[str]:
    """Every commit that does not follow from the one before on its subject, hashed again."""
    heads: dict[str, tuple[int, str]] = {}
    for commit in history:
        number, digest = heads.get(commit.subject, (0, "0" * 64))
        if (commit.number, commit.previous) != (number + 1, digest):
            yield f"fork: {commit.subject} number {commit.number} at sequence {commit.sequence}"
        lines = sorted(f"{name}:{value}" for name, value in commit.headers().items())
        text = "\n".join([commit.subject, *lines]).encode() + b"\n\n" + commit.body
        heads[commit.subject] = commit.number, hashlib.sha256(text).hexdigest()


def once(history: History) -> Iterator[str]:
    """Every command and every run that stands twice."""
    counted = Counter((commit.subject, commit.id) for commit in history)
    yield from (f"doubled: {id} on {subject}" for (subject, id), count in counted.items() if count > 1)
    runs = Counter(
        (commit.subject, commit.derivation.system, str(sorted(commit.derivation.inputs.items())))
        for commit in history
        if commit.derivation is not None
    )
    yield from (f"doubled: run {run}" for run, count in runs.items() if count > 1)


def _acknowledged(machine: Machine, history: History) -> Iterator[str]:
    for answer in machine.answers:
        receipt, asked = answer.outcome, answer.asked
        if isinstance(receipt, Receipt):
            found = _at(history, receipt.sequence)
            said = (asked.ref.events, asked.origin.id, asked.digest)
            if found is None or (found.subject, found.id, found.request) != said:
                yield f"lost: {asked.origin.id} is not at sequence {receipt.sequence}, as its receipt says"
    for id, commit in machine.appended:
        found = _at(history, commit.sequence)
        if found is None or (found.subject, found.id) != (commit.subject, id):
            yield f"lost: {id} is not at sequence {commit.sequence}, as was told"
    strange = {(commit.id, commit.request) for commit in history if commit.request is not None}
    strange -= machine.delivered.keys()
    strange = {one for one in strange if one[0] not in asked_ids(history)}
    yield from (f"invented: {id} was never sent" for id, _ in sorted(strange))


def _at(history: History, sequence: int) -> Commit | None:
    return history[sequence - 1] if 0 < sequence <= len(history) else None


def _rejected(machine: Machine, history: History) -> Iterator[str]:
    folds = states(history)
    for answer in machine.answers:
        if not isinstance(answer.outcome, Rejection):
            continue
        id = answer.asked.origin.id
        told = (answer.asked.ref.events, id, answer.asked.digest)
        is_there = any((commit.subject, commit.id, commit.request) == told for commit in history)
        # A second arrival is decided anew, and may be granted when nobody waits for it any more.
        if is_there and machine.delivered[told[1:]] == 1:
            yield f"lost: {id} was rejected and is in the log"
        if _is_taken(answer, history):
            continue
        held = [folds[at] for at in _during(answer)]
        if not any(_refuses(answer, jars) for jars in held):
            yield f"stale: {id} was rejected with {answer.outcome.reason!r}, while the jars held {held}"


def _is_taken(answer: Answer, history: History) -> bool:
    """Whether the rejection truly says that the id stands for another command."""
    asked = answer.asked
    subjects = {asked.ref.events}
    if isinstance(asked.command, Move):
        subjects.add(f"evt.jars.Jar.{asked.command.target}")
    for commit in history:
        if commit.subject in subjects and commit.id == asked.origin.id:
            said = str(answer.outcome).count(f"id {commit.id} was used at sequence {commit.sequence} ")
            if commit.request != asked.digest and said == 1:
                return True
    return False


def _during(answer: Answer) -> range:
    return range(answer.since, answer.until + 1)


def _refuses(answer: Answer, jars: dict[str, Fold]) -> bool:
    """Whether the reason of a rejection is true of the jars as they stood."""
    command, outcome = answer.asked.command, answer.outcome
    if not isinstance(command, Put | Move) or not isinstance(outcome, Rejection):
        return False
    filled = command.jar if isinstance(command, Put) else command.target
    amount = jars.get(filled, {}).get("amount", 0)
    if isinstance(command, Move):
        there = jars.get(command.source, {}).get("amount", 0)
        if there < command.amount:
            return outcome.reason == f"only {there} there"
    return amount + command.amount > HOLDS and outcome.reason == f"only {HOLDS - amount} fit"


def moved(history: History) -> Iterator[str]:
    """What is moved between two jars is conserved: both commits stand side by side, or neither is there."""
    halves: defaultdict[str, list[Commit]] = defaultdict(list)
    for commit in history:
        if any(item["type"] == "Taken" for item in json.loads(commit.body)) or "ce-with" in commit.headers():
            halves[commit.id].append(commit)
    for id, found in halves.items():
        sequences = [commit.sequence for commit in found]
        if len(found) != 2 or sequences[1] != sequences[0] + 1:
            yield f"torn: the move {id} stands at {sequences}"
            continue
        amounts = [fold({"amount": 0, "deeds": 0}, json.loads(one.body))["amount"] for one in found]
        if sum(amounts) != 0:
            yield f"torn: the move {id} makes {amounts} of nothing"
        named = [one.headers().get("ce-with") for one in found]
        if named != [f"{one.subject}#{one.number}" for one in reversed(found)]:
            yield f"torn: the commits of the move {id} name {named}, not each other"
    jars: dict[str, Fold] = {}
    for commit in history:
        parts = commit.subject.split(".")
        if parts[:3] == ["evt", "jars", "Jar"]:
            jar = fold(jars.get(parts[3], {"amount": 0, "deeds": 0}), json.loads(commit.body))
            jars[parts[3]] = jar
            if not 0 <= jar["amount"] <= HOLDS:
                yield f"torn: jar {parts[3]} holds {jar['amount']} at sequence {commit.sequence}"


def states(history: History) -> list[dict[str, Fold]]:
    """Every jar after each commit, the empty log first: its amount and its number of events."""
    found: list[dict[str, Fold]] = [{}]
    for commit in history:
        now = dict(found[-1])
        parts = commit.subject.split(".")
        if parts[:3] == ["evt", "jars", "Jar"] and not isinstance(commit, Stranger):
            now[parts[3]] = fold(now.get(parts[3], {"amount": 0, "deeds": 0}), json.loads(commit.body))
        found.append(now)
    return found


def fold(jar: Fold, items: list[dict[str, Any]]) -> Fold:
    """A jar after the events of one commit."""
    amount, deeds = jar["amount"], jar["deeds"]
    for item in items:
        change = -1 if item["type"] == "Taken" else 1
        amount = amount // 2 if item["type"] == "Halved" else amount + change * item["data"]["amount"]
        deeds += 1
    return {"amount": amount, "deeds": deeds}


def components(jar: Fold, before: Any) -> dict[str, Any]:
    """What the systems know of a jar at rest; a price that was found ``before`` outlives a failure."""
    grams = 100 + jar["amount"]
    found: dict[str, Any] = {"Weight": {"grams": grams}, "labels.Label": {"text": f"{grams} g"}}
    if jar["amount"] == SPILLING:
        found["Failed"] = {"system": "jars.price", "cause": f"a jar of {SPILLING} spills"}
        return found if before is None else {**found, "Price": before}
    if jar["amount"]:
        found["Price"] = {"cents": grams * 2}
    return found


def _runs(history: History) -> Iterator[str]:
    """Every run must have written what the system makes of the very inputs that it names."""
    amounts: dict[tuple[str, int], int] = {}
    grams: dict[tuple[str, int], int] = {}
    for commit, jars in zip(history, states(history)[1:], strict=True):
        kind, context, _, id = commit.subject.split(".")[:4]
        if context != "jars" or isinstance(commit, Stranger):
            continue
        if kind == "evt":
            amounts[id, commit.number] = jars[id]["amount"]
            continue
        said = {item["type"]: item["data"] for item in json.loads(commit.body) if item["data"] is not None}
        if "Weight" in said:
            grams[id, commit.number] = said["Weight"]["grams"]
        inputs = commit.derivation.inputs if commit.derivation is not None else {}
        amount = amounts.get((id, inputs.get("state", 0)), 0)
        made = _made(commit, amount, grams.get((id, inputs.get("Weight", 0)), 0))
        if commit.derivation is None or commit.derivation.outcome != "failed":
            said.pop("Failed", None)  # another system's, that still stands
        if said != made:
            yield f"untrue: sequence {commit.sequence} says {said}, its inputs {inputs} lead to {made}"


def _made(commit: Commit, amount: int, grams: int) -> dict[str, Any]:
    system = commit.derivation.system if commit.derivation is not None else "nobody"
    if system == "jars.weigh":
        return {"Weight": {"grams": 100 + amount}}
    if system == "labels.label":
        return {"Label": {"text": f"{grams} g"}}
    if system == "jars.price" and amount == SPILLING:
        return {"Failed": {"system": system, "cause": f"a jar of {SPILLING} spills"}}
    return {"Price": {"cents": grams * 2}} if system == "jars.price" and amount else {}


async def _world(process: Process, history: History, parked: Collection[str]) -> AsyncIterator[str]:
    world, again = process.world, World(COMPOSITION)
    for commit in history:
        again.apply(commit)
    if world.digest != again.digest:
        yield "did not see the log's history"
    if await world.fingerprint() != await again.fingerprint():
        yield "knows something else than a replay"
    expected = states(history)[-1]
    known = {one.ref.id: one async for one in world.entities.each() if one.ref.context == "jars"}
    if known.keys() != expected.keys():
        yield f"has the jars {sorted(known)}, not {sorted(expected)}"
    for id, jar in expected.items():
        entity = known.get(id)
        if entity is None:
            continue
        if (entity.stopped is not None) != (id in parked):
            yield f"jar {id} is stopped: {entity.stopped}"
        state = codec.plain(entity.state)
        cells = {key: cell.value for key, cell in entity.cells.items() if key != STATE}
        whole = id in parked or cells == components(jar, cells.get("Price"))
        if state != jar or not whole:
            yield f"jar {id} is {state} with {cells}, the log says {jar}"


def _audit(chance: random.Random, history: History) -> Iterator[str]:
    """Change a copy behind the machine's back: its own check must find it.

    What has a commit behind it on its subject may not be missing or changed; the last one of a subject may
    not be put in another's place.
    """
    behind: defaultdict[str, list[int]] = defaultdict(list)
    for place, commit in enumerate(history):
        behind[commit.subject].append(place)
    several = [places for places in behind.values() if len(places) > 1]
    if not several:
        return
    places = chance.choice(several)
    place, last = chance.choice(places[:-1]), places[-1]
    one, end = history[place], history[last]
    copies = {
        "missing": [*history[:place], *history[place + 1 :]],
        "changed": [*history[:place], replace(one, body=one.body + b" "), *history[place + 1 :]],
        "renumbered": [*history[:last], replace(end, number=end.number + 1), *history[last + 1 :]],
    }
    for deed, copy in copies.items():
        if not _found(copy):
            at = end.sequence if deed == "renumbered" else one.sequence
            yield f"unseen: sequence {at} is {deed} and the chain's check passes"


def _found(history: History) -> bool:
    chains = Chains()
    try:
        for commit in history:
            chains.advance(commit)
    except BrokenChain:
        return True
    return False

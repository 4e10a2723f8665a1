"""How an entity came to be what it is: its history as steps for a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cim.contract import codec
from cim.contract.envelope import Commit
from cim.contract.stranger import Stranger
from cim.contract.subjects import Ref, parse_stored
from cim.log.asking import answered, proposed
from cim.log.erasure import erased
from cim.log.release import released
from cim.log.retry import retried
from cim.log.sealing import Sealing
from cim.log.thought import is_thought
from cim.ports.log import Log
from cim.processes.step import Stopped, is_step, read_step, told
from cim.world.world import FAILED

LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True)
class TrailStep:
    """One step: a command, an event that it led to, components that a system wrote, or its failure.

    ``took`` is in milliseconds, None where nothing was measured.
    """

    kind: Literal["command", "event", "component", "failed"]
    name: str
    by: str
    time: str
    took: float | None
    note: str
    sequence: int


async def history(log: Log, ref: Ref) -> list[Commit]:
    """Every commit on an entity, its own and those of all modules, in the log's order."""
    commits = [commit async for commit in log.read(ref.events)]
    commits += [commit async for commit in log.read(ref.components("*"))]
    return sorted(commits, key=lambda commit: commit.sequence)


async def trail(log: Log, ref: Ref, sealing: Sealing | None = None) -> list[TrailStep]:
    """The steps of an entity's history, oldest first; personal values are opened by ``sealing``."""
    return [step for commit in await history(log, ref) for step in steps(commit, sealing)]


def steps(commit: Commit, sealing: Sealing | None = None) -> Iterator[TrailStep]:
    """What one commit says happened."""
    try:
        said, forgotten, again = released(commit), erased(commit), retried(commit)
        items = codec.decode(commit.body if sealing is None else sealing.shown(commit))
    except codec.BadBody as error:
        yield _unread(commit, str(error))
        return
    if isinstance(commit, Stranger):
        yield _unread(commit, commit.reason)
    elif said is not None:
        note = f"sequence {said.sequence} is passed over: {said.reason}"
        by = commit.origin.owner
        yield TrailStep("command", "Release", by, commit.time, None, note, commit.sequence)
    elif forgotten is not None:
        note = f"{forgotten.person}: {forgotten.reason}"
        yield TrailStep("command", "Erase", commit.origin.owner, commit.time, None, note, commit.sequence)
    elif again is not None:
        note = f"{again.system} is made again: {again.reason}"
        yield TrailStep("command", "Retry", commit.origin.owner, commit.time, None, note, commit.sequence)
    elif (asks := proposed(commit)) is not None:
        note = f"it asks a person whether it may do {asks.tool}: {asks.why}"
        yield TrailStep("command", "Ask", asks.system, commit.time, None, note, commit.sequence)
    elif (answer := answered(commit)) is not None:
        note = f"{answer.system} may {'do it' if answer.granted else 'not'}"
        note = f"{note}: {answer.reason}" if answer.reason else note
        yield TrailStep("command", "Answer", commit.origin.owner, commit.time, None, note, commit.sequence)
    else:
        yield from _said(commit, items)


def _unread(commit: Commit, reason: str) -> TrailStep:
    by = commit.origin.owner or "another program"
    return TrailStep("failed", "a message nobody can read", by, commit.time, None, reason, commit.sequence)


def _said(commit: Commit, items: list[codec.Item]) -> Iterator[TrailStep]:
    ref, owner = parse_stored(commit.subject)
    if is_step(commit):
        yield from _stepped(commit, f"{ref.context}.{ref.entity}", codec.encode(items))
        return
    if is_thought(commit):
        yield from _thought(commit, f"{ref.context}.{ref.entity}", items)
        return
    if owner is None:
        command = (commit.request or "").partition("/")[0] or "command"
        yield TrailStep("command", command, commit.origin.owner, commit.time, None, "", commit.sequence)
        for item in items:
            by = f"{ref.context}.{ref.entity}"
            yield TrailStep("event", item.type, by, commit.time, None, "", commit.sequence)
        return
    derivation = commit.derivation
    by, took = (owner, None) if derivation is None else (derivation.system, derivation.took)
    if derivation is not None and derivation.outcome == "failed":
        note = "; ".join(str(item.data["cause"]) for item in items if item.data is not None)
        yield TrailStep("failed", derivation.system, by, commit.time, took, note, commit.sequence)
        return
    # A Failed beside them says that another system's failure stands, or that ours is over.
    written = [item for item in items if item.data is not None and item.type != FAILED]
    names = ", ".join(item.type for item in written) or "nothing to add"
    note = _note(written[0].data) if len(written) == 1 else ""
    yield TrailStep("component", names, by, commit.time, took, note, commit.sequence)


def _thought(commit: Commit, by: str, items: list[codec.Item]) -> Iterator[TrailStep]:
    """What an agent did in a step of a run."""
    for item in items:
        data = item.data if isinstance(item.data, dict) else {}
        name, took = str(data.get("what", "Began")), data.get("took")
        note = _note({"said": data.get("said", data.get("model", ""))})
        yield TrailStep("event", name, by, commit.time, took, note, commit.sequence)


def _stepped(commit: Commit, by: str, body: bytes) -> Iterator[TrailStep]:
    """What a process did, and why."""
    try:
        step, name = read_step(commit, body), by.rpartition(".")[2]
    except codec.BadBody as error:
        yield _unread(commit, str(error))
        return
    if isinstance(step.cause, Stopped):
        yield TrailStep("failed", name, by, commit.time, None, step.cause.cause, commit.sequence)
        return
    note = "; ".join(told(one) for one in (step.cause, *step.orders))
    yield TrailStep("command", name, by, commit.time, None, note, commit.sequence)
    for fact in step.facts:
        yield TrailStep("event", fact.type, by, commit.time, None, "", commit.sequence)


def _note(data: Any) -> str:
    return summary(data) if isinstance(data, dict) else ""


def summary(value: Any) -> str:
    """A component's value in one line for a person: its short values, in their order."""
    if not isinstance(value, dict):
        return str(value)
    shown = [round(part, 4) if isinstance(part, float) else part for part in value.values()]
    parts = [str(part) for part in shown if isinstance(part, str | int | float) and part != ""]
    text = " · ".join(" ".join(part.split()) for part in parts)
    return text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1] + "…"

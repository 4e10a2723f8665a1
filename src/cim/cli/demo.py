"""``cim demo``: the documents machine on an embedded leaf, with files handed in."""

import argparse
import asyncio
import hashlib
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from cim.adapters.system import SystemClock
from cim.cli.output import news, print_json, print_table, progress, tell
from cim.cli.place import lay_documents, owner, run_until_stopped
from cim.cli.send import read_file
from cim.contract.envelope import Origin
from cim.domain.errors import CimError
from cim.doors.intake import take_in
from cim.doors.patience import PatientBlobs
from cim.doors.sender import send
from cim.leaf.compose import Leaf, leaf
from cim.leaf.lock import MachineLock
from cim.leaf.machine import Machine
from cim.world.entity import Entity
from cim.world.world import value_of

CONTEXT, COMMAND = "documents", "Receive"
AT_ONCE = 4


def run(given: argparse.Namespace) -> int:
    """Run it; 1 where a file could not be handed in."""
    machine = lay_documents(given.machine)
    if given.fresh:
        _forget(machine)
    return run_until_stopped(_demo(machine, [Path(file) for file in given.files], given))


def _forget(machine: Machine) -> None:
    """Throw away all that the machine knows; refused while a leaf runs on it."""
    if machine.state.exists():
        MachineLock.take(machine.state).release()
        shutil.rmtree(machine.state)


async def _demo(machine: Machine, files: Sequence[Path], given: argparse.Namespace) -> int:
    started = time.monotonic()
    async with leaf(machine, tell, port=given.port) as running:
        if not given.json:
            print(f"machine {machine.name}: {running.page}", flush=True)
        refused = await _hand_in(running, _given(files) if files else _samples(machine))
        await _watch(running)
        await _summary(running, refused, time.monotonic() - started, as_json=given.json)
        if not given.exit:
            news.print(f"The page stays at {running.page} until you press Ctrl-C.", style="dim")
            await asyncio.get_running_loop().create_future()
    return 1 if refused else 0


async def _given(files: Sequence[Path]) -> AsyncIterator[Path]:
    for file in files:
        yield file


async def _samples(machine: Machine) -> AsyncIterator[Path]:
    """The papers that the project draws itself, the same each time, each when it is drawn."""
    from cim.testing.papers import draw_one_by_one

    papers = draw_one_by_one(machine.state / "samples")
    while (paper := await asyncio.to_thread(next, papers, None)) is not None:
        yield paper.path


async def _hand_in(running: Leaf, files: AsyncIterator[Path]) -> list[str]:
    """Hand in each file as it comes; returns what was refused, by name."""
    refused: list[str] = []
    places = asyncio.Semaphore(AT_ONCE)

    async def one(file: Path) -> None:
        async with places:
            try:
                reason = await _receive(running, file)
            except CimError as error:
                reason = str(error)
        if reason is not None:
            refused.append(reason if reason.startswith(str(file)) else f"{file}: {reason}")
            tell(f"refused: {refused[-1]}")
        bar.advance(task)

    with progress() as bar:
        task = bar.add_task("handing in", total=0)
        async with asyncio.TaskGroup() as group:
            async for file in files:
                bar.update(task, total=(bar.tasks[task].total or 0) + 1)
                group.create_task(one(file))
    return refused


async def _receive(running: Leaf, file: Path) -> str | None:
    """Hand in one file; None when the machine has it, else why not.

    The document's id is from its content, and the command's id from both: a second run adds nothing.
    """
    node = running.node
    kind = node.composition.command(CONTEXT, COMMAND)
    blobs = PatientBlobs(node.blobs, SystemClock())
    command = await take_in(kind, COMMAND, {"title": file.name, "scan": read_file(file)}, blobs)
    id = hashlib.sha256(f"demo {command}".encode()).hexdigest()[:32]
    answer = await send(node.client, SystemClock(), kind, command, Origin.root(id, owner()), "demo", 30.0)
    reason = answer.get("rejected", {}).get("reason")
    # Known under another title: the machine has it, nothing is added.
    return None if reason == "already received" else reason


async def _watch(running: Leaf) -> None:
    """Show how many documents are read until none is left."""
    node = running.node
    await node.folded()
    entities = [entity async for entity in node.world.entities.each((CONTEXT, "Document"))]
    with progress() as bar:
        task = bar.add_task("reading", total=len(entities))
        idle = asyncio.ensure_future(node.idle())
        while not idle.done():
            await asyncio.wait({idle}, timeout=0.1)
            done = sum(not node.schedule.working(entity) for entity in entities)
            bar.update(task, total=len(entities), completed=done)
        await idle


async def _summary(running: Leaf, refused: list[str], seconds: float, *, as_json: bool) -> None:
    entities = [entity async for entity in running.node.world.entities.each((CONTEXT, "Document"))]
    failed = [entity for entity in entities if entity.failures or entity.stopped]
    counts: dict[str, Any] = {
        "documents": len(entities),
        "read": len(entities) - len(failed),
        "failed": len(failed),
        "refused": refused,
        "seconds": round(seconds, 3),
        "page": running.page,
    }
    if as_json:
        print_json(counts)
        return
    columns = ("document", "title", "kind", "date", "total", "company", "tone", "failed")
    print_table(columns, [_row(entity) for entity in entities])
    read, all_of_them = counts["read"], counts["documents"]
    print(f"{read} of {all_of_them} documents read, {counts['failed']} failed, {seconds:.1f} s")


def _row(entity: Entity) -> tuple[str, ...]:
    facts = value_of(entity, "Facts") or {}
    state = entity.shown()["state"]
    known = (
        (value_of(entity, "Kind") or {}).get("kind"),
        *(facts.get(name) for name in ("date", "total", "company")),
        (value_of(entity, "Sentiment") or {}).get("label"),
        "; ".join(f"{run.system}: {run.cause}" for run in entity.failures),
    )
    return entity.ref.id, str(state["title"]), *(str(value or "") for value in known)

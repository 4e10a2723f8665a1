"""A leaf's world over restarts: it goes on from the index beside the leaf, and never from a wrong one."""

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cim.adapters.sqlite.index import FILE
from cim.adapters.system import SystemClock
from cim.contract.codec import from_text
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.doors.sender import send
from cim.leaf.compose import Leaf, leaf
from cim.leaf.heads import read_head
from cim.leaf.machine import Machine, load_machine
from cim.ports.index import IndexRuined
from cim.processes.pending import Key, Pending
from cim.world.entity import Entity
from cim.world.world import World, value_of

A, GREETING = Ref("notes", "Note", "a"), Ref("notes", "Note", "greeting")

MODULE = """
from collections.abc import Iterable
from cim import Changed, Command, Component, Context, Event, State

notes = Context("notes")

class Write(Command):
    note: str
    text: str

class Wrote(Event):
    text: str

@notes.entity(key="note")
class Note(State):
    text: str = ""
    def decide(self, command: Write) -> Iterable[Wrote]:
        return [Wrote(command.text)]
    def evolve(self, event: Wrote) -> "Note":
        return self.but(text=event.text)

@notes.component(of=Note)
class Length(Component):
    letters: int

@notes.system
def measure(note: Changed[Note]) -> Length:
    return Length(len(note.text))
"""

POLICY = """
@notes.policy
def greet(event: Wrote) -> Write | None:
    return Write("greeting", "hello " + event.text) if event.text == "one" else None
"""


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("notes", None)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "notes.py").write_text(MODULE)
    (tmp_path / "machine.toml").write_text('name = "notes"\nworkers = 1\nmodules = ["notes"]\n')
    return load_machine(tmp_path)


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sequences of what worlds folded."""
    found: list[int] = []
    fold = World.apply

    def apply(world: World, commit: Commit) -> Entity:
        found.append(commit.sequence)
        return fold(world, commit)

    monkeypatch.setattr(World, "apply", apply)
    return found


async def write(running: Leaf, note: str, text: str) -> None:
    node = running.node
    kind = node.composition.command("notes", "Write")
    command = from_text({"note": note, "text": text}, kind.commands["Write"])
    origin = Origin.root(f"{note}-{text}", "person:anna")
    await send(node.client, SystemClock(), kind, command, origin, "test", 20.0)


async def known(running: Leaf) -> tuple[int, str, str]:
    await running.node.idle()
    world = running.node.world
    return world.sequence, world.digest, await world.fingerprint()


async def folded(running: Leaf) -> tuple[int, str, str]:
    """The same of a world that is folded from nothing."""
    world = World(running.node.composition)
    await world.take([commit async for commit in running.node.log.read(">")])
    return world.sequence, world.digest, await world.fingerprint()


async def test_a_leaf_that_starts_again_folds_what_is_new_and_nothing_else(
    machine: Machine, applied: list[int]
) -> None:
    told: list[str] = []
    async with leaf(machine, told.append, port=0) as running:
        await write(running, "a", "one")
        await write(running, "b", "two")
        before = await known(running)
    applied.clear()
    async with leaf(machine, told.append, port=0) as running:
        assert await known(running) == before
        assert applied == []
        await write(running, "a", "three")
        after = await known(running)
        assert applied == [5, 6]
        assert value_of(await running.node.world.entities.get(A), "Length") == {"letters": 5}
    head = read_head(machine.state)
    assert head is not None
    assert (head.sequence, head.digest) == after[:2]
    assert told == []


async def test_processes_go_on_from_there_as_well(
    machine: Machine, applied: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Pending.apply

    def heard(pending: Pending, commit: Commit) -> set[Key]:
        applied.append(commit.sequence)
        return take(pending, commit)

    monkeypatch.setattr(Pending, "apply", heard)
    (machine.folder / "notes.py").write_text(MODULE + POLICY)
    async with leaf(machine, print, port=0) as running:
        await write(running, "a", "one")
        before = await known(running)
        assert (await running.node.world.entities.get(GREETING)).exists
    applied.clear()
    async with leaf(machine, print, port=0) as running:
        found = await known(running)
        assert all(sequence > before[0] for sequence in applied)
        assert found == await folded(running)
        await write(running, "b", "one")
        await running.node.idle()
        assert value_of(await running.node.world.entities.get(GREETING), "Length") == {"letters": 9}


async def test_other_code_folds_anew_with_a_word(machine: Machine, applied: list[int]) -> None:
    async with leaf(machine, print, port=0) as running:
        await write(running, "a", "one")
        before = await known(running)
    (machine.folder / "notes.py").write_text(MODULE.replace("text=event.text", "text=event.text.upper()"))
    sys.modules.pop("notes")
    applied.clear()
    told: list[str] = []
    async with leaf(machine, told.append, port=0) as running:
        sequence, digest, fingerprint = await known(running)
        assert (sequence, digest) == before[:2]
        assert fingerprint != before[2]
    assert applied[: before[0]] == [*range(1, before[0] + 1)]
    assert told == ["the index of the world is made anew from the log: other code folded it"]


async def test_a_file_that_is_no_index_is_made_anew(machine: Machine) -> None:
    async with leaf(machine, print, port=0) as running:
        await write(running, "a", "one")
        before = await known(running)
    ruin(machine.state / FILE)
    async with leaf(machine, print, port=0) as running:
        assert await known(running) == before


async def write_until_it_ends(machine: Machine, sequence: int) -> None:
    async with leaf(machine, print, port=0) as running, asyncio.timeout(20):
        assert running.node.world.sequence == sequence  # nobody has asked for the row yet
        await write(running, "a", "two")
        await asyncio.Event().wait()


async def test_a_row_that_was_changed_ends_the_leaf_by_name_and_the_next_is_right(machine: Machine) -> None:
    async with leaf(machine, print, port=0) as running:
        await write(running, "a", "one")
        before = await known(running)
    with closing(sqlite3.connect(machine.state / FILE)) as file, file:
        file.execute("UPDATE entity SET sequence = 1")
    with pytest.raises(ExceptionGroup) as ended:
        await write_until_it_ends(machine, before[0])
    assert ended.value.subgroup(IndexRuined) is not None
    async with leaf(machine, print, port=0) as running:
        assert await known(running) == await folded(running)
        assert running.node.world.sequence > before[0]


def ruin(file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)

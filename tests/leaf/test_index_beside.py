"""Who works beside a leaf begins with a copy of what that has kept, in a folder that nothing of is left."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cim.adapters.sqlite.index import FILE, SqliteIndex
from cim.adapters.system import SystemClock
from cim.contract.subjects import Ref
from cim.leaf.index import LOCK, PREFIX, index_beside, leafs_index
from cim.leaf.machine import Machine, load_machine
from cim.ports.index import Row, Standing
from cim.testing.processes import wait_until

CLOCK = SystemClock()
A = Ref("notes", "Note", "a")

HOLDS = """
import asyncio, sys
from pathlib import Path
from typing import Any
from cim.leaf.index import index_beside
from cim.leaf.machine import load_machine
from cim.adapters.system import SystemClock

async def main():
    async with index_beside(load_machine(Path(sys.argv[1])), SystemClock(), print):
        print("here", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "machine.toml").write_text('name = "notes"\nmodules = []\n')
    return load_machine(tmp_path)


async def write(index: SqliteIndex, sequence: int) -> None:
    await index.write([Row(A, 1, sequence, b"{}")], {}, Standing(sequence, A.events, "d", "v1"))


def folders(machine: Machine) -> list[Path]:
    return sorted(machine.state.glob(f"{PREFIX}*"))


async def test_it_begins_with_what_the_leaf_had_written_and_goes_its_own_way(machine: Machine) -> None:
    async with leafs_index(machine, CLOCK, print) as leafs:
        await write(leafs, 3)
        async with index_beside(machine, CLOCK, print) as own, index_beside(machine, CLOCK, print) as another:
            await write(leafs, 4)
            await write(own, 9)
            found = [one.standing() for one in (leafs, own, another)]
            assert [one.sequence for one in found if one is not None] == [4, 9, 3]
            assert len(folders(machine)) == 2
        assert folders(machine) == []


async def test_where_the_leaf_has_kept_nothing_it_is_empty(machine: Machine) -> None:
    async with index_beside(machine, CLOCK, print) as own:
        assert own.standing() is None
    (machine.state / FILE).write_bytes(b"no database" * 1000)
    async with index_beside(machine, CLOCK, print) as own:
        assert own.standing() is None


def test_what_a_killed_one_left_is_removed_and_what_one_that_lives_uses_is_not(machine: Machine) -> None:
    def beside() -> list[Path]:
        async def found() -> list[Path]:
            async with index_beside(machine, CLOCK, print):
                return folders(machine)

        return asyncio.run(found())

    program = [sys.executable, "-c", HOLDS, str(machine.folder)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            (its,) = folders(machine)
            assert its in beside()
        finally:
            process.kill()
    assert folders(machine) == [its]
    assert its not in beside()


async def test_one_that_was_taken_for_left_over_before_it_was_locked_makes_another(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []
    whole = Path.open

    def hasty(path: Path, *given: Any) -> Any:
        if path.name == LOCK and not taken:
            taken.append(path.parent)
            path.parent.rmdir()
        return whole(path, *given)

    monkeypatch.setattr(Path, "open", hasty)
    async with index_beside(machine, CLOCK, print):
        (own,) = folders(machine)
        assert own != taken[0]


def test_a_leaf_may_write_as_fast_as_it_likes_while_it_is_copied(machine: Machine) -> None:
    async def both() -> None:
        async with leafs_index(machine, CLOCK, print) as leafs:
            await write(leafs, 1)
            over = asyncio.Event()

            async def writing() -> None:
                for sequence in range(2, 200):
                    await write(leafs, sequence)
                over.set()

            task, before = asyncio.create_task(writing()), 0
            while not over.is_set():
                async with index_beside(machine, CLOCK, print) as own:
                    standing, row = own.standing(), own.find(A)
                    assert standing is not None
                    assert row is not None
                    assert row.sequence == standing.sequence >= before, "one moment, and later ones later"
                    before = standing.sequence
            await task

    asyncio.run(both())
    wait_until(lambda: not folders(machine), "nothing is left")

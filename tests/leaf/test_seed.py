"""Workers are forked from a process that has loaded everything once, or else each loads for itself."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cim.leaf.frames import Serve
from cim.leaf.seed_process import SeedProcess
from cim.testing.processes import wait_until

from .trials import GENEROUS, OPEN_FILE, THREAD, Trials, children, forked, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")

DICE = "\nimport numpy.random\n"


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    return Trials(tmp_path_factory.mktemp("trials"), DICE)


async def test_everything_is_loaded_once_and_each_worker_is_a_fork_of_it_in_a_session_of_its_own(
    trials: Trials,
) -> None:
    trials.told.clear()
    async with trials.open(count=2) as workers:
        (seed,) = children()
        for _ in range(3):
            found = await trials.run(workers, "origin")
            assert found is not None
            loaded, parent, itself = map(int, found.split())
            assert loaded == parent == seed != itself
            assert os.getsid(itself) == itself
            os.kill(itself, signal.SIGKILL)
        assert len(children()) == 1
    assert {*trials.told} <= {
        f"a worker {where} is gone: it crashed (SIGKILL)" for where in (f"at {trials.system}", "that waited")
    }


async def test_a_worker_has_its_own_pipe_open_and_no_file_of_the_seed_or_of_another(trials: Trials) -> None:
    async with trials.open(count=3) as workers:
        await until(lambda: len(forked()) >= 3, "all three are there")
        files = [await trials.run(workers, "files") for _ in range(3)]
        for found in files:
            assert re.fullmatch(r"(socket:\[\d+\]) \1", found or ""), found


async def test_workers_of_one_seed_do_not_draw_the_same_numbers(trials: Trials) -> None:
    async with trials.open() as workers:
        drawn: list[str] = []
        for _ in range(2):
            pid, dice = await trials.run(workers, "pid"), await trials.run(workers, "dice")
            assert pid is not None
            assert dice is not None
            drawn += dice.split()
            os.kill(int(pid), signal.SIGKILL)
        assert len({*drawn}) == 4


@pytest.mark.parametrize(
    ("more", "why"), [(THREAD, "loading left 2 threads"), (OPEN_FILE, "loading left .*trials.py open")]
)
async def test_what_cannot_be_forked_is_told_once_and_each_worker_loads_for_itself(
    tmp_path: Path, more: str, why: str
) -> None:
    trials = Trials(tmp_path, more)
    async with trials.open(count=2) as workers:
        assert len(children()) == 2
        for _ in range(2):
            found = await trials.run(workers, "origin")
            assert found is not None
            loaded, parent, itself = map(int, found.split())
            assert (loaded, parent) == (itself, os.getpid())
            os.kill(itself, signal.SIGKILL)
        told = [line for line in trials.told if "is gone" not in line]
        assert len(told) == 1
        assert re.fullmatch(
            f"each worker loads everything for itself, for it cannot be forked: {why}", told[0]
        )


async def test_a_seed_that_is_killed_takes_its_workers_along_and_the_run_is_made_by_those_of_another(
    trials: Trials,
) -> None:
    async with trials.open() as workers:
        await until(lambda: len(workers._idle) == 2, "the spare one is ready")
        trials.told.clear()
        (seed,) = children()
        hold = trials.folder / "hold"
        hold.touch()
        run = asyncio.create_task(trials.run(workers, "wait"))
        await until(lambda: (trials.folder / "held").exists(), "the run is under way")
        old = forked()
        os.kill(seed, signal.SIGKILL)
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in old), "its workers are gone")
        hold.unlink()
        assert await run == "wait"
        assert children() != [seed]
        assert f"a worker at {trials.system} is gone: it crashed (SIGKILL)" in trials.told


async def test_a_worker_that_nobody_waits_for_any_more_ends(trials: Trials) -> None:
    serve = Serve(str(trials.folder), ("trials_module.trials",), (str(trials.system),), GENEROUS.memory_mb)
    seed, _ = await SeedProcess.start(serve, behind=False)
    assert isinstance(seed, SeedProcess)
    try:
        asking = asyncio.create_task(seed.fork())
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        worker = await seed.fork()  # a later answer than the one that nobody heard
        await until(lambda: forked() == [worker.process.pid], "the other one is gone")
        await worker.end()
        assert worker.process.returncode == -signal.SIGKILL
    finally:
        await seed.end()


LEAF = """
import asyncio, sys
from pathlib import Path
from tests_leaf_trials import GENEROUS, Trials

async def main():
    trials = Trials.__new__(Trials)
    trials.found(Path(sys.argv[1]))
    async with trials.open(count=2) as workers:
        await asyncio.gather(*(trials.run(workers, "hang") for _ in range(2)))

asyncio.run(main())
"""


def test_a_leaf_that_is_killed_leaves_neither_the_seed_nor_a_worker_that_hangs(
    trials: Trials, tmp_path: Path
) -> None:
    (tmp_path / "tests_leaf_trials.py").symlink_to(Path(__file__).with_name("trials.py"))
    leaf = subprocess.Popen(
        [sys.executable, "-c", LEAF, str(trials.folder)], env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    try:
        at_work = wait_until(lambda: busy(leaf.pid), "both hang")
    finally:
        leaf.kill()
        leaf.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in at_work), "all are gone")


def busy(leaf: int) -> list[int]:
    """The seed and its workers, once two of them have the processors."""
    seeds = children(leaf)
    workers = [pid for seed in seeds for pid in children(seed)]
    ticks = [int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11]) for pid in workers]
    return [*seeds, *workers] if sum(taken > 20 for taken in ticks) == 2 else []


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for its new parent to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False

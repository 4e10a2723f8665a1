"""Systems in processes of their own: what hangs, crashes or eats memory is a recorded cause, and no more."""

import asyncio
import gc
import os
import re
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from cim.adapters.system import SystemClock
from cim.domain.errors import Failure, Misdeclared, Unavailable
from cim.leaf.frames import Serve
from cim.leaf.machine import Limits
from cim.leaf.worker_process import NICE, Worker
from cim.leaf.workers import BEHIND, Workers

from .trials import DEADLINE, GENEROUS, THREAD, TOML, Trials, children, forked, until


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    return Trials(tmp_path_factory.mktemp("trials"))


@pytest.fixture(scope="module")
def threaded(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """The same with a module that starts a thread when it is loaded."""
    return Trials(tmp_path_factory.mktemp("threaded"), THREAD)


async def test_a_system_runs_in_another_process_and_the_same_one_again(trials: Trials) -> None:
    async with trials.open() as workers:
        first, again = await trials.run(workers, "pid"), await trials.run(workers, "pid")
        assert first == again != str(os.getpid())
        assert await trials.run(workers, "nothing") is None


async def test_a_run_that_ended_leaves_nothing_that_waits_for_the_collector(trials: Trials) -> None:
    """What was left of a thousand runs had it hold up the leaf for 60 ms, which was the 99th percentile."""
    async with trials.open() as workers:
        await trials.run(workers, "pid")
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                await trials.run(workers, "pid")
            assert gc.collect() < 50
        finally:
            gc.enable()


async def test_what_native_code_prints_does_not_come_between(trials: Trials) -> None:
    async with trials.open() as workers:
        assert await trials.run(workers, "print") == "print"
        assert await trials.run(workers, "after") == "after"


async def test_contents_come_and_go_through_the_leaf(trials: Trials) -> None:
    async with trials.open() as workers:
        found = await trials.run(workers, "content")
        assert found is not None
        assert found.endswith(" 3000000")
        assert await trials.blobs.load(found.split()[0]) == b"a" * 3_000_000
        with pytest.raises(Failure, match="is not in the store"):
            await trials.run(workers, "missing")


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("raise", "KeyError: 'no such page'"),
        ("refuse", "the paper is blank"),
        ("stop", "StopIteration"),
        ("exit", "SystemExit: 7"),
        ("lie", "provider .*:Sleeper lied: Slow.weigh: it is of type str, the contract says float"),
    ],
)
async def test_what_a_system_raises_is_its_cause_and_the_worker_goes_on(
    trials: Trials, what: str, cause: str
) -> None:
    async with trials.open() as workers:
        pid = await trials.run(workers, "pid")
        with pytest.raises(Failure, match=cause):
            await trials.run(workers, what)
        assert await trials.run(workers, "pid") == pid


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("away", "the reader is not there now"),
        ("cut", "ConnectionResetError: cut off"),
        ("late", "TimeoutError: no answer in 5 s"),
    ],
)
async def test_what_cannot_be_reached_now_is_told_from_what_failed(
    trials: Trials, what: str, cause: str
) -> None:
    async with trials.open() as workers:
        pid = await trials.run(workers, "pid")
        with pytest.raises(Unavailable, match=cause):
            await trials.run(workers, what)
        assert await trials.run(workers, "pid") == pid


async def test_a_step_that_hangs_is_stopped_and_the_next_run_is_made(trials: Trials) -> None:
    async with trials.open(Limits(seconds=0.5)) as workers:
        began = time.monotonic()
        with pytest.raises(Failure, match=r"one step of it took more than 0\.5 seconds"):
            await trials.run(workers, "hang")
        print(f"stopped after {time.monotonic() - began:.2f} s")
        assert await trials.run(workers, "after") == "after"


async def test_long_work_of_short_steps_is_not_stopped(trials: Trials) -> None:
    async with trials.open(Limits(seconds=1.0)) as workers:
        assert await trials.run(workers, "long") == "long"


async def test_a_run_that_hangs_steps_aside_and_another_is_made_meanwhile(
    trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.leaf.usual.LONG", 0.2)
    async with trials.open(Limits(seconds=5.0)) as workers:
        is_aside = asyncio.Event()
        hanging = asyncio.create_task(trials.run(workers, "hang", is_aside.set))
        async with asyncio.timeout(DEADLINE):
            await is_aside.wait()
        assert await trials.run(workers, "meanwhile") == "meanwhile"
        assert not hanging.done()
        with pytest.raises(Failure, match="one step of it took more than 5 seconds"):
            await hanging
        pids = [await trials.run(workers, "pid") for _ in range(3)]
        assert len(set(pids)) == 1, "what was lent is given back: one worker goes on"


async def test_a_run_that_takes_long_keeps_its_place_until_another_waits_for_it(
    trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "held_up", lambda worker: 0.0)
    async with trials.open(Limits(seconds=3.0)) as workers:
        asked, told, is_wanted = list[float](), list[str](), False

        def wanted() -> bool:
            asked.append(time.monotonic())
            return is_wanted

        run = asyncio.create_task(trials.run(workers, "hang", partial(told.append, "aside"), wanted))
        await until(lambda: len(asked) > 3, "it takes long, and is asked about again and again")
        assert told == []
        is_wanted = True
        await until(lambda: told == ["aside"], "it has stepped aside")
        is_wanted = False
        with pytest.raises(Failure, match="took more than 3 seconds"):
            await run
        assert told == ["aside"]


async def test_a_step_that_takes_no_longer_than_its_kind_does_is_not_long(trials: Trials) -> None:
    async with trials.open(Limits(seconds=6.0)) as workers:
        told: list[str] = []
        assert await trials.run(workers, "long", wanted=lambda: False) == "long"  # six steps of 0.3 s
        assert await trials.run(workers, "long", partial(told.append, "long")) == "long"
        assert told == []
        assert await trials.run(workers, "sleep", partial(told.append, "sleep")) == "sleep"
        assert told == ["sleep"], "a second of its own code"


async def test_the_time_in_which_others_have_the_processors_does_not_count(
    trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "held_up", lambda worker: time.monotonic())
    async with trials.open(Limits(seconds=0.5)) as workers:
        told: list[str] = []
        assert await trials.run(workers, "sleep", partial(told.append, "aside")) == "sleep"
        assert told == []
        with pytest.raises(Failure, match=r"one step of it took more than 0\.5 seconds"):
            await trials.run(workers, "hang")


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs /proc/self/schedstat")
async def test_what_holds_a_worker_up_is_told_by_the_system(trials: Trials) -> None:
    async with trials.open(count=2) as workers:
        pinned = list(workers._all)
        for worker in pinned:
            os.sched_setaffinity(worker.process.pid, {min(os.sched_getaffinity(0))})
        runs = [asyncio.create_task(trials.run(workers, "hang")) for _ in range(2)]
        await until(lambda: all(worker.held_up() > 0.2 for worker in pinned), "it shows")
        for run in runs:
            run.cancel()
        await asyncio.wait(runs)


async def test_runs_that_hang_take_twice_as_many_workers_more_and_the_next_when_there_is_room(
    trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.leaf.usual.LONG", 0.2)
    # By the clock alone, so that they end in the order in which they began, however busy the machine is.
    monkeypatch.setattr(Worker, "held_up", lambda worker: 0.0)
    async with trials.open(Limits(seconds=3.0)) as workers:
        told: list[str] = []
        most = 0

        def count() -> bool:
            nonlocal most
            most = max(most, len(workers._all))
            return all(run.done() for run in runs)

        runs = [
            asyncio.create_task(trials.run(workers, "hang", partial(told.append, name)))
            for name in ("first", "second", "third", "fourth")
        ]
        for run in runs:
            run.add_done_callback(lambda _: told.append("ended"))
        await until(count, "all have ended")
        assert all(isinstance(run.exception(), Failure) for run in runs)
        assert told.index("ended") > 2, "another steps aside as soon as one of them ends"
        told = [name for name in told if name != "ended"]
        assert told[:2] == ["first", "second"]
        assert sorted(told[2:]) == ["fourth", "third"], "there is room when the others have ended"
        assert most == 4, "one and its spare, and two more"


async def test_who_takes_the_place_of_a_run_aside_finds_a_worker_ready_and_another_is_made_ready(
    trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.leaf.usual.LONG", 0.2)
    async with trials.open(Limits(seconds=10.0)) as workers:
        await until(lambda: len(workers._idle) == 2, "the spare one is ready")
        spare = workers._idle[0]
        assert stands_back(spare.process.pid) == {NICE}
        is_aside = asyncio.Event()
        hanging = asyncio.create_task(trials.run(workers, "hang", is_aside.set))
        async with asyncio.timeout(DEADLINE):
            await is_aside.wait()
        assert await trials.run(workers, "pid") == str(spare.process.pid)
        await until(lambda: len(workers._idle) == 2, "another spare one is ready")
        assert len(forked()) == 3, "the one that hangs, one that works, and a spare one"
        assert {frozenset(stands_back(pid)) for pid in forked()} == {
            frozenset({nice}) for nice in (NICE, BEHIND)
        }
        hanging.cancel()
        await asyncio.wait([hanging])
        await until(lambda: len(forked()) == 2, "the one that hung is gone, and none has come for it")


async def test_a_spare_worker_comes_in_for_one_that_crashed_and_is_replaced(trials: Trials) -> None:
    trials.told.clear()
    async with trials.open(Limits(seconds=3.0)) as workers:
        await until(lambda: len(workers._idle) == 2, "the spare one is ready")
        spare = str(workers._idle[0].process.pid)
        os.kill(workers._idle[1].process.pid, signal.SIGKILL)
        await workers._idle[1].process.wait()
        assert await trials.run(workers, "pid") == spare
        await until(lambda: len(workers._idle) == 2, "there is a spare one again")
        assert len(forked()) == 2


async def test_a_worker_that_cannot_start_is_told_once_and_comes_when_it_can(
    trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trials.open() as workers:
        await until(lambda: len(workers._idle) == 2, "the spare one is ready")
        trials.told.clear()
        with monkeypatch.context() as broken:
            broken.setattr("cim.leaf.worker_process.sys.executable", "/bin/false")
            (seed,) = children()
            os.kill(seed, signal.SIGKILL)
            await asyncio.gather(*(one.process.wait() for one in workers._all))
            run = asyncio.create_task(trials.run(workers, "after"))
            await until(lambda: len(trials.told) == 3, "that none starts is told")
        assert await run == "after"
        assert sorted(trials.told) == [
            "a worker does not start: it ended with code 1; trying again",
            *["a worker that waited is gone: it crashed (SIGKILL)"] * 2,
        ]


async def test_a_spare_worker_that_cannot_start_is_told_and_the_others_go_on(
    threaded: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with threaded.open(Limits(seconds=3.0)) as workers:
        threaded.told.clear()
        monkeypatch.setattr("cim.leaf.worker_process.sys.executable", "/bin/false")
        await until(lambda: bool(threaded.told), "its end is told")
        assert threaded.told == ["a worker does not start: it ended with code 1; trying again"], "once"
        assert await threaded.run(workers, "after") == "after"


def stands_back(pid: int) -> set[int]:
    """How far a process stands back: by itself, and its session where the kernel counts by sessions."""
    session = Path(f"/proc/{pid}/autogroup")
    told = [int(session.read_text().split()[-1])] if session.exists() else []
    return {os.getpriority(os.PRIO_PROCESS, pid), *told}


async def test_a_worker_that_is_killed_while_it_starts_is_started_again(trials: Trials) -> None:
    trials.told.clear()
    serve = Serve(str(trials.folder), ("trials_module.trials",), (str(trials.system),), GENEROUS.memory_mb)
    workers = Workers(serve, GENEROUS, trials.blobs, SystemClock(), trials.told.append)
    opening = asyncio.create_task(workers.open(1))
    try:
        async with asyncio.timeout(DEADLINE):
            while not (started := children()):  # noqa: ASYNC110
                await asyncio.sleep(0)
            os.kill(started[0], signal.SIGKILL)
            await opening
        assert await trials.run(workers, "after") == "after"
        assert trials.told == ["a worker that started is gone: it crashed (SIGKILL)"]
    finally:
        await workers.close()


async def test_workers_that_are_killed_while_they_wait_are_no_runs_fault(trials: Trials) -> None:
    trials.told.clear()
    async with trials.open(count=4) as workers:
        await until(lambda: len(workers._idle) == 5, "the spare one is ready, too")
        for pid in forked():
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            while any(one.process.returncode is None for one in workers._idle):  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert await trials.run(workers, "after") == "after"
        assert trials.told == ["a worker that waited is gone: it crashed (SIGKILL)"] * 5


@pytest.mark.parametrize(("what", "manner"), [("abort", "SIGABRT"), ("leave", "it ended with code 7")])
async def test_a_crash_is_tried_in_fresh_workers_and_then_told(
    trials: Trials, what: str, manner: str
) -> None:
    trials.told.clear()
    async with trials.open() as workers:
        with pytest.raises(Failure, match=f"ended 3 times: .*{manner}"):
            await trials.run(workers, what)
        assert len(trials.told) == 3
        assert await trials.run(workers, "after") == "after"


async def test_what_eats_memory_is_told_and_takes_down_nothing(trials: Trials) -> None:
    async with trials.open(Limits(seconds=20.0, memory_mb=512)) as workers:
        with pytest.raises(Failure, match="more memory than the machine allows"):
            await trials.run(workers, "eat")
        assert await trials.run(workers, "after") == "after"


async def test_a_worker_that_somebody_killed_is_no_fault_of_the_run(trials: Trials) -> None:
    async with trials.open() as workers:
        pid = await trials.run(workers, "pid")
        assert pid is not None
        os.kill(int(pid), signal.SIGKILL)
        assert re.fullmatch(r"\d+", await trials.run(workers, "pid") or "")


async def test_closing_leaves_no_process(trials: Trials) -> None:
    async with trials.open(count=2) as workers:
        pid = int(await trials.run(workers, "pid") or 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_missing_provider_is_refused_by_name_before_anything_runs(
    trials: Trials, tmp_path: Path
) -> None:
    (tmp_path / "machine.toml").write_text(TOML.partition("[providers]")[0])
    (tmp_path / "trials_module").symlink_to(trials.folder / "trials_module")
    serve = Serve(str(tmp_path), ("trials_module.trials",), (str(trials.system),), 1024)
    workers = Workers(serve, Limits(), trials.blobs, SystemClock(), trials.told.append)
    with pytest.raises(Misdeclared, match="needs Slow and nothing is bound to it"):
        await workers.open(1)
    await workers.close()

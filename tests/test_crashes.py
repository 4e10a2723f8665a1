"""Whatever is killed with signal 9 in the middle of reading: started again, all ends as without it."""

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.envelope import Commit
from cim.leaf.accounts import Credentials
from cim.leaf.lock import find_running
from cim.log.consumer import consume
from cim.testing.processes import Place, Running, place, stop_for_now, wait_until

Values = dict[tuple[str, str], Any]
PAPERS = 10
COMMITS_EACH = 6
"""One command; preview, text, kind, sentiment and facts."""


@pytest.fixture(scope="module")
def papers(
    tmp_path_factory: pytest.TempPathFactory, draw_slips: Callable[[Path, int], list[Path]]
) -> list[Path]:
    return draw_slips(tmp_path_factory.mktemp("papers"), PAPERS)


@pytest.fixture(scope="module")
def undisturbed(papers: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Values:
    """What a machine comes to that nothing happens to."""
    scratch = tmp_path_factory.mktemp("undisturbed")
    with place(scratch / "machine", scratch) as machine:
        assert machine.cim("demo", "--exit", "--port", "0", *papers).code == 0
        return values_of(machine)


def values_of(machine: Place) -> Values:
    """Every value by entity and name, folded from the log without the machine's own program."""
    values: Values = {}
    for commit in machine.cim("log", "--json").data:
        kind, _, _, id, *owner = commit["subject"].split(".")
        for item in commit["data"]:
            values[id, ".".join([kind, *owner, item["type"]])] = item["data"]
    return values


def assert_sound(machine: Place, expected: Values) -> None:
    """The values are those expected, each effect stands once, nothing waits, verify finds no fault."""
    assert values_of(machine) == expected
    ids = Counter(commit["id"] for commit in machine.cim("log", "--json").data)
    assert max(ids.values()) == 1
    assert len(ids) == PAPERS * COMMITS_EACH
    assert machine.cim("waiting").out == "nothing waits\n"
    verdict = machine.cim("verify", "--json")
    assert (verdict.code, verdict.data[0]["faults"]) == (0, [])
    assert machine.servers == []


async def strike(machine: Place, moments: list[int], blow: Callable[[], None]) -> None:
    """Follow the log of a leaf that comes up, and strike when it first reaches each of these sequences."""
    address = await asyncio.to_thread(wait_until, lambda: find_running(machine.state), "a leaf that runs")
    struck = asyncio.Event()
    left = list(moments)

    async def watch(batch: list[Commit]) -> None:
        while batch and left and batch[-1].sequence >= left[0]:
            del left[0]
            blow()
        if not left:
            struck.set()

    async with connect(address.url, Credentials(address.jwt, address.seed), "the test") as client:
        following = asyncio.create_task(consume(await NatsLog.open(client), SystemClock(), 0, watch))
        try:
            await asyncio.wait_for(struck.wait(), 60)
        finally:
            following.cancel()
            await asyncio.wait([following])


async def test_the_leaf_killed_at_any_moment_ends_with_the_same_values(
    new_machine: Place, papers: list[Path], undisturbed: Values
) -> None:
    for moment in (1, PAPERS + 3, PAPERS * 3, PAPERS * 5):
        running = new_machine.start("demo", "--port", "0", *papers)
        await strike(new_machine, [moment], running.process.kill)
        running.kill()
        assert "documents read" not in running.out, "it was to be killed in the middle"
    done = new_machine.cim("demo", "--exit", "--port", "0", *papers)
    assert done.code == 0, done.err
    assert_sound(new_machine, undisturbed)


async def test_the_server_killed_under_the_leaf_ends_with_the_same_values(
    new_machine: Place, papers: list[Path], undisturbed: Values
) -> None:
    running = new_machine.start("demo", "--exit", "--port", "0", *papers)
    killed: list[int] = []

    def kill_server() -> None:
        killed.append(int((new_machine.state / "nats.pid").read_text()))
        os.kill(killed[-1], signal.SIGKILL)

    await strike(new_machine, [1, PAPERS + 5, PAPERS * 3, PAPERS * 5], kill_server)
    done = running.end()
    assert done.code == 0, done.err
    assert len(set(killed)) == 4
    assert done.err.count("died with signal 9; it is started again on its ports") == 4
    assert_sound(new_machine, undisturbed)


async def test_the_processes_that_run_systems_killed_end_with_the_same_values(
    new_machine: Place, papers: list[Path], undisturbed: Values
) -> None:
    running = new_machine.start("demo", "--exit", "--port", "0", *papers)
    killed: list[int] = []

    def kill_workers() -> None:
        # In turns those that make the runs and what they were forked from.
        loaded = worker_processes(running.process.pid)
        forked = [pid for one in loaded for pid in worker_processes(one)]
        for pid in forked if forked and len(killed) % 2 == 0 else loaded:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    await strike(new_machine, [PAPERS + 3, PAPERS * 3, PAPERS * 5], kill_workers)
    done = running.end()
    assert (done.code, len(killed) >= 3) == (0, True), done.err
    assert "is gone: it crashed (SIGKILL)" in done.err
    assert_sound(new_machine, undisturbed)


def worker_processes(parent: int) -> list[int]:
    """The children of a process that loaded what a worker loads."""
    listing = subprocess.run(["ps", "-eww", "-o", "pid=,ppid=,command="], capture_output=True, text=True)
    rows = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
    return [int(pid) for pid, its, command in rows if int(its) == parent and "cim.leaf.worker" in command]


async def test_a_late_worker_killed_in_the_middle_ends_with_the_same_values(
    new_machine: Place, papers: list[Path], undisturbed: Values
) -> None:
    assert new_machine.cim("demo", "--exit", "--port", "0", *papers).code == 0
    (new_machine.folder / "sizes.py").write_text(SIZES)
    hold = new_machine.folder / "hold"
    hold.touch()
    new_machine.up()
    worker = new_machine.start("work", "--module", "sizes", "--exit")
    await strike(new_machine, [PAPERS * COMMITS_EACH + PAPERS // 2], worker.process.kill)
    worker.kill()
    assert "nothing is left to do" not in worker.out

    # Two at once, at the same document when it comes loose: one of them writes it. They divide the documents,
    # but the first stands still when the second comes, so neither knows of the other.
    again = list[Running]()
    for _ in range(2):
        one = new_machine.start("work", "--module", "sizes", "--exit")
        held = new_machine.folder / f"held by {one.process.pid}"
        wait_until(held.exists, "it is at it")
        stop_for_now(one.process.pid)
        again.append(one)
    hold.unlink()
    for one in again:
        one.process.send_signal(signal.SIGCONT)
    for done in (one.end() for one in again):
        assert (done.code, "nothing is left to do" in done.out) == (0, True), done.err
    values = values_of(new_machine)
    sizes = {id: data["letters"] for (id, name), data in values.items() if name == "cmp.sizes.Size"}
    texts = {id: data["body"] for (id, name), data in values.items() if name == "cmp.documents.Text"}
    assert sizes == {id: len(body) for id, body in texts.items()}
    assert {key: value for key, value in values.items() if key[1] != "cmp.sizes.Size"} == undisturbed
    written = [one for one in new_machine.cim("log", "--json").data if one["subject"].endswith(".sizes")]
    assert len(written) == len({one["id"] for one in written}) == PAPERS
    assert new_machine.cim("verify").code == 0


SIZES = '''
"""A module that came later; while a file named hold is there, it is stuck on one of the documents."""

import os
import time
from pathlib import Path

from cim import Changed, Component, Context
from documents import Document, Text

sizes = Context("sizes")
HOLD = Path(__file__).with_name("hold")
LEAF = os.getppid()  # of whoever loaded this; a worker is that process, or a fork of it


@sizes.component(of=Document)
class Size(Component):
    """How many letters the text has."""

    letters: int


@sizes.system
def measure(text: Changed[Text]) -> Size:
    """Count them."""
    while HOLD.exists() and "TOTAL 3.07" in text.body:
        HOLD.with_name(f"held by {LEAF}").touch()
        time.sleep(0.01)
    return Size(len(text.body))
'''


async def test_a_worker_finds_a_leaf_again_that_was_killed_and_started_anew(
    new_machine: Place, papers: list[Path], undisturbed: Values
) -> None:
    first, *rest = papers
    assert new_machine.cim("demo", "--exit", "--port", "0", first).code == 0
    leaf = new_machine.up()
    worker = new_machine.start("work", "--module", "languages")
    worker.prints("nothing is left to do")
    leaf.kill()
    assert new_machine.cim("demo", "--exit", "--port", "0", *rest).code == 0
    new_machine.up()
    await strike(new_machine, [PAPERS * (COMMITS_EACH + 1)], lambda: None)
    values = values_of(new_machine)
    languages = {id for (id, name) in values if name == "cmp.languages.Language"}
    assert languages == {id for (id, _) in undisturbed}
    assert {key: value for key, value in values.items() if key[1] != "cmp.languages.Language"} == undisturbed
    assert worker.process.poll() is None

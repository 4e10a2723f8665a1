"""The fault run in short: under each durability, and with each guard taken away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cim.testing.faults.guards import GUARDS
from cim.testing.faults.networks import NoNetworks
from cim.testing.faults.run import Asked, Told, run
from cim.testing.processes import wait_until

SEED = 3

CUTTING_OFF = ("partition", "kill and partition")
"""Other kinds of faults are struck by above: a short run may not come to these by chance."""


async def strike(scratch: Path, asked: Asked) -> Told:
    said: list[str] = []
    told = await run(asked, scratch, said.append)
    print("\n".join([*said, told.summary]))
    assert_nothing_is_left(scratch)
    return told


def assert_nothing_is_left(scratch: Path) -> None:
    assert not list(Path("/run/netns").glob(f"cim{os.getpid()}*"))
    listing = subprocess.run(["ps", "-eww", "-o", "command="], capture_output=True, text=True, check=True)
    assert str(scratch) not in listing.stdout
    assert str(scratch) not in Path("/proc/mounts").read_text()


@pytest.mark.parametrize(("profile", "kills"), [("dev", 9), ("durable", 5), ("ha", 5)])
async def test_nothing_is_lost_and_nothing_doubled(tmp_path: Path, profile: str, kills: int) -> None:
    told = await strike(tmp_path, Asked(profile, SEED, kills, 15))
    assert told.wrong == ()
    assert told.counted["kill"] >= 3
    assert told.counted["acknowledged"] > 50


async def test_hosts_that_are_cut_off_and_killed_lose_nothing(tmp_path: Path) -> None:
    try:
        told = await strike(tmp_path, Asked("ha", SEED, 4, 15, hosts=True, only=CUTTING_OFF))
    except NoNetworks as none:
        pytest.skip(str(none))
    assert told.wrong == ()
    assert told.counted["partition"] >= 1
    assert told.counted["acknowledged"] > 20


@pytest.mark.parametrize("guard", GUARDS)
async def test_it_notices_that_there_is_no(guard: str, tmp_path: Path) -> None:
    only = ("kill leaf",) if guard == "checkpoint-before-rows" else ()
    told = await strike(tmp_path, Asked("dev", SEED, 5, 15, guard, only=only))
    assert told.wrong


def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cim.testing.faults", "--scratch", str(tmp_path)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: list(tmp_path.glob("*.journal")), "senders that send")
    os.kill(running.pid, signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "everything that was started is stopped" in out
    assert_nothing_is_left(tmp_path)

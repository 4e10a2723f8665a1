"""Whole lives of a machine, each from its seed; the long form is ``python -m cim.testing.simulation``."""

import os
import subprocess
import sys

import pytest

from cim.testing.simulation import live, main

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_life_loses_nothing_and_doubles_nothing(seed: int) -> None:
    life = live(seed)
    assert life.wrong == (), f"play it again: python -m cim.testing.simulation --runs 1 --seed {seed}"


def test_the_lives_of_these_tests_have_met_every_fault() -> None:
    counted = sum((live(seed).counted for seed in SEEDS[:10]), live(SEEDS[10]).counted)
    kinds = {
        "attempt lost",
        "attempt late",
        "attempt doubled",
        "attempt cut after",
        "attempt's answer lost",
        "command lost",
        "command doubled",
        "command's answer lost",
        "run loses the link",
        "run steps aside",
        "link cut",
        "clock jumps",
        "crashes",
        "commands rejected",
        "commands of processes refused",
        "timers woken",
        "positions settled",
    }
    assert {kind for kind in kinds if counted[kind] < 5} == set()
    assert counted["commands acknowledged"] > 100


def test_a_seed_gives_the_same_life_in_every_process() -> None:
    look = (
        "from cim.testing.simulation import live; life = live(7); "
        "print(life.digest, sorted(life.counted.items()))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", look],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    here = live(7)
    assert said == {f"{here.digest} {sorted(here.counted.items())}\n"}


def test_the_long_form_prints_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3", "--runs", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seeds 3 to 4: 2 runs, 0 failed"
    assert [line.split() for line in lines[-2:]] == [["lost", "0"], ["doubled", "0"]]

"""Several processes run the same system: they divide the work, and what one leaves the others do."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cim.testing.processes import Running, place, wait_until

from .lab import Lab

IN_PROCESS = 'Gauge = "gauges:Slow"'


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with place(tmp_path / "lab", tmp_path / "said") as machine:
        made = Lab(machine)
        made.lay(workers=1)
        toml = made.folder / "machine.toml"
        first, _, rest = toml.read_text().partition("Gauge = { over")
        toml.write_text(f"{first}{IN_PROCESS}\n{rest.partition('}')[2]}")
        yield made


def work(lab: Lab) -> Running:
    running = lab.machine.start("work", "--systems", "lab.read")
    running.prints("nothing is left to do")
    return running


def put(lab: Lab, name: str, count: int) -> None:
    lines = "".join(f"lab.Put sample={name}{n} weight=1\n" for n in range(count))
    for line in lines.splitlines():
        done = lab.machine.cim("send", *line.split())
        assert done.code == 0, done.err


def test_two_processes_divide_the_entities_and_no_run_is_made_twice(lab: Lab) -> None:
    lab.machine.up()
    work(lab)
    put(lab, "s", 16)
    wait_until(lambda: len(lab.readings()) == 16, "all are read")
    assert len(lab.asked) == 16, "each was read once"
    assert len(set(lab.asked)) >= 2, "by both"


def test_what_a_process_that_is_killed_had_is_done_by_the_others(lab: Lab) -> None:
    lab.machine.up()
    other = work(lab)
    put(lab, "s", 4)
    wait_until(lambda: len(lab.readings()) == 4, "all are read")
    other.kill()
    put(lab, "t", 8)
    wait_until(lambda: len(lab.readings()) == 12, "those of the killed one, too")
    assert len(lab.asked) == 12
    assert other.process.pid != os.getpid()


def test_a_system_that_is_not_there_is_refused_by_name(lab: Lab) -> None:
    lab.machine.up()
    done = lab.machine.cim("work", "--systems", "lab.read,lab.write")
    assert (done.code, "there is no system 'lab.write'; there are: lab.read" in done.err) == (1, True), (
        done.err
    )

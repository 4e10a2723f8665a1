"""How the collector is set for a process of a machine: each in a process of its own."""

import subprocess
import sys

ABOUT = """
import gc, weakref
from cim.leaf.garbage import SELDOM, collect_seldom, let_go, let_stay

class One:
    pass

def circle():
    one = One()
    one.itself = one
    return weakref.ref(one)
"""


def run(code: str) -> str:
    found = subprocess.run([sys.executable, "-c", ABOUT + code], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def test_what_stays_is_not_looked_through_and_what_comes_later_is() -> None:
    said = run("""
staying, freed = [One() for _ in range(1000)], One()
still_there = weakref.ref(freed)
let_stay()
held = gc.get_freeze_count()
later = circle()
del freed
print(held > 1000, still_there() is None, later() is not None)
gc.collect()
print(later() is None, all(one is not None for one in staying))
""")
    assert said.split() == ["True"] * 5


def test_what_was_to_stay_is_looked_through_again_when_it_has_ended() -> None:
    """Or a leaf that has lost its turn would keep its world until the process ends."""
    said = run("""
gone = circle()
let_stay()
gc.collect()
kept = gone() is not None
let_go()
gc.collect()
print(kept, gone() is None)
""")
    assert said.split() == ["True"] * 2


def test_a_circle_is_found_without_being_asked_for() -> None:
    said = run("""
collect_seldom()
first = circle()
many = [[] for _ in range(2 * SELDOM[0])]
print(first() is None)
""")
    assert said == "True"


def test_whatever_runs_until_it_is_stopped_collects_seldom() -> None:
    said = run("""
from cim.cli.place import run_until_stopped

async def work():
    return gc.get_threshold() == SELDOM

print(run_until_stopped(work()))
""")
    assert said == "True"

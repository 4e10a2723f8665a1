"""The bench of agents runs from one end to the other, and counts what it says it counts."""

from agents import measure, report
from agents_pond import STEPS


def test_the_bench_measures_each_side() -> None:
    found = measure(4, every=25)
    assert min(found.bare.wall, found.engine.wall, found.leaf_rate, found.replay, found.first) > 0
    assert (found.killed, found.repeated) == (STEPS // 25, 0)
    assert "steps made twice: 0" in report(found)

"""A system's limits, and a rest for one that finds away what it needs for several entities in a row."""

import math

import pytest

from cim.contract.subjects import Ref
from cim.world.allowance import SUSPICIOUS, Allowance, Limit

REFS = [Ref("notes", "Note", f"n{number}") for number in range(SUSPICIOUS + 1)]


def test_without_limits_a_run_may_begin_at_any_time() -> None:
    allowance = Allowance(Limit())
    for _ in range(1000):
        assert allowance.opens(7.0) == 7.0
        allowance.begin(7.0)


def test_no_more_than_so_many_are_under_way_at_once() -> None:
    allowance = Allowance(Limit(at_once=2))
    allowance.begin(0.0)
    assert allowance.opens(0.0) == 0.0
    allowance.begin(0.0)
    assert allowance.opens(5.0) == math.inf
    allowance.end()
    assert allowance.opens(5.0) == 5.0


def test_no_more_than_so_many_begin_in_any_second() -> None:
    allowance, now, begun = Allowance(Limit(per_second=4)), 0.0, list[float]()
    for number in range(40):
        now = allowance.opens(now + 0.03 * (number % 3))
        allowance.begin(now)
        begun.append(now)
    assert max(sum(at <= other < at + 1 for other in begun) for at in begun) == 4
    assert begun[-1] < 10.5, "and no fewer"


def test_half_a_run_a_second_is_one_in_two() -> None:
    allowance = Allowance(Limit(per_second=0.5))
    allowance.begin(10.0)
    assert allowance.opens(10.5) == 12.0


def test_one_entity_that_never_finds_it_keeps_no_other_waiting() -> None:
    allowance = Allowance(Limit())
    for _ in range(100):
        allowance.missed(REFS[0], 0.0)
    assert not allowance.is_away
    assert allowance.opens(0.0) == 0.0


def test_what_is_away_for_several_in_a_row_is_asked_for_by_one_at_a_time_and_less_and_less_often() -> None:
    allowance, rests = Allowance(Limit()), list[float]()
    for ref in REFS:
        allowance.missed(ref, 0.0)
    now = 0.0
    for _ in range(9):
        rests.append(allowance.opens(now) - now)
        now = allowance.opens(now)
        allowance.begin(now)
        assert allowance.opens(now) == math.inf, "one tries it, the others wait for what it finds"
        allowance.missed(REFS[0], now)
        allowance.end()
    assert rests[0] < rests[1] < rests[2] < rests[3]
    assert rests[-1] == 5.0
    allowance.found()
    assert (allowance.is_away, allowance.opens(now)) == (False, now)
    for ref in REFS[:SUSPICIOUS]:
        allowance.missed(ref, now)
    assert allowance.opens(now) - now == pytest.approx(0.1), "the next time it begins anew"

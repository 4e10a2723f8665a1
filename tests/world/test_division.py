"""Processes that run the same systems divide the entities, each for itself and all alike."""

from collections import Counter

from cim.contract.subjects import Ref
from cim.world.division import SILENT, Division, Member

REFS = [Ref("a", "B", f"e{number}") for number in range(3000)]


def member(name: str, workers: int = 1, systems: frozenset[str] = frozenset({"a.run"})) -> Member:
    return Member(name, systems, workers)


def test_each_entity_is_one_process_s_and_the_shares_follow_the_workers() -> None:
    members = [member("one", 1), member("two", 1), member("three", 2)]
    divisions = [Division(one) for one in members]
    for division in divisions:
        for one in members:
            division.hear(one, 0.0)
    shares = Counter[str]()
    for ref in REFS:
        (owner,) = [division.own.id for division in divisions if division.is_mine("a.run", ref)]
        shares[owner] += 1
    assert 650 < shares["one"] < 850
    assert 650 < shares["two"] < 850
    assert 1400 < shares["three"] < 1600


def test_who_goes_or_is_silent_leaves_its_share_and_nothing_else_moves() -> None:
    division = Division(member("one"))
    assert division.hear(member("two"), 0.0)
    assert not division.hear(member("two"), 1.0)
    assert division.hear(member("three"), 1.0)
    before = {ref for ref in REFS if division.is_mine("a.run", ref)}
    assert not division.expire(1.0 + SILENT)
    division.hear(member("two"), 3.0)
    assert division.expire(2.0 + SILENT)
    after = {ref for ref in REFS if division.is_mine("a.run", ref)}
    assert before < after < set(REFS)
    assert division.leave("two")
    assert not division.leave("two")
    assert all(division.is_mine("a.run", ref) for ref in REFS)


def test_a_system_that_no_other_runs_is_not_divided() -> None:
    division = Division(member("one"))
    division.hear(member("two", systems=frozenset({"a.other"})), 0.0)
    assert not division.hear(member("one"), 0.0), "its own word comes back to it"
    assert all(division.is_mine("a.run", ref) for ref in REFS)

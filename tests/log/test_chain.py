"""The chain of a subject: what follows, and what shows when something does not."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from cim.contract.envelope import FIRST_PREVIOUS, Commit
from cim.log.chain import BrokenChain, Chains, Head

Make = Callable[..., Commit]


def chained(commits: Iterable[Commit]) -> list[Commit]:
    """The commits as one chain, at the sequences 10, 20, …"""
    head, done = Head(), []
    for place, commit in enumerate(commits, start=1):
        done.append(head.link(commit).at(10 * place))
        head = head.advance(done[-1])
    return done


def test_each_commit_names_the_one_before(make: Make) -> None:
    one, two, three = chained(make(id) for id in "abc")
    assert [commit.number for commit in (one, two, three)] == [1, 2, 3]
    assert one.previous == FIRST_PREVIOUS
    assert (two.previous, three.previous) == (one.digest, two.digest)
    assert Head().advance(one).advance(two) == Head(20, 2, two.digest)


def test_a_missing_commit_is_named(make: Make) -> None:
    one, _, three = chained(make(id) for id in "abc")
    with pytest.raises(
        BrokenChain, match=r"evt\.shop\.Jar\.j1 at sequence 30: commit 2 is missing, found number 3"
    ):
        Head().advance(one).advance(three)


def test_a_commit_that_stands_twice_is_named(make: Make) -> None:
    (one,) = chained([make("a")])
    with pytest.raises(BrokenChain, match="at sequence 11: commit 2 is missing, found number 1"):
        Head().advance(one).advance(one.at(11))


def test_a_changed_commit_shows_at_the_next(make: Make) -> None:
    one, two, _ = chained(make(id) for id in "abc")
    forged = replace(one, body=b'[{"type":"Other","version":1,"data":null}]')
    with pytest.raises(
        BrokenChain, match=r"at sequence 20: commit 2 names [0-9a-f]{12}… as the one before, which is"
    ):
        Head().advance(forged).advance(two)


def test_a_history_may_be_copied_to_other_sequences(make: Make) -> None:
    one, two = chained(make(id) for id in "ab")
    assert Head().advance(one.at(1)).advance(two.at(7)) == Head(7, 2, two.digest)


def test_every_subject_has_a_chain_of_its_own(make: Make) -> None:
    here = chained(make(id) for id in "ab")
    there = chained(make(id, subject="evt.shop.Jar.j2") for id in "cde")
    chains = Chains()
    for commit in (here[0], there[0], there[1], here[1], there[2]):
        chains.advance(commit)
    assert chains.numbers() == {"evt.shop.Jar.j1": 2, "evt.shop.Jar.j2": 3}
    with pytest.raises(BrokenChain):
        chains.advance(here[1])
    # What broke did not move the head: the rest can still be checked.
    assert chains.numbers()["evt.shop.Jar.j1"] == 2

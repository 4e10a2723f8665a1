"""What could not be made now is tried again after a while, so often and no more."""

import pytest

from cim.contract.subjects import Ref
from cim.world.tries import FIRST, LONGEST, Tries
from cim.world.waiting import Key, Lane, Turn

LIVE, OLD = Turn(Lane.LIVE, 7), Turn(Lane.OLD, 1)
ONE: Key = ("notes.read", Ref("notes", "Note", "one"))
TWO: Key = ("notes.read", Ref("notes", "Note", "two"))


def test_each_wait_is_longer_than_the_one_before_and_the_last_try_is_told() -> None:
    tries, now, waits = Tries(10), 100.0, list[float]()
    while (made := tries.again(ONE, "run", OLD, "it is away", now)) is None:
        assert ONE in tries
        when = tries.next()
        assert when is not None
        assert list(tries.awake(when - 0.01)) == []
        assert list(tries.awake(when)) == [(ONE, OLD)]
        assert ONE not in tries
        waits.append(when - now)
        now = when
    assert made == 10
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])
    assert (FIRST, LONGEST) == (0.1, 10.0)
    assert (list(tries.known()), tries.next(), len(tries)) == ([], None, 0)


def test_another_run_of_the_same_system_and_entity_begins_anew() -> None:
    tries = Tries(2)
    assert tries.again(ONE, "run", LIVE, "away", 0.0) is None
    assert tries.is_of(ONE, "run")
    assert not tries.is_of(ONE, "newer")
    assert tries.again(ONE, "newer", LIVE, "away", 1.0) is None
    ((key, trial),) = tries.known()
    assert (key, trial.id, trial.tries, trial.when) == (ONE, "newer", 1, 1.1)
    assert [key for key, _ in tries.awake(2.0)] == [ONE], "its first moment is forgotten"
    assert tries.again(ONE, "newer", LIVE, "away", 2.0) == 2


def test_what_is_forgotten_does_not_come() -> None:
    tries = Tries()
    tries.again(ONE, "run", LIVE, "away", 0.0)
    tries.again(TWO, "other", LIVE, "away", 0.5)
    assert len(tries) == 2
    tries.forget(ONE)
    assert tries.next() == pytest.approx(0.6)
    assert list(tries.awake(1.0)) == [(TWO, LIVE)]

"""The order in which runs are chosen: the oldest entity first, and none that hangs holds all workers."""

from collections.abc import Callable

import pytest

from cim.contract.subjects import Ref
from cim.world.waiting import Key, Lane, Turn, Waiting

OLD, MIDDLE, NEW = (Ref("notes", "Note", name) for name in ("old", "middle", "new"))


@pytest.fixture
def waiting() -> Waiting:
    """Two runs of the oldest entity, one of each of the others; the newest came first."""
    made = Waiting()
    for key, age in ((("read", NEW), 9), (("show", OLD), 1), (("read", OLD), 1), (("read", MIDDLE), 4)):
        made.add(key, Turn(Lane.LIVE, age))
    return made


def chosen(choose: Callable[[], tuple[Key, Turn] | None]) -> list[Key]:
    found = []
    while (one := choose()) is not None:
        found.append(one[0])
    return found


def test_the_oldest_entity_comes_first_in_the_order_of_its_systems(waiting: Waiting) -> None:
    everything = [("show", OLD), ("read", OLD), ("read", MIDDLE), ("read", NEW)]
    assert chosen(lambda: waiting.take(Lane.LIVE, set())) == everything
    assert (len(waiting), waiting.systems()) == (0, set())


def test_an_entity_that_is_passed_over_waits_on_in_its_place(waiting: Waiting) -> None:
    assert chosen(lambda: waiting.take(Lane.LIVE, {OLD})) == [("read", MIDDLE), ("read", NEW)]
    assert len(waiting) == 2
    assert ("read", OLD) in waiting
    assert chosen(lambda: waiting.take(Lane.LIVE, set())) == [("show", OLD), ("read", OLD)]


def test_a_system_that_is_closed_is_passed_over_however_many_of_its_runs_wait(waiting: Waiting) -> None:
    assert waiting.take(Lane.LIVE, set(), {"show"}) == (("read", OLD), Turn(Lane.LIVE, 1))
    assert chosen(lambda: waiting.take(Lane.LIVE, set(), {"read"})) == [("show", OLD)]
    assert not waiting.is_open(Lane.LIVE, {"read"})
    assert waiting.is_open(Lane.LIVE, {"show"})
    assert not waiting.is_there_any_beside({OLD}, {"read"})


def test_each_lane_has_an_order_of_its_own(waiting: Waiting) -> None:
    waiting.add(("show", NEW), Turn(Lane.OLD, 9))
    waiting.add(("show", MIDDLE), Turn(Lane.OLD, 4))
    assert (waiting.count(Lane.LIVE), waiting.count(Lane.OLD)) == (4, 2)
    assert chosen(lambda: waiting.take(Lane.OLD, set())) == [("show", MIDDLE), ("show", NEW)]
    assert waiting.take(Lane.LIVE, set()) == (("show", OLD), Turn(Lane.LIVE, 1))


def test_whether_any_waits_beside_some_entities(waiting: Waiting) -> None:
    assert waiting.is_there_any_beside({OLD, NEW})
    assert not waiting.is_there_any_beside({OLD, MIDDLE, NEW})
    waiting.take(Lane.LIVE, {OLD, NEW})
    assert not waiting.is_there_any_beside({OLD, NEW}), "it is taken out"

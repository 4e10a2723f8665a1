"""The order in which runs are chosen: the oldest entity first, and none that hangs holds all workers."""

from collections.abc import Callable
from typing import Any

import pytest

from cim.contract.subjects import Ref
from cim.world.waiting import Key, Waiting

OLD, MIDDLE, NEW = (Ref("notes", "Note", name) for name in ("old", "middle", "new"))
SYSTEM: Any = object()


@pytest.fixture
def waiting() -> Waiting:
    """Two runs of the oldest entity, one of each of the others; the newest came first."""
    made = Waiting()
    for key, age in ((("read", NEW), 9), (("show", OLD), 1), (("read", OLD), 1), (("read", MIDDLE), 4)):
        made.add(key, SYSTEM, age)
    return made


def chosen(choose: Callable[[], tuple[Key, Any] | None]) -> list[Key]:
    found = []
    while (one := choose()) is not None:
        found.append(one[0])
    return found


def test_the_oldest_entity_comes_first_in_the_order_of_its_systems(waiting: Waiting) -> None:
    everything = [("show", OLD), ("read", OLD), ("read", MIDDLE), ("read", NEW)]
    assert chosen(lambda: waiting.go_on(set())) == everything
    assert len(waiting) == 0


def test_an_entity_at_work_is_not_begun_a_second_time_and_goes_on(waiting: Waiting) -> None:
    assert chosen(lambda: waiting.begin({OLD})) == [("read", MIDDLE), ("read", NEW)]
    assert chosen(lambda: waiting.go_on(set())) == [("show", OLD), ("read", OLD)]


def test_an_entity_that_hangs_waits_until_that_has_ended(waiting: Waiting) -> None:
    assert chosen(lambda: waiting.go_on({OLD})) == [("read", MIDDLE), ("read", NEW)]
    assert len(waiting) == 2
    assert ("read", OLD) in waiting
    assert chosen(lambda: waiting.go_on(set())) == [("show", OLD), ("read", OLD)]


def test_whether_any_waits_beside_some_entities(waiting: Waiting) -> None:
    assert waiting.is_there_any_beside({OLD, NEW})
    assert not waiting.is_there_any_beside({OLD, MIDDLE, NEW})
    waiting.begin({OLD, NEW})
    assert not waiting.is_there_any_beside({OLD, NEW}), "it is taken out"

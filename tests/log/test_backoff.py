"""The one retry policy."""

from itertools import islice

from cim.log.backoff import delays


def test_waits_double_up_to_a_cap_under_a_second_and_never_end() -> None:
    waits = list(islice(delays(), 100))
    assert waits[:5] == [0.02, 0.04, 0.08, 0.16, 0.32]
    assert set(waits[5:]) == {0.5}


def test_each_policy_begins_anew() -> None:
    first = delays(first=1, longest=3)
    assert list(islice(first, 3)) == [1, 2, 3]
    assert next(delays(first=1, longest=3)) == 1

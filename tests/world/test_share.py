"""How live and old work share the workers: by time, live work first."""

from cim.world.share import Share
from cim.world.waiting import Lane

LIVE, OLD = Lane.LIVE, Lane.OLD


def spent(share: Share, live: float, old: float, runs: int) -> dict[Lane, float]:
    """Seconds that each lane had after so many runs, one after the other, while both wait."""
    took, found = {LIVE: live, OLD: old}, {LIVE: 0.0, OLD: 0.0}
    for _ in range(runs):
        lane = share.next()
        charged = share.begin(lane, lane.name)
        share.end(lane, lane.name, charged, took[lane])
        found[lane] += took[lane]
    return found


def test_live_work_is_first_and_old_work_is_one_of_four_runs_that_take_as_long() -> None:
    share, order = Share(), ""
    for _ in range(12):
        lane = share.next()
        order += lane.name[0]
        share.end(lane, "same", share.begin(lane, "same"), 0.0)
    assert order == "LOLLLOLLLOLL"


def test_what_counts_is_time() -> None:
    for live, old, runs in ((0.001, 10.0, 100_000), (5.0, 0.01, 10_000), (0.5, 0.5, 1000)):
        found = spent(Share(), live, old, runs)
        assert 0.2 < found[OLD] / sum(found.values()) < 0.3, (live, old)


def test_a_run_under_way_is_charged_what_its_system_usually_takes() -> None:
    share = Share()
    for _ in range(50):
        share.end(OLD, "slow", share.begin(OLD, "slow"), 10.0)
    share.alone()
    share.begin(LIVE, "quick")
    assert share.next() is OLD
    share.begin(OLD, "slow")
    assert share.next() is LIVE, "or all workers would be given to old work before the first is charged"


def test_who_was_alone_owes_nothing() -> None:
    share = Share()
    spent(share, 1.0, 1.0, 2)
    share.end(LIVE, "x", share.begin(LIVE, "x"), 1000.0)
    assert share.next() is OLD
    share.alone()
    assert share.next() is LIVE

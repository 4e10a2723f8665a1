"""What every store of snapshots must hold: a class of tests to subclass, with a fixture ``snapshots``."""

import asyncio
from collections.abc import Callable

from cim.domain.errors import CimError
from cim.ports.snapshots import Place, Snapshot, Snapshots

SUBJECT = "evt.shop.Jar.j1"


def snapshot(number: int, subject: str = SUBJECT, state: bytes = b'{"amount":1}') -> Snapshot:
    """A snapshot behind the commit of this number, at ten times the sequence."""
    return Snapshot(subject, 10 * number, number, f"digest {number}", "v1", state)


def made(number: int, subject: str = SUBJECT) -> Callable[[], Snapshot]:
    """How a store is given one."""
    return lambda: snapshot(number, subject)


class SnapshotsConformance:
    """The promises of :class:`cim.ports.snapshots.Snapshots`. A subclass gives a fixture ``snapshots``,
    empty."""

    async def test_what_was_never_kept_is_not_there(self, snapshots: Snapshots) -> None:
        assert snapshots.load(SUBJECT) is None
        assert snapshots.find(SUBJECT, "c1") == Place(None, None)

    async def test_a_snapshot_comes_back_with_the_ids_before_it(self, snapshots: Snapshots) -> None:
        assert await snapshots.keep(made(2), [("c1", 10), ("c2", 20)], None)
        assert snapshots.load(SUBJECT) == snapshot(2)
        assert snapshots.find(SUBJECT, "c1") == Place(10, "digest 2")
        assert snapshots.find(SUBJECT, "c3") == Place(None, "digest 2")

    async def test_a_later_one_takes_its_place_and_all_ids_stay(self, snapshots: Snapshots) -> None:
        await snapshots.keep(made(2), [("c1", 10), ("c2", 20)], None)
        assert await snapshots.keep(made(3), [("c3", 30)], "digest 2")
        assert snapshots.load(SUBJECT) == snapshot(3)
        places = [snapshots.find(SUBJECT, f"c{number}") for number in (1, 2, 3)]
        assert places == [Place(10, "digest 3"), Place(20, "digest 3"), Place(30, "digest 3")]

    async def test_one_that_does_not_follow_is_not_kept(self, snapshots: Snapshots) -> None:
        assert not await snapshots.keep(made(3), [("c3", 30)], "digest 2")
        assert snapshots.load(SUBJECT) is None
        await snapshots.keep(made(2), [("c1", 10), ("c2", 20)], None)
        assert not await snapshots.keep(made(4), [("c4", 40)], "digest 3")
        assert snapshots.load(SUBJECT) == snapshot(2)
        assert snapshots.find(SUBJECT, "c4") == Place(None, "digest 2")

    async def test_one_from_the_beginning_takes_the_place_of_all(self, snapshots: Snapshots) -> None:
        await snapshots.keep(made(3), [("c1", 10), ("c2", 20), ("c3", 30)], None)
        assert await snapshots.keep(made(1), [("d1", 10)], None)
        assert snapshots.load(SUBJECT) == snapshot(1)
        assert snapshots.find(SUBJECT, "c1") == Place(None, "digest 1")
        assert snapshots.find(SUBJECT, "d1") == Place(10, "digest 1")

    async def test_entities_do_not_mix(self, snapshots: Snapshots) -> None:
        other = "evt.shop.Jar.j2"
        await snapshots.keep(made(1), [("c1", 10)], None)
        await snapshots.keep(made(2, other), [("c1", 20)], None)
        await snapshots.keep(made(3, other), [], "digest 2")
        assert snapshots.load(SUBJECT) == snapshot(1)
        assert snapshots.find(SUBJECT, "c1") == Place(10, "digest 1")
        assert snapshots.find(other, "c1") == Place(20, "digest 3")

    async def test_what_cannot_be_made_is_not_kept(self, snapshots: Snapshots) -> None:
        def broken() -> Snapshot:
            raise CimError("no JSON")

        assert not await snapshots.keep(broken, [("c1", 10)], None)
        assert snapshots.find(SUBJECT, "c1") == Place(None, None)
        assert await snapshots.keep(made(1), [("c1", 10)], None)

    async def test_many_are_kept_side_by_side(self, snapshots: Snapshots) -> None:
        subjects = [f"evt.shop.Jar.j{number}" for number in range(300)]
        keeping = (snapshots.keep(made(1, one), [(f"c-{one}", 10)], None) for one in subjects)
        assert all(await asyncio.gather(*keeping))
        for one in subjects:
            assert snapshots.load(one) == snapshot(1, one)
            assert snapshots.find(one, f"c-{one}") == Place(10, "digest 1")

    async def test_whoever_gives_up_waiting_harms_nobody(self, snapshots: Snapshots) -> None:
        given_up = [asyncio.ensure_future(snapshots.keep(made(1, f"s{n}"), [], None)) for n in range(50)]
        await asyncio.sleep(0)
        for one in given_up:
            one.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        assert await snapshots.keep(made(1), [("c1", 10)], None)

"""Snapshots in a file: all that every store holds, and what a file suffers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cim.actors.actors import Actors
from cim.actors.past import Keeping
from cim.actors.request import Rejection
from cim.adapters.nats.log import NatsLog
from cim.adapters.sqlite.snapshots import SqliteSnapshots
from cim.adapters.system import SystemClock
from cim.ports.snapshots import Place
from cim.testing.bare_leaf import BareLeaf
from cim.testing.jars import Pour, Put
from cim.testing.machine import COMPOSITION, ask
from cim.testing.snapshots_conformance import SUBJECT, SnapshotsConformance, made, snapshot


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "snapshots.sqlite"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def snapshots(file: Path, told: list[str]) -> Iterator[SqliteSnapshots]:
    with closing(SqliteSnapshots(file, told.append)) as store:
        yield store


class TestSqliteSnapshots(SnapshotsConformance):
    pass


async def test_they_are_there_after_a_restart(
    file: Path, told: list[str], snapshots: SqliteSnapshots
) -> None:
    await snapshots.keep(made(2), [("c1", 10), ("c2", 20)], None)
    snapshots.close()
    with closing(SqliteSnapshots(file, told.append)) as again:
        assert again.load(SUBJECT) == snapshot(2)
        assert again.find(SUBJECT, "c1") == Place(10, "digest 2")
    assert told == []


def ruin(file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)


def ruin_all_but_its_head(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))


async def test_a_file_that_is_ruined_before_it_is_opened_is_made_anew(
    file: Path, snapshots: SqliteSnapshots
) -> None:
    ruin(file)
    assert snapshots.load(SUBJECT) is None
    assert await snapshots.keep(made(1), [], None)
    assert snapshots.load(SUBJECT) == snapshot(1)


async def test_a_file_that_is_ruined_under_way_is_made_anew_and_that_is_told(
    file: Path, told: list[str], snapshots: SqliteSnapshots
) -> None:
    for number in range(200):
        await snapshots.keep(made(1, f"s{number}"), [(f"c{n}", n) for n in range(50)], None)
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ruin_all_but_its_head(file)
    with closing(SqliteSnapshots(file, told.append)) as fresh:
        found = [fresh.load(f"s{number}") for number in range(200)]
        assert found[-1] is None
        assert "malformed" in told[0]
        assert await fresh.keep(made(1), [("c1", 10)], None)
        assert fresh.find(SUBJECT, "c1") == Place(10, "digest 1")


async def test_a_file_that_is_removed_under_way_does_no_harm(file: Path, snapshots: SqliteSnapshots) -> None:
    await snapshots.keep(made(1), [("c1", 10)], None)
    for path in file.parent.iterdir():
        path.unlink()
    await snapshots.keep(made(2), [("c2", 20)], "digest 1")
    assert snapshots.find(SUBJECT, "c1").digest in (None, "digest 1", "digest 2")


async def test_what_the_disk_refuses_is_told_once_and_ends_nothing(tmp_path: Path, told: list[str]) -> None:
    folder = tmp_path / "gone"
    with closing(SqliteSnapshots(folder / "snapshots.sqlite", told.append)) as store:
        assert store.load(SUBJECT) is None
        assert not await store.keep(made(1), [], None)
        assert store.find(SUBJECT, "c1") == Place(None, None)
        assert len(told) == 1
        assert "unable to open database file: entities are read from their beginning meanwhile" in told[0]
        folder.mkdir()
        assert await store.keep(made(1), [], None)
        assert store.load(SUBJECT) == snapshot(1)


async def test_over_a_real_server_a_restart_goes_on_from_them(
    leaf: BareLeaf, file: Path, told: list[str]
) -> None:
    log = await NatsLog.open(leaf.client)
    deeds = [ask(Pour("j1") if number % 10 else Put("j1", 3), f"c{number}") for number in range(120)]

    def opened(store: SqliteSnapshots) -> Actors:
        keeping = Keeping(store, told.append)
        return Actors(COMPOSITION, log, SystemClock(), "cim:test", keeping=keeping)

    with closing(SqliteSnapshots(file, told.append)) as store:
        actors = opened(store)
        receipts = [await actors.handle(one) for one in deeds]
        await actors._warm["jars", "Jar", "j1"].past.written()
    with closing(SqliteSnapshots(file, told.append)) as store:
        kept = store.load("evt.jars.Jar.j1")
        assert kept is not None
        assert kept.number in (50, 100)
        again = opened(store)
        assert [await again.handle(one) for one in deeds] == receipts
        assert await log.last() == 120
        other = ask(Put("j1", 9), "c7")
        assert isinstance(await again.handle(other), Rejection)
    assert told == []

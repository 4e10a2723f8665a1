"""The log's bench runs from one end to the other, and holds each of its aims beside what was measured."""

import pytest

pytest.importorskip("eventsourcing", reason="needs the group: uv sync --group bench")

from pathlib import Path

from log import TINY, measure
from log_bars import Rows


def test_the_bench_measures_every_side_and_every_aim(tmp_path: Path) -> None:
    disk, shm = tmp_path / "disk", tmp_path / "shm"
    disk.mkdir()
    shm.mkdir()
    rows = Rows()
    measure(rows, disk, shm, TINY)
    assert len(rows.sides) == 12
    assert len(rows.bars) == 16
    assert all(float(cell.replace(",", "")) > 0 for _, ours, *_ in rows.bars for cell in [ours])
    assert {bar[-1] for bar in rows.bars} <= {"yes", "no"}
    tables = rows.tables()
    for told in (
        "by request",
        "by a snapshot",
        "empty projection",
        "into SQLite",
        "among 200 others",
        "one at a",
        "the server's return",
        "the link's return",
        "a later start",
    ):
        assert told in tables


def test_an_aim_is_reached_on_its_own_side_of_the_ratio() -> None:
    rows = Rows()
    rows.at_least("rate", 50, 100, 0.5)
    rows.at_least("rate", 49, 100, 0.5)
    rows.at_most("time", 2, 1, 2)
    rows.at_most("time", 2.1, 1, 2)
    rows.under("time", 0.9, 1)
    rows.under("time", 1.0, 1)
    assert [bar[-1] for bar in rows.bars] == ["yes", "no"] * 3

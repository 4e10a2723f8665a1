"""The bench of the parts runs to its end, and puts a rival or a limit beneath what it measures."""

import pytest

pytest.importorskip("eventsourcing", reason="needs the group: uv sync --group bench")

from pathlib import Path

import parts_here
from cim.testing.postgres_server import programs
from costs import Cost, all_of, timed
from parts import TINY, measure
from parts_table import COLUMNS, Parts

MEASURED = (
    "updates on `ha`, 4 in flight",
    "updates on `ha`, one at a time",
    "a command, then a query",
    "queries of one row, 64 in flight",
    "over two entities on `dev`, one after the other",
    "over two entities on `durable`, 16 in flight",
    "over two entities on `ha`, one after the other",
    "timers of 4 processes",
    "events through a policy, one at a time",
    "events through a policy, 64 in flight",
)


def test_the_bench_measures_every_part_and_something_beside_it(tmp_path: Path) -> None:
    parts = Parts()
    measure(parts, tmp_path, TINY)
    names = [row[0] for row in parts.rows]
    for told in MEASURED:
        assert any(told in name for name in names), told
    assert sum(name.startswith("beside") for name in names) == 13
    measured = [row for row in parts.rows if "not measured" not in row[0]]
    assert len(measured) == len(parts.rows) - (programs() is None)
    assert all(len(row) == len(COLUMNS) for row in parts.rows)
    assert all(float(row[1].replace(",", "")) > 0 for row in measured)
    assert "seconds until a leaf is up and its processes at work, 12 timers pending" in parts.tables()


async def test_without_postgresql_the_row_says_that_it_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_here, "programs", lambda: None)
    parts = Parts()
    await parts_here.rows(parts, tmp_path / "rows", 100, 1)
    (missing, *empty), (beside, rate, *_) = parts.rows
    assert "PostgreSQL: not measured" in missing
    assert set(empty) == {""}
    assert "SQLite" in beside
    assert float(rate.replace(",", "")) > 0


async def test_each_operation_is_timed_and_turns_are_one_run() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    cost = all_of([await timed([work] * 3, 2), await timed([work] * 5)])
    assert (cost.operations, len(cost.each), len(done), cost.there) == (8, 8, 8, None)
    known = Cost(100, 1.0, 0.0, [n / 1000 for n in range(100)], 0.5)
    assert (known.within(0.5), known.within(0.99), known.within(1.0)) == (50, 99, 99)
    assert all_of([known, known]).there == 1.0

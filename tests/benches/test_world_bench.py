"""The bench of the world runs to its end: every side writes each output once, and stands in the table."""

import pytest

pytest.importorskip("eventsourcing", reason="needs the group: uv sync --group bench")
pytest.importorskip("faststream", reason="needs the group: uv sync --group bench")
pytest.importorskip("matplotlib", reason="needs the group: uv sync --group bench")

import asyncio
from pathlib import Path

import world_size
from world import SIDES, TINY, measure, tables
from world_sides import world


def test_the_bench_measures_each_side_under_each_load(tmp_path: Path) -> None:
    found = asyncio.run(measure(tmp_path, TINY))
    text = tables(found, TINY)
    for load in TINY.loads:
        for name, side in SIDES.items():
            assert f"| {load.name}, {name} |" in text
            cost = found.cost(side, load.name)
            assert cost.operations == len(cost.each) == load.changes
            assert all(0 < one < 60 for one in cost.each)
    assert "two workers beside one" in text


async def test_calls_are_told_by_the_names_of_what_was_published(tmp_path: Path) -> None:
    async with world(tmp_path, ["world_heat"], 1, "Judged") as side:
        await side.publish("one")
        await side.publish("two")
        async with asyncio.timeout(30):
            while await side.outputs() < 2:  # noqa: ASYNC110  # it is another process that writes them
                await asyncio.sleep(0.01)
        assert {one.name for one in await side.calls()} == {"one", "two"}


async def test_the_bench_of_the_size_starts_changes_and_joins(tmp_path: Path) -> None:
    size = await world_size.measure(tmp_path, 20, world_size.TINY)
    assert len(size.row()) == len(world_size.COLUMNS)
    assert len(size.changes.each) == 10
    world_size.draw([size, size], tmp_path / "size.svg")
    assert (tmp_path / "size.svg").read_text().startswith("<?xml")

"""``cim demo``: files in, a summary out; what cannot be handed in is told, and a second run adds nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cim.doors.intake import LARGEST
from cim.testing.processes import Place

DrawSlips = Callable[[Path, int], list[Path]]


@pytest.fixture
def slips(tmp_path: Path, draw_slips: DrawSlips) -> list[Path]:
    return draw_slips(tmp_path / "slips", 2)


def test_a_second_run_adds_nothing_and_a_fresh_one_begins_anew(new_machine: Place, slips: list[Path]) -> None:
    first = new_machine.cim("demo", "--exit", "--port", "0", "--json", *slips)
    assert first.code == 0, first.err
    summary = first.data[0]
    assert list(summary) == ["documents", "read", "failed", "refused", "seconds", "page"]
    assert (summary["documents"], summary["read"], summary["failed"]) == (2, 2, 0)
    assert summary["refused"] == []
    history = new_machine.cim("log", "--json").data
    assert len(history) == 12

    renamed = slips[0].rename(slips[0].with_name("renamed.png"))
    second = new_machine.cim("demo", "--exit", "--port", "0", slips[1], renamed)
    assert second.code == 0, second.err
    assert "2 of 2 documents read, 0 failed" in second.out
    assert new_machine.cim("log", "--json").data == history

    fresh = new_machine.cim("demo", "--exit", "--fresh", "--port", "0", "--json", renamed)
    assert fresh.data[0]["documents"] == 1
    assert new_machine.servers == []


def test_what_cannot_be_handed_in_is_refused_by_name_and_the_rest_is_read(
    new_machine: Place, slips: list[Path], tmp_path: Path
) -> None:
    missing, folder, empty, large = (tmp_path / name for name in ("missing.png", "folder", "empty", "large"))
    folder.mkdir()
    empty.touch()
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    done = new_machine.cim("demo", "--exit", "--port", "0", "--json", missing, folder, empty, large, *slips)
    assert done.code == 1
    summary = done.data[0]
    assert (summary["documents"], summary["read"], summary["failed"]) == (2, 2, 0)
    assert sorted(summary["refused"]) == sorted(
        [
            f"{missing}: No such file or directory",
            f"{folder}: Is a directory",
            f"{empty} is empty: there is nothing to read in it",
            f"{large} has 67,108,865 bytes: the machine takes 67,108,864 at most in one file",
        ]
    )
    news = " ".join(done.err.split())
    assert all(f"refused: {one}" in news for one in summary["refused"])


def test_the_demo_does_not_touch_a_folder_that_holds_other_things(new_machine: Place) -> None:
    new_machine.folder.mkdir()
    (new_machine.folder / "diary.txt").touch()
    done = new_machine.cim("demo", "--exit")
    assert done.code == 1
    assert "holds other things: name an empty or a new folder" in done.err
    assert [path.name for path in new_machine.folder.iterdir()] == ["diary.txt"]


def test_fresh_is_refused_while_the_leaf_runs(machine: Place) -> None:
    machine.up()
    done = machine.cim("demo", "--exit", "--fresh", "--port", "0")
    assert done.code == 1
    assert f"a leaf runs here already, process {machine.address.pid}" in done.err
    assert len(machine.cim("show", "documents.Document", "--json").data) == 5

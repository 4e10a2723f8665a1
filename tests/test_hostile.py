"""Files that mean harm, handed in with good ones in between: each ends, and none takes the others along."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cim.testing.hostile_files import HOSTILE_FILES, REFUSED_FILES, pdf_that_takes_for_ever
from cim.testing.processes import Place, wait_until

DrawSlips = Callable[[Path, int], list[Path]]

SECONDS, MEMORY_MB = 8, 1024
"""The limits of the machine here."""

ALL_ENDED = 240.0
"""Seconds within which every file must have ended on a slow machine."""


@pytest.fixture
def small_machine(machine: Place) -> Place:
    """The documents machine with tight limits and two workers; it has five documents already."""
    limit(machine, SECONDS)
    return machine


def limit(machine: Place, seconds: int) -> None:
    file = machine.folder / "machine.toml"
    written = file.read_text()
    settings, _, rest = written.partition("[limits]")
    _, _, providers = rest.partition("[providers]")
    limits = f"workers = 2\n[limits]\nseconds = {seconds}\nmemory_mb = {MEMORY_MB}\n[providers]"
    file.write_text(settings + limits + providers)


def made(folder: Path) -> list[Path]:
    folder.mkdir()
    for name, make in {**REFUSED_FILES, **HOSTILE_FILES}.items():
        (folder / name).write_bytes(make())
    with (folder / "200 megabytes").open("wb") as file:
        file.truncate(200_000_000)
    return sorted(folder.iterdir())


def mixed(hostile: list[Path], good: list[Path]) -> Iterator[Path]:
    """The good ones spread evenly between the others."""
    each = len(hostile) // len(good)
    for number, file in enumerate(hostile):
        if number % each == 0 and number // each < len(good):
            yield good[number // each]
        yield file


def hand_in(machine: Place, files: list[Path]) -> dict[str, Any]:
    running = machine.start("demo", "--exit", "--json", "--port", "0", *files)
    wait_until(lambda: running.process.poll() is not None, "every file has ended", ALL_ENDED)
    done = running.end()
    assert done.data, done.err
    return done.data[0]


def outcomes(machine: Place) -> dict[str, str]:
    """By title: "text", or the cause why there is none."""
    failed = {row["entity"].split()[-1]: row for row in machine.cim("waiting", "--json").data}
    ended = {}
    for document in machine.cim("show", "documents.Document", "--json").data:
        has_text = "Text" in document["components"]
        ended[document["state"]["title"]] = "text" if has_text else failed[document["id"]]["cause"]
    return ended


def times_tried(machine: Place) -> Counter[tuple[str, str]]:
    """How often the log has each document's failure of each system."""
    return Counter(
        (commit["subject"], item["data"]["system"])
        for commit in machine.cim("log", "--json").data
        for item in commit["data"]
        if item["type"] == "Failed"
    )


def assert_each_has_ended(
    machine: Place, told: dict[str, Any], hostile: list[Path], good: list[Path]
) -> None:
    ended = outcomes(machine)
    refused = {file.name for file in hostile if any(str(file) in line for line in told["refused"])}
    for file in good:
        assert ended[file.name] == "text", file.name
    for file in hostile:
        assert (file.name in refused) != (file.name in ended), file.name
        assert file.name in refused or ended[file.name], f"{file.name} failed without a cause"
    left = [row for row in machine.cim("waiting", "--json").data if row["why"] != "failed"]
    assert left == [], "something is still to be done"
    assert set(times_tried(machine).values()) == {1}, "a failure was tried again"
    assert machine.servers == []
    print(Counter("refused" if file.name in refused else ended[file.name] for file in hostile))


def test_every_file_made_to_harm_ends_by_name_and_the_good_ones_between_are_read(
    small_machine: Place, tmp_path: Path, draw_slips: DrawSlips
) -> None:
    hostile, good = made(tmp_path / "hostile"), draw_slips(tmp_path / "slips", 8)
    told = hand_in(small_machine, list(mixed(hostile, good)))
    assert_each_has_ended(small_machine, told, hostile, good)
    ended = outcomes(small_machine)
    refused = " ".join(told["refused"])
    assert "200,000,000 bytes: the machine takes 67,108,864 at most" in refused
    assert "a picture of 60,000 x 60,000 pixels: the machine takes 60,000,000 at most" in refused
    assert "65,500 x 65,500" in refused
    assert len(told["refused"]) == len(REFUSED_FILES) + 1
    assert "text/plain is neither a picture nor a PDF" in ended["text named.pdf"]
    assert ended["jpeg named.pdf"] == "text"
    assert f"took more than {SECONDS} seconds" in ended["pdf that takes for ever"]
    assert "1000 are the limit" in ended["pdf of many pages"]


def test_every_hostile_file_at_hand_ends(
    small_machine: Place, shared: Callable[[str], Path], tmp_path: Path, draw_slips: DrawSlips
) -> None:
    hostile, good = sorted(shared("hostile").iterdir()), draw_slips(tmp_path / "slips", 3)
    told = hand_in(small_machine, list(mixed(hostile, good)))
    assert told["refused"] == []
    assert_each_has_ended(small_machine, told, hostile, good)


def test_good_files_are_read_before_one_that_hangs_has_ended(
    machine: Place, tmp_path: Path, draw_slips: DrawSlips
) -> None:
    limit(machine, 16)
    hanging, good = tmp_path / "hanging.pdf", draw_slips(tmp_path / "slips", 3)
    hanging.write_bytes(pdf_that_takes_for_ever())
    machine.up()
    for file in (hanging, *good):
        sent = machine.cim(
            "send", "documents.Receive", f"document={file.stem}", f"title={file}", f"scan=@{file}"
        )
        assert sent.code == 0, sent.err
    wait_until(lambda: len(ends(machine)) == len(good) + 2, "all have ended")
    *first, second_last, last = ends(machine)
    assert {*first} == {(file.stem, "Text") for file in good}
    assert second_last == last == ("hanging", "Failed"), "its picture and its text"


def ends(machine: Place) -> list[tuple[str, str]]:
    """In the order of the log: texts and failures, each with its document, of those handed in by name."""
    return [
        (id, item["type"])
        for commit in machine.cim("log", "--json").data
        for id in [commit["subject"].split(".")[3]]
        for item in commit["data"]
        if id.startswith(("hanging", "slip")) and item["type"] in ("Text", "Failed")
    ]

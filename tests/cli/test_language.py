"""``cim language``: the words of a machine's modules, as text and as data."""

from pathlib import Path

import pytest

from cim.cli import main
from cim.testing.processes import Place

SENSORS = str(Path(__file__).parents[2] / "examples" / "sensors")


def modules(out: str) -> list[str]:
    return [line[2:] for line in out.splitlines() if line.startswith("# ")]


def test_the_words_are_printed_with_nothing_started(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["language", "--machine", SENSORS]) == 0
    out = capsys.readouterr().out
    assert modules(out) == ["sensors", "alarms", "rooms"]
    assert "- reading: What a sensor told last, for as long as it holds.\n" in out
    assert "- `Alarm`: It is too warm now. (celsius: float, room: str)\n" in out
    assert main(["language", "rooms", "--machine", SENSORS]) == 0
    assert modules(capsys.readouterr().out) == ["rooms"]


def test_a_module_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["language", "cellars", "--machine", SENSORS]) == 1
    assert "there is no module cellars; there are: sensors, alarms, rooms" in capsys.readouterr().err


def test_examples_come_out_of_the_log(machine: Place) -> None:
    done = machine.cim("language", "documents", "--examples", "--json")
    assert done.code == 0, done.err
    (language,) = done.data
    words = {word["name"]: word for word in language["words"]}
    ids = {one["id"] for one in machine.cim("show", "documents.Document", "--json").data}
    assert words["Received"]["example"]["document"] in ids
    assert words["Text"]["example"]["body"]
    assert words["Receive"]["example"] is None
    plain = machine.cim("language", "documents", "--json").data[0]
    assert plain["version"] == language["version"]
    assert all(word["example"] is None for word in plain["words"])

"""``cim show``: entities as they are and as they were, from a machine where no leaf runs."""

import hashlib
from pathlib import Path

import pytest

from cim.testing.processes import Place


@pytest.fixture(scope="module")
def slip(read_machine: Path) -> str:
    """The id of a slip that was read: from its content."""
    content = (read_machine.parent / "slips" / "slip-01.png").read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]


def test_show_prints_an_object_a_line_in_the_shape_that_is_kept_stable(machine: Place, slip: str) -> None:
    done = machine.cim("show", "documents.Document", "--json")
    assert (done.code, done.err) == (0, "")
    assert len(done.data) == 5
    shown = {one["state"]["title"]: one for one in done.data}["slip-01.png"]
    assert list(shown) == ["id", "sequence", "state", "components"]
    assert shown["id"] == slip
    assert shown["state"]["scan"]["sha256"].startswith(slip)
    assert set(shown["components"]) == {"Preview", "Text", "Kind", "Sentiment", "Facts"}
    names = ["value", "sequence", "by", "time", "version", "inputs"]
    assert all(list(one) == names for one in shown["components"].values())
    facts = shown["components"]["Facts"]
    places = facts["value"].pop("places")
    assert facts["value"] == {
        "date": "2024-03-11",
        "total": "3.01",
        "company": "Corner Shop Ltd",
        "doubts": [],
    }
    assert sorted(place["fact"] for place in places) == ["company", "date", "total"]
    assert facts["by"] == "documents.find"
    assert shown["sequence"] == max(one["sequence"] for one in shown["components"].values())
    assert facts["time"].endswith("Z")


def test_one_entity_is_shown_as_it_is_in_the_list(machine: Place, slip: str) -> None:
    listed = {one["id"]: one for one in machine.cim("show", "documents.Document", "--json").data}
    assert machine.cim("show", "documents.Document", slip, "--json").data == [listed[slip]]
    table = machine.cim("show", "documents.Document", slip).out
    assert "Corner Shop Ltd · 2024-03-11 · 3.01" in table


def test_show_at_a_sequence_tells_what_was_known_then(machine: Place, slip: str) -> None:
    now = machine.cim("show", "documents.Document", slip, "--json").data[0]
    read = now["components"]["Text"]["sequence"]
    done = machine.cim("show", "documents.Document", slip, "--json", "--at", str(read))
    then = done.data[0]
    assert then["sequence"] == read
    assert set(then["components"]) == {
        name for name, one in now["components"].items() if one["sequence"] <= read
    }
    before = machine.cim("show", "documents.Document", slip, "--at", "0")
    assert before.code == 1
    assert before.err == (
        f"cim show: there is no documents.Document {slip} at sequence 0; "
        f"`cim show documents.Document` lists them\n"
    )


def test_a_component_tells_its_system_version_and_inputs_and_every_value_it_had(
    machine: Place, slip: str
) -> None:
    corrected = machine.cim("send", "documents.Correct", f"document={slip}", "total=4.20")
    assert corrected.code == 0, corrected.err
    shown = machine.cim("show", "documents.Document", slip, "--json").data[0]["components"]
    assert (shown["Text"]["by"], shown["Text"]["inputs"]) == ("documents.read", {"state": 1})
    facts = shown["Facts"]
    assert facts["corrected"]["derived"]["total"] == "3.01"
    assert list(facts["inputs"]) == ["Text"]

    done = machine.cim("show", "documents.Document", slip, "--history", "Facts", "--json")
    written, put_right = done.data
    assert list(written) == ["sequence", "time", "what", "by", "version", "inputs", "value"]
    assert (written["what"], written["by"]) == ("written", "documents.find")
    assert (written["version"], written["inputs"]) == (facts["version"], facts["inputs"])
    assert (put_right["what"], put_right["version"]) == ("corrected", None)
    assert put_right["by"].startswith("person:")
    totals = [one["value"]["total"] for one in (written, put_right)]
    assert totals == ["3.01", "4.20"]
    before = machine.cim(
        "show", "documents.Document", slip, "--history", "Facts", "--at", str(written["sequence"]), "--json"
    )
    assert before.data == [written]
    table = machine.cim("show", "documents.Document", slip, "--history", "Facts").out
    assert f"{facts['version']}  Text#" in table


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--history", "Text"], "--history is of one entity: name it, `cim show documents.Document ID"),
        (["ID", "--history", "Colour"], "never carried a component Colour; it carries: "),
        (["ID", "--history", "state"], "never carried a component state; it carries: "),
    ],
)
def test_a_history_that_is_not_there_is_told_by_name(
    machine: Place, slip: str, arguments: list[str], words: str
) -> None:
    given = [slip if one == "ID" else one for one in arguments]
    done = machine.cim("show", "documents.Document", *given)
    assert (done.code, done.out) == (1, "")
    assert words in done.err


def test_the_table_is_whole_where_it_goes_to_a_file(machine: Place, slip: str) -> None:
    lines = machine.cim("show", "documents.Document", COLUMNS="40").out.splitlines()
    assert len(lines) == 6
    assert any(line.startswith(f"{slip} ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["documents.Letter"],
            "no module here declares the entity documents.Letter; there are: documents.Document",
        ),
        (["Document"], "there are: documents.Document"),
        (["documents.Document", "nope"], "there is no documents.Document nope"),
        (["documents.Document", "a b"], "ID 'a b' holds a character outside"),
        (["documents.Document", "*"], "ID '*' holds a character outside"),
    ],
)
def test_what_is_not_there_is_told_by_name(machine: Place, arguments: list[str], words: str) -> None:
    done = machine.cim("show", *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("cim show: ")
    assert words in done.err


def test_a_failure_is_a_component_with_system_and_cause(machine: Place) -> None:
    shown = {one["state"]["title"]: one for one in machine.cim("show", "documents.Document", "--json").data}
    failed = shown["letter.pdf"]["components"]
    assert set(failed) == {"Failed"}
    assert failed["Failed"]["value"] == {
        "system": "documents.read",
        "cause": "text/plain is neither a picture nor a PDF: hand it in as one of these",
    }
    assert failed["Failed"]["by"] == "documents.read"

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
    assert all(list(one) == ["value", "sequence", "by", "time"] for one in shown["components"].values())
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

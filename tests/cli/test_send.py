"""``cim send``: receipts and rejections, to a leaf that runs and where none does."""

from pathlib import Path

import pytest

from cim.testing.processes import Place

RECEIVE = ("send", "documents.Receive", "--json")


@pytest.fixture
def scan(read_machine: Path) -> str:
    return f"scan=@{read_machine.parent / 'slips' / 'slip-00.png'}"


def test_a_receipt_and_a_rejection_have_the_shapes_that_are_kept_stable(machine: Place, scan: str) -> None:
    document = "document=mine"
    done = machine.cim(*RECEIVE, document, "title=A slip", scan, "--id", "c1")
    assert done.code == 0, done.err
    last = machine.cim("log", "--json").data[-1]["sequence"]
    assert done.data == [{"command": "c1", "entity": "mine", "sequence": last, "correlation": "c1"}]

    again = machine.cim(*RECEIVE, document, "title=A slip", scan, "--id", "c1")
    assert (again.code, again.data) == (0, done.data)

    other = machine.cim(*RECEIVE, document, "title=Another", scan, "--id", "c1")
    assert other.code == 1
    assert list(other.data[0]) == ["rejected"]
    assert other.data[0]["rejected"]["by"] == "documents.Document mine"
    assert "c1 was used" in other.data[0]["rejected"]["reason"]

    rejected = machine.cim(*RECEIVE, document, "title=A slip", scan)
    assert rejected.code == 1
    assert rejected.data == [{"rejected": {"by": "documents.Document mine", "reason": "already received"}}]
    assert machine.cim("log", "--json").data[-1]["sequence"] == last


def test_a_running_leaf_takes_it_and_its_systems_go_on(machine: Place, scan: str) -> None:
    machine.up()
    follower = machine.start("log", "--follow", "--json")
    done = machine.cim(*RECEIVE, "document=mine", "title=A slip", scan)
    receipt = done.data[0]
    assert (done.code, receipt["entity"]) == (0, "mine")
    assert receipt["command"] == receipt["correlation"]
    # Classified, the last of the text's systems: the follower saw the command and what came of it.
    follower.prints(f'"sequence":{receipt["sequence"]},')
    follower.prints(f'"sequence":{receipt["sequence"] + 5},')
    of_it = machine.cim("trace", receipt["correlation"], "--json").data
    assert {one["correlation"] for one in of_it} == {receipt["correlation"]}
    assert len(of_it) == 6


def test_the_content_names_the_document_where_no_id_is_given(machine: Place, scan: str) -> None:
    done = machine.cim(*RECEIVE, "title=Known under another title", scan)
    assert done.code == 1
    assert done.data[0]["rejected"]["reason"] == "already received"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["documents.Recieve", "title=x"],
            "no module here declares the command documents.Recieve; there are: documents.Receive",
        ),
        (["Receive", "title=x"], "there are: documents.Receive"),
        (["documents.Receive", "title"], "'title' is no FIELD=VALUE"),
        (["documents.Receive", "title=a", "title=b"], "field title is given twice"),
        (["documents.Receive", "document=d", "title=a"], "scan"),
        (["documents.Receive", "document=d", "title=a", "scan=hello"], "scan=@FILE"),
        (["documents.Receive", "title=a", "scan=@nofile.png"], "nofile.png: No such file or directory"),
        (["documents.Receive", "document=d", "titel=a"], "has no field 'titel'"),
    ],
)
def test_a_command_that_cannot_be_is_told_by_name(machine: Place, arguments: list[str], words: str) -> None:
    done = machine.cim("send", *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("cim send: ")
    assert words in done.err


@pytest.mark.parametrize("strange", [["document=a.b"], ["document=d", "--id", "a b"]])
def test_a_strange_id_is_refused_at_the_door(machine: Place, scan: str, strange: list[str]) -> None:
    done = machine.cim("send", "documents.Receive", "title=x", scan, *strange)
    assert (done.code, done.out) == (1, "")
    assert "holds a character outside" in done.err

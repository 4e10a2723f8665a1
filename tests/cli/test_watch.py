"""``cim watch``: with a leaf and without one, over the leaf's death, and what it refuses."""

import signal
from typing import Any

import msgspec
import pytest

from cim.cli.watch import filter_of
from cim.domain.errors import CimError
from cim.testing.processes import Place, Running, wait_until

from .notes import NOTES


@pytest.fixture
def desk(new_machine: Place) -> Place:
    """A machine with the module of notes; nothing runs on it."""
    new_machine.folder.mkdir()
    (new_machine.folder / "machine.toml").write_text('name = "desk"\nmodules = ["notes"]\nworkers = 1\n')
    (new_machine.folder / "notes.py").write_text(NOTES)
    return new_machine


def write(desk: Place, note: str, text: str) -> int:
    done = desk.cim("send", "notes.Write", f"note={note}", f"text={text}", "--json")
    assert done.code == 0, done.err
    return int(done.data[0]["sequence"])


def lines(running: Running) -> list[dict[str, Any]]:
    """What was told by now, the last line where it is whole."""
    return [
        msgspec.json.decode(line) for line in running.out.splitlines(keepends=True) if line.endswith("\n")
    ]


def reached(running: Running, sequence: int) -> list[dict[str, Any]]:
    """What was told up to a sequence."""

    def there() -> bool:
        assert running.process.poll() is None, running.err
        return any(one["what"] == "reached" and one["sequence"] >= sequence for one in lines(running))

    wait_until(there, f"sequence {sequence} is reached")
    return [one for one in lines(running) if one["what"] not in ("reached", "anew")]


def test_without_a_leaf_what_is_there_is_told_once(desk: Place) -> None:
    write(desk, "n1", "a")
    last = write(desk, "n2", "b")
    done = desk.cim("watch", "notes.Note", "--where", "text != a", "--once", "--json")
    assert [one["what"] for one in done.data] == ["anew", "entered", "reached"]
    assert done.data[1] == {
        "what": "entered",
        "id": "n2",
        "sequence": last,
        "values": {"state": {"text": "b"}},
    }
    said = desk.cim("watch", "notes.Note", "--once").out
    assert said.split() == ["entered", "1", "n1", "state:", "a", "entered", "2", "n2", "state:", "b"]


def test_what_changes_is_told_until_it_is_interrupted_also_when_the_leaf_is_killed_in_between(
    desk: Place,
) -> None:
    leaf = desk.up()
    write(desk, "n1", "a")
    last = write(desk, "n2", "b")
    watching = desk.start("watch", "notes.Note", "--where", "text != gone", "--json")
    assert {one["id"] for one in reached(watching, last)} == {"n1", "n2"}
    told = reached(watching, write(desk, "n1", "gone"))
    assert (told[-1]["what"], told[-1]["id"]) == ("left", "n1")
    leaf.kill()
    desk.up()
    last = write(desk, "n1", "back")
    write(desk, "n3", "c")
    last = write(desk, "n3", "d")
    told = reached(watching, last)[3:]
    assert [(one["what"], one["id"]) for one in told if one["id"] == "n1"] == [("entered", "n1")]
    of_n3 = [(one["what"], one["values"]["state"]["text"]) for one in told if one["id"] == "n3"]
    assert of_n3 in ([("entered", "c"), ("changed", "d")], [("entered", "d")])
    assert len(told) == 1 + len(of_n3)
    assert [one["what"] for one in lines(watching)].count("anew") == 1
    assert watching.send(signal.SIGINT).code == 130


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("notes.Nite", "--once"), "no module here declares the entity notes.Nite; there are: notes.Note"),
        (("notes.Note", "--once", "--with", "Kind"), "it has no component Kind; there are: none"),
        (("notes.Note", "--once", "--where", "text > 3"), "`text > 3` compares text with what it never is"),
        (("notes.Note", "--once", "--where", "text"), "is no condition: write FIELD OPERATOR VALUE"),
        (("notes.Note",), "no leaf of machine desk runs: start one with `cim up"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(desk: Place, words: tuple[str, ...], said: str) -> None:
    done = desk.cim("watch", *words)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("total > 100", ("total", ">", 100)),
        ("Receipt.total>=1.5", ("Receipt.total", ">=", 1.5)),
        ("kind == invoice", ("kind", "==", "invoice")),
        ('kind == "a > b"', ("kind", "==", "a > b")),
        ('kind in ["a", "b"]', ("kind", "in", ["a", "b"])),
        ("due != null", ("due", "!=", None)),
        ("index < 3", ("index", "<", 3)),
    ],
)
def test_a_condition_is_read(text: str, found: tuple[str, str, Any]) -> None:
    assert tuple(filter_of(text).values()) == found


@pytest.mark.parametrize("text", ["", "total", "> 3", "total ~ 3", "total >"])
def test_what_is_no_condition_is_named(text: str) -> None:
    with pytest.raises(CimError, match="is no condition"):
        filter_of(text)

"""``cim rows``: the rows of a projection and its lag, with a leaf that runs and without."""

import pytest

from cim.testing.processes import Place, wait_until

MODULE = '''"""Notes, and how many each author wrote."""

from collections.abc import Iterable

from cim import Command, Context, Event, Key, Row, State, Table

notes = Context("notes")


class Write(Command):
    note: str
    author: str


class Written(Event):
    note: str
    author: str


@notes.entity(key="note")
class Note(State):
    author: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note, command.author)]

    def evolve(self, event: Written) -> "Note":
        return self.but(author=event.author)


class Author(Row):
    author: Key[str]
    notes: tuple[str, ...]


@notes.projection
def authors(event: Written, rows: Table[Author]) -> None:
    if event.author == "Mallory":
        raise ValueError("who is that?")
    before = rows.get(event.author)
    rows.put(Author(event.author, (*(before.notes if before else ()), event.note)))
'''


@pytest.fixture
def desk(new_machine: Place) -> Place:
    """A machine with the module of notes; nothing runs on it."""
    new_machine.folder.mkdir()
    (new_machine.folder / "machine.toml").write_text('name = "desk"\nmodules = ["notes"]\nworkers = 1\n')
    (new_machine.folder / "notes.py").write_text(MODULE)
    return new_machine


def write(desk: Place, note: str, author: str) -> int:
    done = desk.cim("send", "notes.Write", f"note={note}", f"author={author}", "--json")
    assert done.code == 0, done.err
    return int(done.data[0]["sequence"])


def test_rows_are_those_of_the_log_with_a_leaf_and_without(desk: Place) -> None:
    assert desk.cim("rows", "notes.authors", "--json").data == []
    write(desk, "n1", "Ada")
    without = desk.cim("rows", "notes.authors", "--json")
    assert (without.data, without.err) == ([{"author": "Ada", "notes": ["n1"]}], "")

    desk.up()
    for number in range(2, 6):  # who waits for what was written reads it, each time
        sequence = write(desk, f"n{number}", "Ada")
        done = desk.cim("rows", "notes.authors", "Ada", "--reached", str(sequence), "--json")
        assert done.data[0]["notes"][-1] == f"n{number}", done.err
    assert "Ada" in desk.cim("rows", "notes.authors").out
    missing = desk.cim("rows", "notes.authors", "Bob", "--json")
    assert (missing.code, missing.data) == (1, [])


def test_how_far_each_projection_is_has_a_shape_that_is_kept_stable(desk: Place) -> None:
    write(desk, "n1", "Ada")
    write(desk, "n2", "Mallory")
    write(desk, "n3", "Ada")
    (line,) = desk.cim("rows", "--json").data
    assert line == {
        "projection": "notes.authors",
        "sequence": 1,
        "last": 3,
        "behind": 2,
        "stopped": "sequence 2 (evt.notes.Note.n2): ValueError: who is that?",
        "anew": None,
    }
    done = desk.cim("rows", "notes.authors", "--reached", "3", "--json")
    assert (done.code, done.data) == (1, [])
    assert "notes.authors is at 1 and not at 3: it stopped: sequence 2" in done.err

    (waits,) = (one for one in desk.cim("waiting", "--json").data if one["system"] == "notes.authors")
    assert (waits["why"], waits["cause"]) == ("stopped", line["stopped"])

    (desk.folder / "notes.py").write_text(MODULE.replace('"Mallory"', '"Trudy"'))
    done = desk.cim("rows", "notes.authors", "--reached", "3", "--json")
    assert done.data == [{"author": "Ada", "notes": ["n1", "n3"]}, {"author": "Mallory", "notes": ["n2"]}]


@pytest.mark.parametrize("name", ["notes.nobody", "../notes.authors", "notes"])
def test_a_projection_that_no_module_declares_is_refused_by_name(desk: Place, name: str) -> None:
    done = desk.cim("rows", name)
    assert done.code == 1
    assert f"no module here declares the projection {name}; there are: notes.authors" in done.err


def test_a_release_of_the_message_frees_a_projection_that_runs(desk: Place) -> None:
    write(desk, "n1", "Mallory")
    running = desk.up()
    assert write(desk, "n2", "Ada") == 2
    done = desk.cim("release", "evt.notes.Note.n1", "--sequence", "1", "--reason", "nobody of ours")
    assert done.code == 0, done.err
    wait_until(lambda: "stopped" in running.err, "the projection is told to have stopped")
    wait_until(lambda: desk.cim("rows", "--json").data[0]["behind"] == 0, "the projection goes on")
    rows = desk.cim("rows", "notes.authors", "--json")
    assert (rows.data, desk.cim("waiting", "--json").data) == ([{"author": "Ada", "notes": ["n2"]}], [])


def test_a_leaf_stops_no_other_work_where_a_projection_stops(desk: Place) -> None:
    write(desk, "n1", "Mallory")
    running = desk.up()
    assert desk.cim("rows", "--json").data[0]["stopped"] is not None
    assert write(desk, "n2", "Ada") == 2
    assert (desk.state / "projections").stat().st_mode & 0o077 == 0, "rows are for their owner alone"
    assert "projection notes.authors stopped: sequence 1" in running.err


LATE = '''"""A module that only reads: how long the names of authors are."""

from cim import Context, Key, Row, Table
from notes import Written

late = Context("late")


class Length(Row):
    note: Key[str]
    letters: int


@late.projection
def lengths(event: Written, rows: Table[Length]) -> None:
    rows.put(Length(event.note, len(event.author)))
'''


def test_a_module_that_joins_brings_its_projections(desk: Place) -> None:
    (desk.folder / "late.py").write_text(LATE)
    desk.up()
    write(desk, "n1", "Ada")
    done = desk.cim("work", "--module", "late", "--exit")
    assert (done.code, "late.lengths" in done.out) == (0, True), done.err
    assert desk.cim("rows", "late.lengths", "--json").data == [{"note": "n1", "letters": 3}]
    assert [one["projection"] for one in desk.cim("rows", "--json").data] == ["late.lengths", "notes.authors"]

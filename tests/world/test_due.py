"""What is due: a pure question, asked of an entity that is built by hand."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from cim import Changed, Command, Component, Context, Event, Maybe, State, With, Without
from cim.contract.codec import BadBody
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.contract.system import STATE, SystemType, read_system
from cim.world.due import arguments, call, holds, is_due, run_id
from cim.world.entity import Again, Cell, Entity, Run

notes = Context("notes")


class Write(Command):
    note: str


class Written(Event):
    note: str


@notes.entity(key="note")
class Note(State):
    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return []

    def evolve(self, event: Written) -> "Note":
        return self


@notes.component(of=Note)
class Text(Component):
    body: str


@notes.component(of=Note)
class Kind(Component):
    name: str


@notes.component(of=Note)
class Found(Component):
    """What the systems write."""


def entity(cells: Mapping[str, int], run: Mapping[str, int] | None = None, system: str = "") -> Entity:
    """A note whose cells are of these commits' numbers; ``run`` is what the system last ran on."""
    made = Entity(Ref("notes", "Note", "n1"), Note("words"))
    for sequence, (name, number) in enumerate(cells.items(), start=1):
        value = {"Text": {"body": "words"}, "Kind": {"name": "letter"}}.get(name)
        made.cells[name] = Cell(value, Origin.root(f"o{name}", "tester"), sequence, number, "x", "t")
    if run is not None:
        made.runs[system] = Run(system, run, False, "", 1.0, 9, "v", 1)
    return made


def alone(ref: Ref) -> None:
    """There is no other entity."""


def on_state(note: Changed[Note]) -> Found:
    return Found()


def on_text(text: Changed[Text]) -> Found:
    return Found()


def on_both(note: Changed[Note], text: Changed[Text]) -> Found:
    return Found()


def text_and_state(note: Note, text: Changed[Text]) -> Found:
    return Found()


def with_kind(text: Changed[Text], kind: With[Kind]) -> Found:
    return Found()


def without_kind(text: Changed[Text], kind: Without[Kind]) -> Found:
    return Found()


def perhaps_kind(text: Changed[Text], kind: Maybe[Kind]) -> Found:
    return Found()


def having_kind(text: Changed[Text], kind: Kind) -> Found:
    return Found()


def read(function: Callable[..., Any]) -> SystemType:
    return read_system("notes", function)


@pytest.mark.parametrize(
    ("function", "cells", "run", "due"),
    [
        # Changed: there, and not what it last ran on.
        (on_state, {"state": 1}, None, True),
        (on_state, {}, None, False),
        (on_state, {"state": 1}, {"state": 1}, False),
        (on_state, {"state": 2}, {"state": 1}, True),
        (on_state, {"state": 1}, {"state": 2}, True),
        (on_text, {"state": 1}, None, False),
        (on_text, {"Text": 1}, None, False),  # its own history has not begun
        (on_text, {"state": 1, "Text": 1}, None, True),
        (on_both, {"state": 1}, None, False),
        (on_both, {"state": 2, "Text": 5}, {"state": 2, "Text": 4}, True),
        (on_both, {"state": 2, "Text": 5}, {"state": 2, "Text": 5}, False),
        # A parameter that was made Changed later was in no run.
        (on_both, {"state": 2, "Text": 5}, {"state": 2}, True),
        # Has: must be there, a change of it does not wake.
        (text_and_state, {"state": 3, "Text": 1}, {"state": 1, "Text": 1}, False),
        (having_kind, {"state": 1, "Text": 1}, None, False),
        (having_kind, {"state": 1, "Text": 1, "Kind": 1}, None, True),
        (having_kind, {"state": 1, "Text": 1, "Kind": 2}, {"Text": 1, "Kind": 1}, False),
        # With and without: there or not, never a reason of its own.
        (with_kind, {"state": 1, "Text": 1}, None, False),
        (with_kind, {"state": 1, "Text": 1, "Kind": 1}, None, True),
        (with_kind, {"state": 1, "Text": 1, "Kind": 2}, {"Text": 1, "Kind": 1}, False),
        (without_kind, {"state": 1, "Text": 1}, None, True),
        (without_kind, {"state": 1, "Text": 1, "Kind": 1}, None, False),
        # Maybe: there or not, and no reason to run again.
        (perhaps_kind, {"state": 1, "Text": 1}, None, True),
        (perhaps_kind, {"state": 1, "Text": 1, "Kind": 1}, None, True),
        (perhaps_kind, {"state": 1, "Text": 1, "Kind": 1}, {"Text": 1}, False),
        (perhaps_kind, {"state": 1, "Text": 2, "Kind": 1}, {"Text": 1}, True),
    ],
)
def test_a_system_is_due_on_what_it_matches_and_did_not_run_on(
    function: Callable[..., Any], cells: dict[str, int], run: Mapping[str, int] | None, due: bool
) -> None:
    system = read(function)
    found = entity(cells, run, str(system))
    assert is_due(system, found, alone) is due
    assert (call(system, found, alone) is not None) is due


def test_another_entity_and_a_stopped_one_are_never_due() -> None:
    system = read(on_state)
    found = entity({"state": 1})
    found.stopped = "its chain is broken"
    assert not is_due(system, found, alone)
    other = entity({"state": 1})
    other.ref = Ref("notes", "Card", "n1")
    assert not is_due(system, other, alone)


def test_a_run_of_another_system_does_not_count() -> None:
    assert is_due(read(on_state), entity({"state": 1}, {"state": 1}, "late.on_state"), alone)


def test_a_failed_run_counts_as_one() -> None:
    found = entity({"state": 1})
    found.runs["notes.on_state"] = Run("notes.on_state", {"state": 1}, True, "why", 1.0, 2, "v", 1)
    assert not is_due(read(on_state), found, alone)


def test_a_call_tells_its_inputs_and_is_caused_by_the_newest() -> None:
    found = entity({"state": 4, "Kind": 2, "Text": 3})
    due = call(read(perhaps_kind), found, alone)
    assert due is not None
    assert due.inputs == {"Text": 3, "Kind": 2}
    assert due.cause.id == "oText"
    assert arguments(due) == {"text": Text("words"), "kind": Kind("letter")}


@pytest.mark.parametrize(
    ("function", "cells", "values"),
    [
        (text_and_state, {"state": 1, "Text": 1}, {"note": Note("words"), "text": Text("words")}),
        (perhaps_kind, {"state": 1, "Text": 1}, {"text": Text("words"), "kind": None}),
        (with_kind, {"state": 1, "Text": 1, "Kind": 1}, {"text": Text("words"), "kind": Kind}),
        (without_kind, {"state": 1, "Text": 1}, {"text": Text("words"), "kind": Kind}),
    ],
)
def test_parameters_are_given_as_the_signature_says(
    function: Callable[..., Any], cells: dict[str, int], values: dict[str, Any]
) -> None:
    due = call(read(function), entity(cells), alone)
    assert due is not None
    assert arguments(due) == values


def test_a_value_of_another_shape_names_its_field() -> None:
    found = entity({"state": 1, "Text": 1})
    found.cells["Text"] = Cell({"words": 1}, Origin.root("o", "x"), 1, 1, "x", "t")
    due = call(read(on_text), found, alone)
    assert due is not None
    with pytest.raises(BadBody, match="Text: Object missing required field `body`"):
        arguments(due)


def test_the_same_run_has_the_same_id_everywhere_and_no_other_has_it() -> None:
    system, found = read(on_both), entity({"state": 1, "Text": 2})
    id = run_id(system, found, {STATE: 1, "Text": 2})
    assert id == run_id(read(on_both), entity({}), {"Text": 2, STATE: 1})
    assert len(id) == 32
    other = entity({})
    other.ref = Ref("notes", "Note", "n2")
    ids = {
        id,
        run_id(system, found, {STATE: 1, "Text": 3}),
        run_id(system, found, {STATE: 1}),
        run_id(read(on_state), found, {STATE: 1, "Text": 2}),
        run_id(system, other, {STATE: 1, "Text": 2}),
    }
    assert len(ids) == 5


def test_a_run_that_found_something_missing_does_not_hold_once_that_has_come() -> None:
    note = entity({"state": 1, "Text": 1})
    made = call(read(perhaps_kind), note, alone)
    assert made is not None
    assert holds(made)
    note.cells["Kind"] = Cell({"name": "letter"}, Origin.root("k", "tester"), 9, 1, "x", "t")
    assert not holds(made)


def test_a_run_that_began_before_it_was_let_be_made_again_does_not_hold_and_would_stand_twice() -> None:
    note, system = entity({"state": 1}), read(on_state)
    slow = call(system, note, alone)
    assert slow is not None
    again = Again(
        3, Origin.root("r", "tester")
    )  # another process's run failed by then, and a person had it retried
    note.runs[str(system)] = Run(str(system), {"state": 1}, True, "no", 1.0, 9, "v", 2, again)
    retried = call(system, note, alone)
    assert retried is not None
    assert (holds(slow), holds(retried)) == (False, True)

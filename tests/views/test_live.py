"""Live queries: a snapshot, then what changed, told to everyone who looks and to nobody else."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cim import Each, Event, State
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.domain.errors import CimError, Misdeclared
from cim.testing.clock import HandClock
from cim.views.elements import Element, h
from cim.views.live import FRAME, LEASE, PAGE, LiveQueries, corrected
from cim.views.template import compile_view
from cim.world.entity import Cell, Correction, Entity
from cim.world.trail import TrailStep
from cim.world.world import World


def cells(changes: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(change["id"], change["cells"]) for change in changes]


async def test_a_snapshot_holds_the_cells_that_the_view_binds(stage: Any) -> None:
    await stage.write("n1", "One")
    await stage.attach("n1", "notes", "Text", body="a long text", pages=3)
    await stage.attach("n1", "late", "Language", name="English")
    stage.working["n1"] = ("notes.read",)
    answer = await stage.ask("board", "s1")
    assert answer == {
        "sequence": 3,
        "after": None,
        "rows": [
            {
                "id": "n1",
                "sequence": 3,
                "first": 1,
                "cells": {
                    "state.title": "One",
                    "Text": True,
                    "Text.body~8": "a long…",
                    "Text.pages": 3,
                    "row.working": ["notes.read"],
                    "row.failed": [],
                    "row.others": [{"name": "late.Language", "text": "English"}],
                },
            }
        ],
    }


async def test_what_is_not_there_is_null(stage: Any) -> None:
    await stage.write("n1", "One")
    (row,) = (await stage.ask("board", "s1"))["rows"]
    assert (row["cells"]["Text"], row["cells"]["Text.body~8"], row["cells"]["Text.pages"]) == (
        None,
        None,
        None,
    )


async def test_a_change_of_one_cell_sends_one_cell(stage: Any) -> None:
    for id in ("n1", "n2"):
        await stage.write(id, "One")
        await stage.attach(id, "notes", "Text", body="a long text", pages=1)
    await stage.ask("board", "s1")
    await stage.frame()
    await stage.attach("n1", "notes", "Text", body="a long text", pages=2)
    told = await stage.frame()
    assert told.keys() == {"board.s1"}
    (change,) = told["board.s1"]
    assert change == {
        "id": "n1",
        "first": 1,
        "sequence": stage.entity("n1").sequence,
        "cells": {"Text.pages": 2},
    }
    # What the view cuts off anyway is no change to it.
    await stage.attach("n1", "notes", "Text", body="a long tale", pages=2)
    assert await stage.frame() == {}


async def test_many_changes_of_a_frame_are_told_at_once(stage: Any) -> None:
    await stage.write("n1", "One")
    await stage.ask("board", "s1")
    await stage.frame()
    for title in ("Two", "Three", "Four"):
        await stage.write("n1", title)
    await stage.attach("n1", "notes", "Text", body="words", pages=1)
    told = await stage.frame()
    assert cells(told["board.s1"]) == [
        ("n1", {"state.title": "Four", "Text": True, "Text.body~8": "words", "Text.pages": 1})
    ]


async def test_a_failure_a_stop_and_the_work_itself_are_cells(stage: Any) -> None:
    await stage.write("n1", "One")
    await stage.ask("board", "s1")
    await stage.frame()
    failed = {"system": "notes.run", "cause": "why"}
    await stage.attach("n1", "notes", "Failed", failed=True, **failed)
    assert cells((await stage.frame())["board.s1"]) == [("n1", {"row.failed": [failed]})]
    stage.working["n1"] = ("notes.read",)
    stage.world.tell(stage.entity("n1"))
    assert cells((await stage.frame())["board.s1"]) == [("n1", {"row.working": ["notes.read"]})]
    stage.entity("n1").stopped = "its chain is broken"
    stage.world.tell(stage.entity("n1"))
    stopped = {"system": "notes.Note n1", "cause": "its chain is broken"}
    assert cells((await stage.frame())["board.s1"]) == [("n1", {"row.failed": [stopped, failed]})]


async def test_a_new_entity_is_told_whole(stage: Any) -> None:
    await stage.ask("board", "s1")
    await stage.write("n1", "One")
    (change,) = (await stage.frame())["board.s1"]
    assert change["cells"].keys() == {
        "state.title", "Text", "Text.body~8", "Text.pages", "row.working", "row.failed", "row.others"
    }  # fmt: skip


async def test_two_pages_are_told_though_one_asks_between_change_and_frame(stage: Any) -> None:
    await stage.write("n1", "One")
    await stage.ask("board", "s1")
    await stage.frame()
    await stage.write("n1", "Two")
    await stage.write("n2", "New")
    late_page = await stage.ask("board", "s2")
    assert [row["cells"]["state.title"] for row in late_page["rows"] if row["id"] != "probe"] == [
        "Two",
        "New",
    ]
    told = await stage.frame()
    for session in ("board.s1", "board.s2"):
        assert [(id, told_cells["state.title"]) for id, told_cells in cells(told[session])] == [
            ("n1", "Two"),
            ("n2", "New"),
        ]


async def test_a_page_that_asks_while_a_frame_is_told_takes_nothing_from_the_others(stage: Any) -> None:
    await stage.write("n1", "One")
    await stage.ask("detail", "s1", id="n1")
    await stage.ask("detail", "s1", id="n2")
    await stage.frame()
    # The telling is held up at the first note's trail; the second is not told yet.
    stage.held = asyncio.Event()
    await stage.write("n1", "Two")
    await stage.write("n2", "New")
    await stage.write("probe", "held")
    await stage.ask("probe", "probe")
    await stage.clock.until_asleep()
    stage.clock.move(FRAME)
    await stage.held_back.wait()
    asking = asyncio.create_task(stage.ask("detail", "s2", id="n2"))
    stage.held.set()
    stage.held = None
    (row,) = (await asking)["rows"]
    assert row["cells"]["state.title"] == "New"
    told = await stage.told()
    assert [(id, found["state.title"]) for id, found in cells(told["detail.s1"])] == [
        ("n1", "Two"),
        ("n2", "New"),
    ]


async def test_a_snapshot_is_no_older_than_the_sequence_it_tells(stage: Any) -> None:
    await stage.write("n1", "One")
    await stage.frame()
    stage.held = asyncio.Event()
    asking = asyncio.create_task(stage.ask("detail", "s1", id="n1"))
    await stage.held_back.wait()
    await stage.write("n1", "Two")
    stage.held.set()
    stage.held = None
    (row,) = (await asking)["rows"]
    # A browser keeps what it was told of a later sequence: an older title under the newer one would stay.
    assert (row["sequence"], row["cells"]["state.title"]) == (1, "Two")
    told = await stage.frame()
    (change,) = told["detail.s1"]
    assert change["cells"]["state.title"] == "Two"
    assert change["sequence"] == stage.entity("n1").sequence


async def test_what_changed_before_it_ran_is_told_too(quiet_stage: Any) -> None:
    stage = quiet_stage
    reading = stage.follow()
    await stage.write("n1", "One")
    await stage.ask("board", "s1")
    await stage.write("n1", "Two")
    running = stage.tell()
    assert cells((await stage.frame())["board.s1"]) == [("n1", {"state.title": "Two"})]
    for task in (reading, running):
        task.cancel()


async def test_a_snapshot_comes_in_pages(stage: Any) -> None:
    ids = [f"n{number:04}" for number in range(PAGE + 3)]
    for id in ids:
        await stage.write(id, id)
    first = await stage.ask("board", "s1")
    assert [row["id"] for row in first["rows"]] == ids[:PAGE]
    second = await stage.ask("board", "s1", after=first["after"])
    assert [row["id"] for row in second["rows"]] == ids[PAGE:]
    assert second["after"] is None
    # A row of any page is then told by its change alone.
    await stage.frame()
    await stage.write(ids[-1], "changed")
    assert cells((await stage.frame())["board.s1"]) == [(ids[-1], {"state.title": "changed"})]


async def test_many_rows_are_told_in_several_messages(stage: Any) -> None:
    await stage.ask("board", "s1")
    for number in range(PAGE + 3):
        await stage.write(f"n{number:04}", "x")
    told = await stage.frame()
    assert len(told["board.s1"]) == PAGE + 3
    assert stage.messages == 2


async def test_a_lease_is_known_until_it_ran_out(stage: Any) -> None:
    await stage.write("n1", "One")
    assert await stage.ask("board", "s1", lease=True) == {"known": False}
    await stage.ask("board", "s1")
    await stage.frame()
    stage.clock.move(LEASE - 1)
    assert await stage.ask("board", "s1", lease=True) == {"known": True}
    stage.clock.move(LEASE - 1)
    await stage.write("n1", "Two")
    assert cells((await stage.frame())["board.s1"]) == [("n1", {"state.title": "Two"})]
    stage.clock.move(LEASE)
    await stage.write("n1", "Three")
    assert await stage.frame() == {}
    assert await stage.ask("board", "s1", lease=True) == {"known": False}
    # What was told last is forgotten with the last lease: "Two" is a change again.
    await stage.ask("board", "s1")
    await stage.write("n1", "Two")
    assert cells((await stage.frame())["board.s1"])[0][1]["state.title"] == "Two"


async def test_a_lease_ends_with_the_link(stage: Any) -> None:
    await stage.ask("board", "s1")
    stage.links += 1
    assert await stage.ask("board", "s1", lease=True) == {"known": False}
    await stage.ask("board", "s1")
    assert await stage.ask("board", "s1", lease=True) == {"known": True}


async def test_a_view_of_one_tells_of_that_one_to_each_tab(stage: Any) -> None:
    for id in ("n1", "n2", "n3"):
        await stage.write(id, id)
    assert [row["id"] for row in (await stage.ask("detail", "s1", id="n1"))["rows"]] == ["n1"]
    await stage.ask("detail", "s1", id="n2")
    await stage.ask("detail", "s2", id="n2")
    await stage.frame()
    for id in ("n1", "n2", "n3"):
        await stage.write(id, "changed")
    told = await stage.frame()
    assert sorted(change["id"] for change in told["detail.s1"]) == ["n1", "n2"]
    assert [change["id"] for change in told["detail.s2"]] == ["n2"]
    assert await stage.ask("detail", "s1", id="n1", lease=True) == {"known": True}
    assert await stage.ask("detail", "s2", id="n1", lease=True) == {"known": False}


async def test_the_trail_grows_in_a_view_of_one(stage: Any) -> None:
    await stage.write("n1", "One")
    (row,) = (await stage.ask("detail", "s1", id="n1"))["rows"]
    assert [step["kind"] for step in row["cells"]["row.trail"]] == ["command", "event"]
    await stage.frame()
    await stage.attach("n1", "notes", "Text", body="words", pages=1)
    (change,) = (await stage.frame())["detail.s1"]
    assert [step["kind"] for step in change["cells"]["row.trail"]] == ["command", "event", "component"]
    assert "state.title" not in change["cells"]


async def test_a_trail_that_cannot_be_read_now_is_empty_and_ends_nothing(stage: Any) -> None:
    await stage.write("n1", "One")
    stage.link_lost = True
    (row,) = (await stage.ask("detail", "s1", id="n1"))["rows"]
    assert row["cells"]["row.trail"] == []
    await stage.frame()
    stage.link_lost = False
    await stage.write("n1", "Two")
    (change,) = (await stage.frame())["detail.s1"]
    assert len(change["cells"]["row.trail"]) == 4


async def test_an_entity_that_is_asked_for_before_it_is_there_is_told_when_it_comes(stage: Any) -> None:
    assert (await stage.ask("detail", "s1", id="n1"))["rows"] == []
    await stage.write("n1", "One")
    (change,) = (await stage.frame())["detail.s1"]
    assert (change["id"], change["cells"]["state.title"]) == ("n1", "One")


async def test_a_module_s_view_may_show_another_module_s_entity(stage: Any) -> None:
    await stage.write("n1", "One")
    await stage.attach("n1", "late", "Language", name="English")
    (row,) = (await stage.ask("late.elsewhere", "s1"))["rows"]
    assert row["cells"]["state.title"] == "One"
    assert row["cells"]["Language.name"] == "English"


async def test_an_answer_waits_until_the_world_is_whole(quiet_stage: Any) -> None:
    asking = asyncio.create_task(quiet_stage.ask("board", "s1"))
    await asyncio.sleep(0)
    assert not asking.done()
    await quiet_stage.world.take([])
    assert (await asking)["rows"] == []


@pytest.mark.parametrize(
    ("view", "body", "said"),
    [
        ("bord", b"{}", r"no live query notes\.bord; there are: notes\.board, notes\.detail"),
        ("board", b"[]", "the question is not a JSON object"),
        ("board", b'{"after":5}', r"notes\.board: id and after are ids of entities, as text"),
        ("detail", b'{"id":["n1"]}', r"notes\.detail: id and after are ids"),
        ("detail", b'{"id":{},"lease":true}', r"notes\.detail: id and after are ids"),
        ("detail", b"{}", r"notes\.detail is of one entity: give its id"),
        ("detail", b"", r"notes\.detail is of one entity: give its id"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(
    stage: Any, view: str, body: bytes, said: str
) -> None:
    await stage.write("n1", "One")
    with pytest.raises(CimError, match=said):
        await stage.live.answer(f"notes.{view}", "s1", body)
    assert await stage.frame() == {}


def test_a_view_of_what_is_no_entity_is_refused() -> None:
    class Loose(State):
        title: str = ""

    def loose(note: Each[Loose]) -> Element:
        return h.div(note.title)

    async def no_history(ref: Ref) -> list[TrailStep]:
        return []

    async def nobody(subject: str, body: bytes) -> None:
        return None

    with pytest.raises(Misdeclared, match=r"notes\.loose: Loose is no entity"):
        LiveQueries(
            World(compose([])),
            {"notes.loose": compile_view(loose)},
            working=lambda entity: (),
            history=no_history,
            publish=nobody,
            clock=HandClock(),
        )


def test_what_a_person_put_right_is_told_field_by_field() -> None:
    ref = Ref("notes", "Note", "n1")
    commit = Commit(
        ref.events, 2, Origin.root("c2", "anna"), "cim:test", "notes.Note.Committed", "2026-01-02", "s", b"[]"
    )
    read = Cell({"body": "old", "pages": 2, "parts": [1]}, Origin.root("r", "x"), 2, 1, "notes.read", "t")
    said = {"body": "new", "pages": 2, "parts": []}
    right = replace(read, value=said, correction=Correction(Event(), commit), derived=read)
    alone = replace(right, value={"name": "English"}, derived=None)
    entity = Entity(ref, State(), cells={"Text": right, "late.Language": alone, "Kind": read})
    by = {"by": "anna", "time": "2026-01-02"}
    assert corrected(entity) == [
        {"component": "Text", "field": "body", "was": "old", **by},
        {"component": "late.Language", "field": "name", "was": "", **by},
    ]

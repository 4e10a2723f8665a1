"""The board in a real browser, against a scripted leaf: exact through everything."""

from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

Leaf = Any
Screen = Any
Wait = Callable[..., Any]
WATCH = """window.records = [];
new MutationObserver(found => records.push(...found)).observe(document,
    {subtree: true, childList: true, characterData: true, attributes: true});"""


def test_rows_of_all_pages_appear_and_nothing_offends_the_policy(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    screen.open()
    assert screen.exact()
    assert screen.one("#progress-words").text == "5 of 5 read"
    assert [body for name, body in leaf.requests if name == "board" and "lease" not in body] == [
        {"after": None},
        {"after": "p2"},
    ]
    assert screen.complaints() == []


def test_the_row_that_came_last_stands_on_top(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    screen.open()
    leaf.put("p9", state_title="Paper 9", row_working=["read"], row_failed=[])
    wait_until(lambda: "p9" in screen.rows(), "the new row")
    links = screen.all(".row a")
    assert [link.text for link in links] == [f"Paper {number}" for number in (9, 4, 3, 2, 1, 0)]
    wait_until(lambda: screen.one("#progress-words").text == "5 of 6 read · 1 in work", "the count")


def test_rows_stand_by_the_sequence_that_they_began_with(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    for number, first in enumerate((30, 10, 50, 20, 40)):
        leaf.truth[f"p{number}"]["first"] = first
    screen.open()
    leaf.tell(leaf.change("p9", state_title="Paper 9", row_working=[]) | {"first": 60})
    wait_until(lambda: "p9" in screen.rows(), "the new row")
    links = screen.all(".row a")
    assert [link.text for link in links] == [f"Paper {number}" for number in (9, 2, 4, 0, 3, 1)]


def test_one_changed_cell_touches_one_text_node(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    leaf.change("p1", Text=True, Text_body__20="Dear Sir", Text_confidence=0.5)
    screen.open()
    screen.run(WATCH)
    leaf.put("p1", Text_confidence=0.93)
    wait_until(lambda: "93 %" in screen.rows()["p1"], "the new value")
    touched = screen.run(
        "return records.map(one => [one.type, one.target.data, one.target.parentNode.tagName])"
    )
    assert touched == [["characterData", "93 %", "B"]]


def test_items_come_and_go_and_what_stays_is_not_made_anew(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    leaf.change("p1", row_working=["read", "judge"])
    screen.open()
    screen.run(WATCH)
    leaf.put("p1", row_working=["file"])
    wait_until(screen.exact, "one system instead of two")
    kinds = screen.run(
        "return records.filter(one => one.target.closest?.('.row') ?? true).map(one => one.type)"
    )
    assert sorted(kinds) == ["characterData", "childList", "childList"]
    leaf.put("p1", row_working=[])
    wait_until(screen.exact, "no system")


def test_an_older_change_is_let_go_and_one_of_the_same_sequence_counts(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    screen.open()
    now = leaf.truth["p1"]["sequence"]
    leaf.tell({"id": "p1", "sequence": now - 1, "cells": {"state.title": "Old"}})
    leaf.tell({"id": "p1", "sequence": now, "cells": {"row.working": ["read"]}})
    wait_until(lambda: screen.rows()["p1"].endswith("read"), "the system at work")
    assert screen.rows()["p1"] == "Paper 1 read"


def test_a_deleted_row_goes_and_an_echo_does_not_bring_it_back(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    screen.open()
    before = leaf.truth["p3"]["sequence"]
    leaf.drop("p3")
    leaf.tell({"id": "p3", "sequence": before, "cells": {"state.title": "Ghost"}})
    leaf.put("p4", state_title="After")
    wait_until(lambda: screen.rows()["p4"] == "After", "what came after the echo")
    assert screen.exact()
    leaf.put("p3", state_title="Again", row_working=[], row_failed=[])
    wait_until(lambda: screen.exact(), "the id is used again")


def test_what_comes_while_the_snapshot_is_read_is_not_overwritten(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    def changed(page: dict[str, Any]) -> list[dict[str, Any]]:
        if page["after"] is not None:
            return [leaf.change("p0", state_title="Newer")]
        if "new" in leaf.truth:
            return []
        return [leaf.change("new", state_title="New", row_working=[], row_failed=[])]

    leaf.meanwhile = changed
    screen.open()
    wait_until(screen.exact, "what came with the last page of the snapshot")
    assert screen.rows()["p0"] == "Newer"


def test_after_the_server_was_killed_the_page_is_exact_again(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    screen.open()
    leaf.kill_nats()
    wait_until(lambda: screen.state == "lost", "the page says that it lost the connection")
    leaf.change("p0", state_title="Changed meanwhile", row_working=["read", "judge"])
    leaf.change("p7", state_title="Made meanwhile", row_working=[], row_failed=[])
    del leaf.truth["p2"]
    leaf.start_nats()
    wait_until(lambda: screen.state == "live" and screen.exact(), "exact again")
    leaf.put("p7", Text=True, Text_body__20="Hello", Text_confidence=1.0)
    wait_until(lambda: screen.exact(), "live again")


def test_a_leaf_that_began_anew_is_read_again_even_with_smaller_sequences(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    screen.open()
    leaf.truth.clear()
    leaf.sequence = 0
    leaf.change("p1", state_title="Another life", row_working=[], row_failed=[])
    leaf.knows_session = False
    wait_until(lambda: screen.exact(), "the new life is shown")


def test_a_leaf_that_does_not_answer_is_asked_until_it_does(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    screen.open()
    leaf.run(leaf.nats.close())
    wait_until(lambda: screen.state == "stale", "the page says that it may be behind")
    leaf.change("p1", state_title="Later")
    leaf.run(leaf.connect())
    wait_until(lambda: screen.state == "live" and screen.exact(), "exact again")


def test_what_the_leaf_refuses_is_told_until_it_answers(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    screen.open()
    plain, leaf.snapshot = leaf.snapshot, lambda body: {"error": "there is no live query documents.board"}
    leaf.knows_session = False
    told = "the leaf refuses: there is no live query documents.board"
    wait_until(lambda: screen.one("#connection-words").text == told, "the leaf's words")
    leaf.snapshot = plain
    wait_until(lambda: screen.one("#connection-words").text == "live", "live again")


def test_a_refused_token_is_renewed(screen: Screen, leaf: Leaf) -> None:
    users = "authorization { users: [{user: leaf, password: leaf}, {user: page, password: page}] }\n"
    leaf.kill_nats()
    leaf.settings = users
    leaf.start_nats()

    def let_in() -> None:
        leaf.kill_nats()
        leaf.settings = users + "no_auth_user: page"
        leaf.start_nats()

    leaf.on_renewal = let_in
    screen.open()
    assert leaf.sessions_renewed == 1


def test_arrow_keys_go_from_row_to_row(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    screen.open()
    screen.one("a[href='#p4']").send_keys(Keys.ARROW_DOWN)
    assert screen.browser.switch_to.active_element.get_attribute("hash") == "#p3"

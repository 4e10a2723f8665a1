"""The detail in a real browser: one entity, its picture, and text that others wrote."""

from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

Leaf = Any
Screen = Any
Wait = Callable[..., Any]
FOREIGN = "<img src=x onerror=\"document.title='taken'\">"


def test_foreign_text_stays_text(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    leaf.change("p0", state_title=FOREIGN, Text=True, Text_body__20="</script>&amp;", Text_confidence=0.0)
    screen.open("#p0")
    wait_until(lambda: FOREIGN in screen.one("#sheet").text, "the detail")
    assert screen.rows()["p0"] == f"{FOREIGN} </script>&amp; 0 %"
    assert screen.all("#rows img, #sheet img") == []
    assert screen.browser.title == "documents"


def test_an_address_that_is_no_digest_is_not_followed(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    leaf.truth["p0"]["cells"] |= {"state.scan": {}, "state.scan.sha256": "../session"}
    screen.open("#p0")
    picture = wait_until(lambda: screen.all("#sheet img"), "the picture")[0]
    assert picture.get_dom_attribute("src") is None


def test_the_address_opens_a_detail_which_follows_its_entity_only(
    screen: Screen, leaf: Leaf, wait_until: Wait
) -> None:
    digest = leaf.keep(b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>', "image/svg+xml")
    step = {
        "kind": "event",
        "name": "Received",
        "by": "me",
        "time": "",
        "took": None,
        "note": "",
        "sequence": 1,
    }
    cells = {"row.trail": [step], "row.others": [{"name": "Vector", "text": "3"}], "state.scan": {}}
    leaf.change("p1")["cells"].update(cells)
    leaf.truth["p1"]["cells"] |= cells | {"state.scan.sha256": digest}
    screen.open("#p1")
    sheet = screen.one("#sheet")
    wait_until(lambda: sheet.text == "Paper 1\nnot read yet\nReceivedVector", "the detail of p1")
    wait_until(
        lambda: screen.run("return document.querySelector('#sheet img')?.naturalWidth") == 8,
        "the picture is loaded",
    )
    leaf.tell({"id": "p2", "sequence": 99, "cells": {"state.title": "Not mine"}}, view="detail")
    leaf.put("p1", view="detail", Text=True, Text_body="Dear Sir", row_trail=[step, step | {"name": "Text"}])
    wait_until(lambda: sheet.text == "Paper 1\nDear Sir\nReceivedVector\nTextVector", "the change of p1")
    screen.one("a[href='#p4']").click()
    wait_until(lambda: sheet.text == "Paper 4\nnot read yet", "the detail of p4")
    screen.one("body").send_keys(Keys.ESCAPE)
    wait_until(lambda: sheet.text == "", "the detail is closed")
    assert [body["id"] for name, body in leaf.requests if name == "detail" and "lease" not in body] == [
        "p1",
        "p4",
    ]


def test_each_query_keeps_a_lease_of_its_own(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    screen.open("#p1")
    for wanted in (("board", {"lease": True}), ("detail", {"id": "p1", "lease": True})):
        wait_until(lambda wanted=wanted: wanted in leaf.requests, f"the lease {wanted}")


def test_a_detail_that_is_not_there_is_told(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    screen.open("#nobody")
    wait_until(lambda: screen.one("#missing").is_displayed(), "told")

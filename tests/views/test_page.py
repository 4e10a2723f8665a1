"""The document around the views."""

import json
import re
from html.parser import HTMLParser

import pytest

from cim.domain.query import Each
from cim.domain.state import State
from cim.views.elements import Element, h
from cim.views.page import ASSETS, POLICY, Page, Upload, render
from cim.views.template import compile_view


class Paper(State):
    """Something to read."""

    title: str = ""


def board(paper: Each[Paper]) -> Element:
    return h.div(h.b(paper.title, class_="main", column="<Title>"), h.i("</script><b>&"))


class Reader(HTMLParser):
    """Notes every start tag with its attributes, and the text of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)


@pytest.fixture
def page() -> Page:
    """A page with one view and an upload."""
    upload = Upload("documents.Receive", "scan", "title")
    return Page("<papers>", "ab12cd34", (4321,), {"documents.board": compile_view(board)}, upload)


def read(page: Page) -> Reader:
    reader = Reader()
    reader.feed(render(page))
    return reader


def test_the_browser_is_told_what_it_needs_in_a_script_that_cannot_be_ended(page: Page) -> None:
    (text,) = read(page).scripts
    assert not re.search("[<>&]", text)
    data = json.loads(text)
    assert data == json.loads(json.dumps(page.as_data()))
    view = data["views"]["board"]
    assert view["query"] == "documents.board"
    assert view["template"]["html"].endswith("<i>&lt;/script&gt;&lt;b&gt;&amp;</i></div>")
    assert (data["session"], data["websockets"], data["inbox"]) == ("ab12cd34", [4321], "_INBOX_ab12cd34")
    assert data["upload"] == {"command": "documents.Receive", "blob": "scan", "text": "title"}


def test_the_document_has_no_style_and_no_script_of_its_own(page: Page) -> None:
    reader = read(page)
    attributes = {name for _, attributes in reader.tags for name in attributes}
    assert not {name for name in attributes if name == "style" or name.startswith("on")}
    assert "style" not in {tag for tag, _ in reader.tags}
    kinds = [attributes.get("type") for tag, attributes in reader.tags if tag == "script"]
    assert kinds == ["application/json", "module"]


def test_everything_it_loads_is_an_asset(page: Page) -> None:
    tags = read(page).tags
    asked = {one.get("src") or one.get("href") for tag, one in tags if tag in ("script", "link")} - {None}
    assert asked == set(ASSETS)


def test_names_and_headings_are_escaped(page: Page) -> None:
    text = render(page)
    assert "<h1>&lt;papers&gt;</h1>" in text
    assert '<span role="columnheader" class="main">&lt;Title&gt;</span>' in text


def test_without_an_upload_nothing_invites_to_one() -> None:
    page = Page("papers", "ab12cd34", (4321,), {"documents.board": compile_view(board)})
    tags = read(page).tags
    assert [one for _, one in tags if "data-pick" in one] == []
    assert page.as_data()["upload"] is None


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert "unsafe" not in POLICY
    assert "*" not in POLICY.replace("ws://127.0.0.1:*", "").replace("ws://localhost:*", "")

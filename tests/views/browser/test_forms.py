"""Forms and places on a picture, in a real browser under the page's own policy."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from cim import Command, Component, Context, Each, Event, Maybe, One, State
from cim.views import Element, Row, area, each, entity_url, form, h, maybe, when
from cim.views.template import compile_view

pytestmark = pytest.mark.browser

Leaf = Any
Wait = Callable[..., Any]
NOTHING: dict[str, Any] = {"row_working": [], "row_failed": []}
SPOT = {"left": 0.1, "top": 0.2, "width": 0.5, "height": 0.25}
papers = Context("papers")


class Correct(Command):
    paper: str
    total: str | None = None
    date: str | None = None


class Corrected(Event):
    paper: str


@papers.entity(key="paper")
class Sheet(State):
    title: str = ""

    def decide(self, command: Correct) -> Iterable[Corrected]:
        return []

    def evolve(self, event: Corrected) -> "Sheet":
        return self


class Spot(Component):
    left: float
    top: float
    width: float
    height: float


class Facts(Component):
    total: str | None
    spots: tuple[Spot, ...]


def board(row: Row, sheet: Each[Sheet]) -> Element:
    return h.div(h.span(h.a(sheet.title, href=entity_url(row)), column="Title"), class_="columns")


def detail(row: Row, sheet: One[Sheet], facts: Maybe[Facts]) -> Element:
    marks = when(
        facts, lambda it: each(it.spots, lambda one: h.i(area=area(one.left, one.top, one.width, one.height)))
    )
    return h.article(h.p(marks), form(Correct, row, total=maybe(facts, lambda it: it.total)))


@pytest.fixture
def leaf(make_leaf: Callable[..., Leaf]) -> Leaf:
    made = make_leaf({"board": compile_view(board), "detail": compile_view(detail)})
    spots = [SPOT]
    made.change("p0", state_title="Paper", Facts=True, Facts_total="80.98", Facts_spots=spots, **NOTHING)
    return made


def line(screen: Any, name: str) -> Any:
    return screen.one(f"#sheet input[name={name}]")


def press(screen: Any) -> None:
    screen.one("#sheet button[type=submit]").click()


def told(screen: Any) -> tuple[str, str]:
    output = screen.one("#sheet output")
    return output.get_attribute("data-state") or "", output.text


def test_what_was_changed_is_sent_and_nothing_else(screen: Any, leaf: Leaf, wait_until: Wait) -> None:
    leaf.reply = 200, {"entity": "p0"}
    screen.open("#p0")
    wait_until(lambda: screen.all("#sheet form"), "the form")
    assert line(screen, "total").get_attribute("value") == "80.98"
    line(screen, "total").clear()
    line(screen, "total").send_keys("80.90")
    press(screen)
    wait_until(lambda: told(screen) == ("done", "Done."), "the answer")
    (sent,) = leaf.handed_in
    pairs = re.findall(rb'name="(\w+)"\r\n\r\n([^\r]*)', sent)
    assert pairs == [(b"paper", b"p0"), (b"total", b"80.90")]


def test_a_refusal_is_told_and_what_was_written_stays(screen: Any, leaf: Leaf, wait_until: Wait) -> None:
    leaf.reply = 409, {"rejected": {"reason": "total '8,0' is no sum"}}
    screen.open("#p0")
    wait_until(lambda: screen.all("#sheet form"), "the form")
    line(screen, "date").send_keys("8,0")
    press(screen)
    wait_until(lambda: told(screen) == ("refused", "total '8,0' is no sum"), "the refusal")
    assert line(screen, "date").get_attribute("value") == "8,0"
    line(screen, "date").send_keys("1")
    assert told(screen) == ("", "")


def test_nothing_is_sent_where_nothing_was_changed(screen: Any, leaf: Leaf, wait_until: Wait) -> None:
    screen.open("#p0")
    wait_until(lambda: screen.all("#sheet form"), "the form")
    press(screen)
    assert told(screen) == ("refused", "Nothing was changed.")
    assert leaf.handed_in == []


def test_a_line_follows_its_value_until_a_person_writes(screen: Any, leaf: Leaf, wait_until: Wait) -> None:
    screen.open("#p0")
    wait_until(lambda: screen.all("#sheet form"), "the form")
    leaf.put("p0", view="detail", Facts_total="81.00")
    wait_until(lambda: line(screen, "total").get_attribute("value") == "81.00", "the newer value")
    line(screen, "total").send_keys("5")
    leaf.put("p0", view="detail", Facts_total="82.00")
    wait_until(lambda: line(screen, "total").get_dom_attribute("value") == "82.00", "the newest value")
    assert line(screen, "total").get_attribute("value") == "81.005"


def test_a_place_lies_where_its_shares_say(screen: Any, leaf: Leaf, wait_until: Wait) -> None:
    screen.open("#p0")
    place = wait_until(lambda: screen.browser.find_elements(By.CSS_SELECTOR, "#sheet i"), "the place")[0]
    read = "const s = document.querySelector('#sheet i').style; return [s.left, s.top, s.width, s.height]"
    assert screen.run(read) == ["10%", "20%", "50%", "25%"]
    leaf.put("p0", view="detail", Facts_spots=[SPOT | {"left": 0.3}])
    wait_until(lambda: screen.run(read)[0] == "30%", "the place moves")
    assert place.is_enabled()

"""A machine of a test's own on a real page: what one change touches."""

import signal
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from cim.testing.processes import place, wait_until

pytestmark = pytest.mark.browser

ROWS = """return Object.fromEntries([...document.querySelectorAll('.row')].map(
    row => [row.querySelector('a').hash.slice(1), row.textContent.trim()]))"""
WATCH = """window.records = [];
new MutationObserver(found => records.push(...found)).observe(document.getElementById('rows'),
    {subtree: true, childList: true, characterData: true, attributes: true});"""


def test_one_changed_cell_is_one_changed_text_node(browser: WebDriver, tmp_path: Path) -> None:
    def rows() -> dict[str, str]:
        return browser.execute_script(ROWS)  # type: ignore[no-any-return]

    folder = tmp_path / "machine"
    folder.mkdir()
    (folder / "machine.toml").write_text('name = "counting"\nmodules = ["counters"]\n')
    (folder / "counters").mkdir()
    (folder / "counters" / "__init__.py").write_text(COUNTERS)
    (folder / "counters" / "views.py").write_text(COUNTERS_VIEWS)
    (folder / "doubles.py").write_text(DOUBLES)
    with place(folder, tmp_path) as machine:
        machine.up()
        for counter in ("a", "b"):
            assert machine.cim("send", "counters.Add", f"counter={counter}", "count=1").code == 0
        browser.get(machine.address.page)
        browser.get_log("browser")  # type: ignore[no-untyped-call]
        wait_until(lambda: rows() == {"a": "a 1", "b": "b 1"}, "both counters")
        worker = machine.start("work", "--module", "doubles")
        wait_until(lambda: rows() == {"a": "a 1 2", "b": "b 1 2"}, "what the late module found out")
        browser.execute_script(WATCH)
        assert machine.cim("send", "counters.Add", "counter=a", "count=4").code == 0
        wait_until(lambda: rows() == {"a": "a 5 10", "b": "b 1 2"}, "the change")
        touched = browser.execute_script("return records.map(one => [one.type, one.target.data])")
        assert touched == [["characterData", "5"], ["characterData", "10"]]
        assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
        assert worker.send(signal.SIGTERM).code == 143


COUNTERS = '''
"""Things that are counted."""

from collections.abc import Iterable

from cim import Command, Context, Event, State

counters = Context("counters")


class Add(Command):
    """Count on."""

    counter: str
    count: int


class Added(Event):
    """It was counted on."""

    counter: str
    count: int


@counters.entity(key="counter")
class Counter(State):
    """How many there are."""

    count: int = 0

    def decide(self, command: Add) -> Iterable[Added]:
        return [Added(command.counter, command.count)]

    def evolve(self, event: Added) -> "Counter":
        return self.but(count=self.count + event.count)
'''
COUNTERS_VIEWS = '''
"""How many there are, at a glance."""

from cim import Each
from cim.views.elements import Element, each, entity_url, h
from cim.views.symbols import Row

from . import Counter, counters


@counters.view
def board(row: Row, counter: Each[Counter]) -> Element:
    """Every counter, and what others know of it."""
    return h.div(
        h.span(h.a(row.id, href=entity_url(row)), column="Name"),
        h.span(" ", counter.count, column="Count"),
        h.span(each(row.others, lambda it: h.span(" ", it.text)), column="More"),
        class_="columns",
    )
'''
DOUBLES = '''
"""Twice as many, by a module that came later."""

from cim import Changed, Component, Context
from counters import Counter

doubles = Context("doubles")


@doubles.component(of=Counter)
class Double(Component):
    """Twice the count."""

    value: int


@doubles.system
def double(counter: Changed[Counter]) -> Double:
    """Double it."""
    return Double(counter.count * 2)
'''

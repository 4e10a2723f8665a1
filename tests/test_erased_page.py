"""A page that is open while a person is erased, and a second process that works on the machine."""

import shutil
import signal
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from cim import ERASED
from cim.testing import people
from cim.testing.processes import place, wait_until

pytestmark = pytest.mark.browser

ROWS = """return Object.fromEntries([...document.querySelectorAll('.row')].map(
    row => [row.querySelector('a').hash.slice(1), row.textContent.trim()]))"""


def test_an_open_page_and_a_second_process_forget_without_a_restart(
    browser: WebDriver, tmp_path: Path
) -> None:
    def rows() -> dict[str, str]:
        return browser.execute_script(ROWS)  # type: ignore[no-any-return]

    folder = tmp_path / "machine"
    (folder / "shop").mkdir(parents=True)
    (folder / "machine.toml").write_text('name = "shop"\nmodules = ["shop"]\nworkers = 1\n')
    shutil.copy(people.__file__, folder / "shop" / "__init__.py")
    (folder / "shop" / "views.py").write_text(VIEWS)
    (folder / "letters.py").write_text(LETTERS)
    with place(folder, tmp_path) as machine:
        machine.up()
        worker = machine.start("work", "--module", "letters")
        worker.prints("joined machine shop")
        for customer in ("Ada", "Bob"):
            sent = machine.cim("send", "shop.Register", f"customer={customer.lower()}", f"name={customer}-X")
            assert sent.code == 0, sent.err
        browser.get(machine.address.page)
        both = {"ada": "ada Ada-X Dear Ada-X Ada-X!", "bob": "bob Bob-X Dear Bob-X Bob-X!"}
        wait_until(lambda: rows() == both, "both customers")
        assert machine.cim("erase", "shop.Customer", "ada", "--reason", "asked").code == 0
        gone = {"ada": f"ada {ERASED} {ERASED} {ERASED}", "bob": both["bob"]}
        wait_until(lambda: rows() == gone, "the page forgets")
        assert machine.cim("send", "shop.Close", "customer=ada").code == 0
        wait_until(lambda: machine.cim("waiting", "--json").data == [], "derived anew")
        assert rows() == gone
        content = b"".join(path.read_bytes() for path in machine.state.rglob("*") if path.is_file())
        assert b"Ada-X" not in content
        assert machine.cim("verify", "--json").data[0]["faults"] == []
        assert worker.send(signal.SIGTERM).code == 143
        assert "Traceback" not in worker.err


LETTERS = '''
"""Letters to customers."""

from cim import Changed, Component, Context, Personal
from shop import Customer

letters = Context("letters")


@letters.component(of=Customer)
class Call(Component):
    """How a letter calls out."""

    words: Personal[str]


@letters.system
def call(customer: Changed[Customer]) -> Call:
    """Call out."""
    return Call(f"{customer.name}!")
'''

VIEWS = '''
"""The customers."""

from cim import Each
from cim.views.elements import Element, each, entity_url, h
from cim.views.symbols import Row

from . import Customer, shop


@shop.view
def board(row: Row, customer: Each[Customer]) -> Element:
    """Every customer, and what modules know of them."""
    return h.div(
        h.span(h.a(row.id, href=entity_url(row)), column="Name"),
        h.span(" ", customer.name, column="Who"),
        h.span(each(row.others, lambda it: h.span(" ", it.text)), column="More"),
        class_="columns",
    )
'''

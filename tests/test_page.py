"""The real page of a real leaf in a real browser: documents come in, fill in, and stay exact."""

import base64
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from cim.cli.place import EXAMPLE
from cim.testing.processes import Place, place, stop_for_now, wait_until

pytestmark = pytest.mark.browser

DrawSlips = Callable[[Path, int], list[Path]]
HOSTILE = "<img src=x onerror=alert(1)>"
ROWS = """return Object.fromEntries([...document.querySelectorAll('.row')].map(
    row => [row.querySelector('a').hash.slice(1), row.textContent.replace(/\\s+/g, ' ').trim()]))"""
DROP = """const [name, base64] = arguments, files = new DataTransfer();
files.items.add(new File([Uint8Array.from(atob(base64), one => one.charCodeAt(0))], name));
for (const type of ['dragenter', 'dragover', 'drop']) document.getElementById('rows').dispatchEvent(
    new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: files}));"""


class Screen:
    """The page of a machine as a person with a browser sees it."""

    def __init__(self, browser: WebDriver, machine: Place) -> None:
        self.browser, self.machine = browser, machine

    def open(self, fragment: str = "") -> None:
        """Open the page anew and wait until it says that it is exact."""
        self.browser.get("about:blank")
        self.complaints()
        self.browser.get(f"{self.machine.address.page}/{fragment}")
        self.run("window.opened = true")
        self.becomes_live()

    def becomes_live(self) -> None:
        wait_until(lambda: self.state == "live", "the page is live")

    @property
    def state(self) -> str | None:
        return self.one("#connection").get_attribute("data-state")

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def rows(self) -> dict[str, str]:
        """The words of each row, by the id of its document."""
        return self.run(ROWS)  # type: ignore[no-any-return]

    def complaints(self) -> list[str]:
        """What the browser's console says since it was last asked."""
        entries = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [f"{entry['level']} {entry['message']}" for entry in entries]

    def never_loaded_anew(self) -> bool:
        return bool(self.run("return window.opened"))

    def exact(self) -> bool:
        """Whether every row says what ``cim show`` says of its document."""
        truth = self.machine.cim("show", "documents.Document", "--json").data
        rows = self.rows()
        return rows.keys() == {one["id"] for one in truth} and all(
            word in rows[one["id"]] for one in truth for word in words(one)
        )


def words(shown: dict[str, Any]) -> list[str]:
    """What the row of a document must say, worked out without the page's program."""
    values = {name: one["value"] for name, one in shown["components"].items()}
    facts = values.get("Facts", {})
    said = [shown["state"]["title"], facts.get("total"), facts.get("company")]
    said += [
        values[name][field] for name, field in (("Kind", "kind"), ("Sentiment", "label")) if name in values
    ]
    said += [values["Failed"]["cause"]] if "Failed" in values else []
    return [word for word in said if word]


@pytest.fixture(scope="module")
def live_machine(read_machine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A machine that was read, with its leaf up: for tests that only add to it."""
    scratch = tmp_path_factory.mktemp("live")
    shutil.copytree(read_machine, scratch / "machine")
    with place(scratch / "machine", scratch) as made:
        made.up()
        yield made


@pytest.fixture
def screen(browser: WebDriver, live_machine: Place) -> Iterator[Screen]:
    """The browser on the live machine; its console must stay silent."""
    made = Screen(browser, live_machine)
    yield made
    assert made.complaints() == []


@pytest.fixture
def slip(tmp_path: Path, draw_slips: DrawSlips, request: pytest.FixtureRequest) -> Path:
    """A slip that no other test hands in."""
    number = 10 + sum(map(ord, request.node.name)) % 90
    return draw_slips(tmp_path / "slips", number)[-1]


def id_of(machine: Place, title: str) -> str:
    """The id of the document of that title."""
    shown = machine.cim("show", "documents.Document", "--json").data
    return next(str(one["id"]) for one in shown if one["state"]["title"] == title)


def row_of(screen: Screen, title: str) -> str:
    return next((words for words in screen.rows().values() if title in words), "")


def test_the_board_says_what_show_says(screen: Screen) -> None:
    screen.open()
    assert screen.exact()
    assert "read: text/plain is neither a picture nor a PDF" in row_of(screen, "letter.pdf")
    assert screen.one("#progress-words").text.endswith("1 failed")


def test_a_file_from_the_picker_appears_and_fills_in_without_a_reload(screen: Screen, slip: Path) -> None:
    screen.open()
    screen.one("#files").send_keys(str(slip))
    wait_until(lambda: row_of(screen, slip.name), "the row")
    wait_until(
        lambda: all(word in row_of(screen, slip.name) for word in ("receipt", "Corner Shop Ltd", "neutral")),
        "all that is found out",
    )
    assert screen.exact()
    assert screen.never_loaded_anew()


def test_a_dropped_file_that_cannot_be_read_gets_a_badge_with_the_cause(screen: Screen) -> None:
    screen.open()
    screen.run(DROP, "dropped.pdf", base64.b64encode(b"%PDF-1.4 and then nothing").decode())
    badge = wait_until(
        lambda: [
            one for one in screen.all(".row .badge") if "PDF" in one.text and "hand it in" not in one.text
        ],
        "a badge",
    )
    assert screen.exact()
    assert badge[0].is_displayed()
    screen.run("location.hash = arguments[0]", id_of(screen.machine, "dropped.pdf"))
    told = wait_until(lambda: screen.all("#sheet [role=alert]"), "the trouble in the detail")
    assert "PDF" in told[0].text


def test_what_is_there_already_is_told(screen: Screen, read_machine: Path) -> None:
    screen.open()
    before = len(screen.rows())
    screen.one("#files").send_keys(str(read_machine.parent / "slips" / "slip-00.png"))
    told = wait_until(lambda: [one for one in screen.all("#uploads li") if "already" in one.text], "told")
    assert (
        told[0].find_element(By.TAG_NAME, "a").get_attribute("hash")
        == f"#{id_of(screen.machine, 'slip-00.png')}"
    )
    assert len(screen.rows()) == before
    # The browser itself says that the command was rejected: 409.
    assert all("409 (Conflict)" in one for one in screen.complaints())


def test_the_detail_shows_the_picture_beside_text_and_facts_and_how_it_came_about(screen: Screen) -> None:
    for title, word in (("slip-01.png", "TOTAL 3.01"), ("report-water.pdf", "lakes")):
        screen.open(f"#{id_of(screen.machine, title)}")
        sheet = screen.one("#sheet")
        wait_until(
            lambda: screen.run("return document.querySelector('#sheet img')?.naturalWidth > 0"), "the picture"
        )
        picture, text = screen.one("#sheet img").rect, screen.one("#sheet pre").rect
        assert picture["x"] + picture["width"] <= text["x"], "beside each other"
        wait_until(lambda sheet=sheet, word=word: word in sheet.text.replace("\n", " "), "the text")  # type: ignore[misc]
        steps = [one.text.replace("\n", " ") for one in screen.all("#sheet .timeline .step")]
        assert len(steps) == 7
        assert " receive person:" in steps[0]
        assert steps[1].endswith(" received documents.Document")
        for name in ("preview", "text", "kind", "sentiment", "facts"):
            (step,) = [one for one in steps[2:] if f" {name} " in f" {one} "]
            assert step.rstrip().endswith(("ms", "s")), f"{step}: how long it took"


def test_a_hostile_title_stays_text(screen: Screen, slip: Path) -> None:
    screen.open()
    screen.machine.cim("send", "documents.Receive", f"title={HOSTILE}", f"scan=@{slip}", "document=hostile")
    wait_until(lambda: HOSTILE in screen.rows().get("hostile", ""), "the row")
    screen.open("#hostile")
    wait_until(lambda: HOSTILE in screen.one("#sheet").text, "the detail")
    assert [
        one.get_dom_attribute("src") for one in screen.all("img") if one.get_dom_attribute("src") == "x"
    ] == []


def test_two_tabs_of_a_session_show_a_late_component_in_their_own_details(
    browser: WebDriver, machine: Place
) -> None:
    machine.up()
    before = {one["id"]: one for one in machine.cim("show", "documents.Document", "--json").data}
    screen = Screen(browser, machine)
    screen.open(f"#{id_of(machine, 'slip-00.png')}")
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    try:
        screen.open(f"#{id_of(machine, 'complaint-oven.png')}")
        wait_until(lambda: "complaint-oven.png" in screen.one("#sheet").text, "the second detail")
        done = machine.cim("work", "--module", machine.folder / "languages", "--exit")
        assert done.code == 0, done.err
        wait_until(lambda: "English" in screen.one("#sheet").text, "the language, in the second tab")
        assert screen.never_loaded_anew()
        assert screen.complaints() == []
    finally:
        browser.close()
        browser.switch_to.window(first)
    wait_until(lambda: "slip-00.png" in screen.one("#sheet").text, "the first detail is still there")
    wait_until(lambda: "unknown · 0.0" in screen.one("#sheet").text, "the language, in the first tab")
    wait_until(lambda: "English" in row_of(screen, "report-water.pdf"), "and on the board")
    assert screen.never_loaded_anew()
    assert screen.complaints() == []

    after = {one["id"]: one for one in machine.cim("show", "documents.Document", "--json").data}
    for id, shown in after.items():
        language = shown["components"].pop("languages.Language", None)
        assert (language is None) == ("Text" not in shown["components"])
        assert shown["components"] == before[id]["components"]
        assert shown["state"] == before[id]["state"]


def test_the_page_outlives_its_server_and_its_leaf(
    browser: WebDriver, machine: Place, slip: Path, read_machine: Path
) -> None:
    leaf = machine.up()
    port = int(machine.address.page.rpartition(":")[2])
    screen = Screen(browser, machine)
    screen.open(f"#{id_of(machine, 'slip-00.png')}")

    (server,) = machine.servers
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: machine.servers not in ([], [server]), "another server")
    assert machine.cim("send", "documents.Receive", f"title={slip.name}", f"scan=@{slip}").code == 0
    wait_until(lambda: "Corner Shop Ltd" in row_of(screen, slip.name), "a document that came after it")

    leaf.kill()
    wait_until(lambda: screen.state == "lost", "the page says that it lost the leaf")
    meanwhile = read_machine.parent / "papers" / "receipt-bakery.png"
    assert machine.cim("demo", "--exit", "--port", "0", meanwhile).code == 0
    machine.up(port)
    wait_until(lambda: row_of(screen, meanwhile.name), "the document of meanwhile")
    screen.becomes_live()
    assert screen.exact()
    assert screen.never_loaded_anew()
    assert "slip-00.png" in screen.one("#sheet").text
    title = "after all of it"
    machine.cim("send", "documents.Receive", f"title={title}", f"scan=@{slip}", "document=late")
    wait_until(lambda: "Corner Shop Ltd" in row_of(screen, title), "what comes is live again")


FOREIGN = """<!doctype html><title>Another page</title><img id="picture"><script>
const leaf = 'http://127.0.0.1:%d', port = %d;
const form = new FormData();
form.append('title', 'Forged'); form.append('document', 'forged');
form.append('scan', new File(['GIF89a forged'], 'forged.gif'));
async function attempt(options) {
    try {
        const answer = await fetch(leaf + '/commands/documents.Receive',
            {method: 'POST', body: form, credentials: 'include', ...options});
        return answer.type === 'opaque' ? 'opaque' : answer.status;
    } catch (error) { return 'refused'; }
}
function listen() {
    return new Promise(resolve => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}`);
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('refused');
    });
}
function look() {
    return new Promise(resolve => {
        const picture = document.getElementById('picture');
        picture.onload = () => resolve('seen');
        picture.onerror = () => resolve('refused');
        picture.src = leaf + '/blobs/%s';
    });
}
(async () => { window.found = {
    cors: await attempt({}), simple: await attempt({mode: 'no-cors'}),
    socket: await listen(), picture: await look()}; })();
</script>"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """``serve(html)``: the address of a page on a port of its own, of another origin than any leaf's."""
    servers: list[tuple[ThreadingHTTPServer, Thread]] = []

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    def start(text: str) -> str:
        folder = tmp_path / "foreign"
        folder.mkdir()
        (folder / "index.html").write_text(text)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_page_of_another_origin_gets_nothing_and_changes_nothing(
    screen: Screen, serve: Callable[[str], str]
) -> None:
    screen.open()  # so that the browser has the cookie, which it sends along to any port of this host
    machine = screen.machine
    history = machine.cim("log", "--json").data
    digest = machine.cim("show", "documents.Document", id_of(machine, "slip-00.png"), "--json").data[0]
    port = int(machine.address.page.rpartition(":")[2])
    page = FOREIGN % (port, machine.address.websocket_ports[0], digest["state"]["scan"]["sha256"])
    screen.browser.get(serve(page))
    found = wait_until(lambda: screen.run("return window.found"), "the attempts of the foreign page")
    assert found == dict.fromkeys(("cors", "simple", "socket", "picture"), "refused")
    assert machine.cim("log", "--json").data == history
    screen.complaints()  # the browser tells the foreign page what it was refused


def test_a_person_sees_where_each_fact_was_read_and_puts_one_right(screen: Screen) -> None:
    document = id_of(screen.machine, "slip-01.png")
    before = screen.machine.cim("show", "documents.Document", document, "--json").data[0]
    facts = before["components"]["Facts"]["value"]
    screen.open(f"#{document}")
    places = wait_until(lambda: screen.all("#sheet .place"), "the places")
    assert sorted(one.text for one in places) == sorted(one["fact"] for one in facts["places"])
    picture = screen.one("#sheet .sheet-of img")
    for shown, kept in zip(places, facts["places"], strict=True):
        across = (shown.rect["x"] + shown.rect["width"] / 2 - picture.rect["x"]) / picture.rect["width"]
        down = (shown.rect["y"] + shown.rect["height"] / 2 - picture.rect["y"]) / picture.rect["height"]
        assert across == pytest.approx(kept["left"] + kept["width"] / 2, abs=0.02)
        assert down == pytest.approx(kept["top"] + kept["height"] / 2, abs=0.02)
    screen.one("#sheet summary").click()
    total = screen.one("#sheet input[name=total]")
    assert total.get_attribute("value") == facts["total"]
    total.clear()
    total.send_keys("1234.50")
    screen.one("#sheet form button").click()
    wait_until(
        lambda: all(word in screen.rows()[document] for word in ("1234.50", "corrected")), "the correction"
    )
    told = wait_until(lambda: [one.text for one in screen.all("#sheet .told")], "what was put right")
    assert f"total was read as {facts['total']}; put right at" in told[0]
    after = screen.machine.cim("show", "documents.Document", document, "--json").data[0]["components"][
        "Facts"
    ]
    assert after["value"]["total"] == "1234.50"
    assert after["corrected"]["derived"] == facts
    assert after["corrected"]["by"].startswith("page:")
    assert "total" not in [place["fact"] for place in after["value"]["places"]], "it was not read there"
    assert screen.never_loaded_anew()


@pytest.fixture
def ha_machine(new_machine: Place, tmp_path: Path) -> Place:
    """The documents machine on three nodes, with nothing in it."""
    shutil.copytree(EXAMPLE, new_machine.folder, ignore=shutil.ignore_patterns(".cim", "__pycache__"))
    file = new_machine.folder / "machine.toml"
    file.write_text(file.read_text().replace('durability = "dev"', 'durability = "ha"'))
    new_machine.up()
    return new_machine


def test_a_page_goes_to_another_node_when_its_own_stands_still(browser: WebDriver, ha_machine: Place) -> None:
    screen = Screen(browser, ha_machine)
    screen.open()
    (ha_machine.folder / "one.txt").write_text("not a picture")

    def hand_in(title: str) -> None:
        scan = f"scan=@{ha_machine.folder / 'one.txt'}"
        sent = ha_machine.cim("send", "documents.Receive", f"document={title}", f"title={title}", scan)
        assert sent.code == 0, sent.err
        wait_until(lambda: row_of(screen, title), f"the row of {title}")

    hand_in("before")
    node = int((ha_machine.state / "node-1" / "nats.pid").read_text())
    stop_for_now(node)
    try:
        wait_until(lambda: screen.state != "live", "the page notices")
        screen.becomes_live()
        hand_in("meanwhile")
    finally:
        os.kill(node, signal.SIGCONT)
    assert screen.never_loaded_anew()
    screen.complaints()  # the browser tells of the connection that it lost

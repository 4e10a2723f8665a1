"""A scripted leaf: a plain nats-server, a responder, and a web server, all of the test's own."""

import asyncio
import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from cim.domain.blob import Blob
from cim.domain.component import Component
from cim.domain.query import Each, Maybe, One
from cim.domain.state import State
from cim.views.elements import Element, blob_url, each, entity_url, excerpt, h, percent, when
from cim.views.page import ASSETS, POLICY, Page, Upload, render
from cim.views.symbols import Row
from cim.views.template import View, compile_view

SESSION = "ab12cd34"
ANY_PORT = -1
PAGE_SIZE = 3
ROWS = """return Object.fromEntries([...document.querySelectorAll('.row')].map(
    row => [row.querySelector('a').hash.slice(1), row.innerText.replace(/\\s+/g, ' ').trim()]))"""


class Paper(State):
    """Something to read."""

    title: str = ""
    scan: Blob | None = None


class Text(Component):
    """What it says."""

    body: str
    confidence: float


def board(row: Row, paper: Each[Paper], text: Maybe[Text]) -> Element:
    return h.div(
        h.span(h.a(paper.title, href=entity_url(row), class_="cover"), class_="main", column="Title"),
        h.span(
            when(text, lambda it: (excerpt(it.body, 20), " ", h.b(percent(it.confidence)))), class_="wide"
        ),
        h.span(when(row.working, lambda all_: each(all_, lambda one: (" ", h.i(one)))), class_="short"),
        class_="columns",
    )


def detail(row: Row, paper: One[Paper], text: Maybe[Text]) -> Element:
    return h.article(
        h.h2(paper.title),
        when(paper.scan, lambda scan: h.img(src=blob_url(scan), alt="scan")),
        when(text, lambda it: h.p(it.body), h.em("not read yet")),
        h.ol(each(row.trail, lambda step: h.li(step.name, each(row.others, lambda it: h.u(it.name))))),
    )


class ScriptedLeaf:
    """Answers for the leaf what a test says; ``truth`` is what the page must come to show."""

    def __init__(self, folder: Path, views: dict[str, View], lease: float) -> None:
        self.folder, self.views, self.lease = folder, views, lease
        self.truth: dict[str, dict[str, Any]] = {}
        self.sequence = 0
        self.knows_session = True
        self.sessions_renewed = 0
        self.on_renewal: Callable[[], None] = lambda: None
        self.meanwhile: Callable[[dict[str, Any]], list[dict[str, Any]]] = lambda page: []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.handed_in: list[bytes] = []
        self.reply: tuple[int, dict[str, Any]] = (200, {})
        self.blobs: dict[str, tuple[bytes, str]] = {}
        self.port = self.websocket = ANY_PORT
        self.settings = ""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/"

    def start(self) -> None:
        self.start_nats()
        self.thread.start()
        self.run(self.connect())
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.http.daemon_threads = False
        self.http_thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.http_thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.http_thread.join()
        self.run(self.nats.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.kill_nats()

    def run(self, work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(20)

    def start_nats(self) -> None:
        """Start on free ports the first time, on the same ones after that."""
        configuration = self.folder / "nats.conf"
        lines = (
            f'host: "127.0.0.1"\nport: {self.port}\nports_file_dir: "{self.folder}"',
            f'websocket {{ host: "127.0.0.1", port: {self.websocket}, no_tls: true }}',
            self.settings,
        )
        configuration.write_text("\n".join(lines))
        program = Path(sys.executable).with_name("nats-server")
        with (self.folder / "nats.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", configuration], stdout=log, stderr=log)
        told = self.folder / f"nats-server_{self.process.pid}.ports"
        ports = wait_until(lambda: told.exists() and parsed(told.read_text()), "nats-server tells its ports")
        self.port, self.websocket = (int(ports[name][0].rpartition(":")[2]) for name in ("nats", "websocket"))

    def kill_nats(self) -> None:
        self.process.kill()
        self.process.wait()

    async def connect(self) -> None:
        async def quiet(error: Exception) -> None:
            """The server is killed on purpose."""

        self.nats = await nats.connect(
            f"nats://127.0.0.1:{self.port}",
            user="leaf",
            password="leaf",
            reconnect_time_wait=0.05,
            max_reconnect_attempts=-1,
            error_cb=quiet,
        )
        await self.nats.subscribe(f"qry.documents.*.{SESSION}", cb=self.answer)
        await self.nats.flush()

    async def answer(self, message: Msg) -> None:
        body = json.loads(message.data)
        name = message.subject.split(".")[2]
        self.requests.append((name, body))
        if "lease" in body:
            reply: dict[str, Any] = {"known": self.knows_session}
        else:
            self.knows_session = True
            reply = self.snapshot(body)
        answer = json.dumps(reply).encode()
        # What happens between the making of an answer and its sending arrives before it.
        if changes := self.meanwhile(reply):
            await self.nats.publish(f"live.{name}.{SESSION}", json.dumps({"changes": changes}).encode())
        await message.respond(answer)

    def snapshot(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = [body["id"]] if "id" in body else list(self.truth)
        start = ids.index(body["after"]) + 1 if body.get("after") else 0
        page = [one for one in ids[start : start + PAGE_SIZE] if one in self.truth]
        more = start + PAGE_SIZE < len(ids)
        rows = [{"id": one, **self.truth[one]} for one in page]
        return {"sequence": self.sequence, "rows": rows, "after": page[-1] if more else None}

    def tell(self, *changes: dict[str, Any], view: str = "board") -> None:
        subject = f"live.{view}.{SESSION}"

        async def publish() -> None:
            await self.nats.publish(subject, json.dumps({"changes": changes}).encode())
            await self.nats.flush()

        self.run(publish())

    def change(self, entity: str, **cells: Any) -> dict[str, Any]:
        """Change the truth; what the page would be told."""
        self.sequence += 1
        named = {key.replace("__", "~").replace("_", "."): value for key, value in cells.items()}
        row = self.truth.setdefault(entity, {"sequence": 0, "cells": {}})
        row["sequence"] = self.sequence
        row["cells"] |= named
        return {"id": entity, "sequence": self.sequence, "cells": named}

    def put(self, entity: str, view: str = "board", **cells: Any) -> None:
        """Change the truth and tell the page; ``state_title`` stands for the cell ``state.title``."""
        self.tell(self.change(entity, **cells), view=view)

    def drop(self, entity: str) -> None:
        """Remove an entity and tell the page."""
        self.sequence += 1
        del self.truth[entity]
        self.tell({"id": entity, "sequence": self.sequence, "gone": True})

    def keep(self, content: bytes, media: str) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = (content, media)
        return digest

    def page(self) -> str:
        upload = Upload("documents.Receive", "scan", "title")
        views = {f"documents.{name}": view for name, view in self.views.items()}
        return render(Page("documents", SESSION, (self.websocket,), views, upload, self.lease))


def handler(leaf: ScriptedLeaf) -> type[BaseHTTPRequestHandler]:
    """The web server of one scripted leaf."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self.send(200, leaf.page().encode(), "text/html; charset=utf-8")
            elif self.path in ASSETS:
                asset = ASSETS[self.path]
                self.send(200, asset.file.read_bytes(), asset.media)
            elif (digest := self.path.removeprefix("/blobs/")) in leaf.blobs:
                self.send(200, *leaf.blobs[digest])
            else:
                self.send(404, b"", "text/plain")

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/session":
                leaf.sessions_renewed += 1
                leaf.on_renewal()
                self.send(204, b"", "text/plain")
            else:
                leaf.handed_in.append(content)
                status, body = leaf.reply
                self.send(status, json.dumps(body).encode(), "application/json")

        def send(self, status: int, content: bytes, media: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def parsed(text: str) -> Any:
    """The JSON of a file that may be half written; None then."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def wait_until(holds: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """What ``holds`` gives once it is true; fails by name after the deadline."""
    deadline = time.monotonic() + seconds
    while not (result := holds()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        threading.Event().wait(0.02)
    return result


class Screen:
    """The page as a person with a browser sees it."""

    def __init__(self, browser: WebDriver, leaf: ScriptedLeaf) -> None:
        self.browser, self.leaf = browser, leaf

    def open(self, fragment: str = "") -> None:
        """Open the page anew and wait until it says that it is exact."""
        self.browser.get("about:blank")
        self.complaints()
        self.browser.get(self.leaf.url + fragment)
        wait_until(lambda: self.state == "live", "the page is live")

    @property
    def state(self) -> str | None:
        """What the page says of its connection."""
        return self.one("#connection").get_attribute("data-state")

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script: str) -> Any:
        return self.browser.execute_script(script)

    def complaints(self) -> list[dict[str, Any]]:
        """What the browser's console says since it was last asked."""
        return self.browser.get_log("browser")  # type: ignore[no-any-return, no-untyped-call]

    def rows(self) -> dict[str, str]:
        """The words of each row."""
        return self.run(ROWS)  # type: ignore[no-any-return]

    def exact(self) -> bool:
        """Whether the rows say what the leaf's truth says, worked out without the page's program."""
        return self.rows() == {id: words(row["cells"]) for id, row in self.leaf.truth.items()}


def words(cells: dict[str, Any]) -> str:
    """What a row of these cells must read."""
    said = [cells["state.title"]]
    if cells.get("Text"):
        said += [cells["Text.body~20"], f"{cells['Text.confidence']:.0%}".replace("%", " %")]
    return " ".join([*said, *cells["row.working"]])


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[..., Any]:
    """Poll for a condition with a deadline."""
    return wait_until


@pytest.fixture
def make_leaf(tmp_path: Path) -> Iterator[Callable[..., ScriptedLeaf]]:
    """Makes a started scripted leaf that serves compiled views; stopped when the test ends."""
    made: list[ScriptedLeaf] = []

    def make(views: dict[str, View], lease: float = 0.2, settings: str = "") -> ScriptedLeaf:
        leaf = ScriptedLeaf(tmp_path, views, lease)
        leaf.settings = settings
        leaf.start()
        made.append(leaf)
        return leaf

    yield make
    for leaf in made:
        leaf.stop()


@pytest.fixture
def leaf(make_leaf: Callable[..., ScriptedLeaf]) -> ScriptedLeaf:
    """A leaf with five papers, which takes two pages of a snapshot."""
    made = make_leaf({"board": compile_view(board), "detail": compile_view(detail)})
    for number in range(5):
        made.change(f"p{number}", state_title=f"Paper {number}", row_working=[], row_failed=[])
    return made


@pytest.fixture
def screen(browser: WebDriver, leaf: ScriptedLeaf) -> Screen:
    """The browser, which looks at the leaf's page."""
    return Screen(browser, leaf)

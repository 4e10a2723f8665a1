"""The door for the browser, spoken to as any program on this host can."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.types import Message

from cim.actors.actors import Actors
from cim.adapters.memory.blobs import MemoryBlobs
from cim.adapters.memory.log import MemoryLog
from cim.adapters.system import SystemClock, SystemEntropy
from cim.contract.composition import compose
from cim.domain.blob import Blob
from cim.doors.commands import CommandDoor
from cim.doors.intake import LARGEST
from cim.doors.page import PageDoor
from cim.leaf.accounts import Keys, machine_credentials, page_token
from cim.leaf.sessions import PageSessions
from cim.log.consumer import consume
from cim.ports.blobs import BlobStore
from cim.ports.log import LinkLost
from cim.views.page import ASSETS, POLICY, Page
from cim.world.world import World

from .conftest import notes, running

HOST = "127.0.0.1:8600"
ORIGIN = f"http://{HOST}"
KEYS = Keys.make(1_700_000_000)
SESSION = "0123456789abcdef0123456789abcdef"
PNG = b"\x89PNG\r\n\x1a\n and so on"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one == name), None)

    @property
    def data(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Browser:
    """Requests as ASGI, with the cookie of a session and the headers of our own page; each can be changed."""

    door: PageDoor
    log: MemoryLog
    trouble: list[str]

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str | None) -> Answer:
        token = self.door.sessions.token(SESSION)
        ours: dict[str, str | None] = {"host": HOST, "cookie": f"{self.door.sessions.cookie}={token}"}
        if method == "POST":
            ours |= {"origin": ORIGIN, "content-length": str(len(body))}
        given = ours | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._send(method, path, {n: v for n, v in given.items() if v is not None}, body)

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent: list[Message] = []
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.door.app()(scope, receive, send)
        start, *parts = sent
        found = [(name.decode().lower(), value.decode()) for name, value in start["headers"]]
        return Answer(start["status"], found, b"".join(part.get("body", b"") for part in parts))

    async def hand_in(self, content: bytes, title: str = "a scan.png", **headers: str | None) -> Answer:
        body, kind = multipart({"title": title}, content)
        return await self.ask("POST", "/commands/notes.Attach", body, content_type=kind, **headers)


def multipart(fields: Mapping[str, str], content: bytes) -> tuple[bytes, str]:
    """A form with a file, and its content type."""
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--edge\r\nContent-Disposition: form-data; name="scan"; filename="x"\r\n\r\n'
    return b"".join([*parts, head, content, b"\r\n--edge--\r\n"]), "multipart/form-data; boundary=edge"


class LostBlobs(MemoryBlobs):
    async def keep(self, content: bytes, media: str) -> Blob:
        raise LinkLost("the store is not reached")

    async def load(self, sha256: str) -> bytes:
        raise LinkLost("the store is not reached")


@pytest.fixture
def blobs() -> BlobStore:
    return MemoryBlobs()


@pytest.fixture
async def browser(blobs: BlobStore) -> AsyncIterator[Browser]:
    composition, clock, log, trouble = compose([notes]), SystemClock(), MemoryLog(), list[str]()
    world = World(composition)
    commands = CommandDoor(composition, Actors(composition, log, clock, "cim:notes"), world)
    door = PageDoor(
        page=Page("notes", "", (4222,), {}),
        sessions=PageSessions(KEYS, ["notes.board"], clock),
        origins=(ORIGIN, "http://localhost:8600"),
        composition=composition,
        commands=commands,
        blobs=blobs,
        entropy=SystemEntropy(),
        trouble=trouble.append,
    )
    async with running(asyncio.create_task(consume(log, clock, 0, world.take))):
        yield Browser(door, log, trouble)


# The page and its session


async def test_the_page_comes_with_its_policy_and_a_session(browser: Browser) -> None:
    answer = await browser.ask("GET", "/", cookie=None)
    assert answer.status == 200
    assert answer.header("content-security-policy") == POLICY
    assert answer.header("cache-control") == "no-store"
    cookie = answer.header("set-cookie")
    assert cookie is not None
    for attribute in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert attribute.lower() in cookie.lower()
    token = cookie.partition("=")[2].partition(";")[0]
    session = browser.door.sessions.session(token)
    assert session is not None
    assert f'"session":"{session}"' in answer.body.decode()


async def test_a_browser_that_comes_back_keeps_its_session(browser: Browser) -> None:
    answer = await browser.ask("GET", "/")
    assert f'"session":"{SESSION}"' in answer.body.decode()


async def test_renewing_gives_a_fresh_token_for_the_same_session(browser: Browser) -> None:
    answer = await browser.ask("POST", "/session")
    assert answer.status == 204
    cookie = answer.header("set-cookie") or ""
    assert browser.door.sessions.session(cookie.partition("=")[2].partition(";")[0]) == SESSION


@pytest.mark.parametrize("path", ASSETS)
async def test_assets_come_with_their_type_and_nothing_to_guess(browser: Browser, path: str) -> None:
    answer = await browser.ask("GET", path, cookie=None)
    assert answer.status == 200
    assert answer.header("content-type") == ASSETS[path].media
    assert answer.header("x-content-type-options") == "nosniff"


# Who is let in


REQUESTS = [("POST", "/session"), ("POST", "/commands/notes.Write"), ("GET", f"/blobs/{'ab' * 32}")]


def forged() -> str:
    """A token that says what ours says and has one letter of its signature changed."""
    token = PageSessions(KEYS, ["notes.board"], SystemClock()).token(SESSION)
    return token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]


def foreign() -> str:
    """A token that another leaf made."""
    return page_token(Keys.make(1_700_000_000), SESSION, 2_000_000_000, ["notes.board"], now=1_700_000_000)


@pytest.mark.parametrize(("method", "path"), REQUESTS)
@pytest.mark.parametrize(
    "token", [None, "", "x", forged(), foreign(), machine_credentials(KEYS).jwt, "a.b.c", "ö.ö.ö"]
)
async def test_without_a_cookie_that_we_signed_nothing_is_given(
    browser: Browser, method: str, path: str, token: str | None
) -> None:
    cookie = None if token is None else f"{browser.door.sessions.cookie}={token}"
    answer = await browser.ask(method, path, cookie=cookie)
    assert answer.status == 401
    assert "load the page first" in answer.data["error"]


async def test_a_page_with_a_forged_cookie_gets_a_session_of_its_own(browser: Browser) -> None:
    answer = await browser.ask("GET", "/", cookie=f"{browser.door.sessions.cookie}={forged()}")
    assert SESSION not in answer.body.decode()


@pytest.mark.parametrize("path", ["/session", "/commands/notes.Write"])
@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://127.0.0.1:8601", "https://127.0.0.1:8600", f"{ORIGIN}/"],
)
async def test_a_change_asked_by_another_origin_is_refused(
    browser: Browser, path: str, origin: str | None
) -> None:
    answer = await browser.ask("POST", path, origin=origin)
    assert answer.status == 403
    assert f"use {ORIGIN}" in answer.data["error"]
    assert answer.header("set-cookie") is None


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/cim.js"), *REQUESTS])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8600", "127.0.0.1.evil.example", ""])
async def test_a_request_by_another_name_of_this_host_is_refused(
    browser: Browser, method: str, path: str, host: str
) -> None:
    answer = await browser.ask(method, path, host=host)
    assert answer.status == 400
    assert answer.header("set-cookie") is None


async def test_no_answer_lets_another_origin_read_it(browser: Browser) -> None:
    for method, path in [("GET", "/"), ("GET", "/cim.js"), ("OPTIONS", "/session"), *REQUESTS]:
        for origin in (ORIGIN, "http://evil.example"):
            answer = await browser.ask(method, path, origin=origin)
            assert not [name for name, _ in answer.headers if name.startswith("access-control")]


# Handing in


async def test_a_file_is_handed_in_and_given_out_again(browser: Browser) -> None:
    answer = await browser.hand_in(PNG)
    digest = hashlib.sha256(PNG).hexdigest()
    assert answer.status == 200
    assert answer.data["entity"] == digest[:16]
    (stored,) = [one async for one in browser.log.read(">")]
    assert stored.origin.owner == f"page:{SESSION}"
    shown = await browser.ask("GET", f"/blobs/{digest}")
    assert (shown.status, shown.body) == (200, PNG)
    assert shown.header("content-type") == "image/png"
    assert shown.header("content-disposition") is None
    assert shown.header("x-content-type-options") == "nosniff"


async def test_a_file_handed_in_again_is_rejected_with_the_entity_that_has_it(browser: Browser) -> None:
    first = await browser.hand_in(PNG)
    again = await browser.hand_in(PNG, "another title")
    assert again.status == 409
    assert again.data["rejected"]["reason"] == "there is a file already"
    assert again.data["entity"] == first.data["entity"]


async def test_a_command_sent_again_under_its_id_gets_its_first_receipt(browser: Browser) -> None:
    first = await browser.hand_in(PNG, cim_id="id-1")
    assert (await browser.hand_in(PNG, cim_id="id-1")).data == first.data
    assert first.data["command"] == "id-1"


async def test_an_empty_file_is_refused(browser: Browser) -> None:
    answer = await browser.hand_in(b"")
    assert answer.status == 400
    assert "scan is empty" in answer.data["error"]


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(browser: Browser) -> None:
    answer = await browser.hand_in(PNG, content_length=str(LARGEST + 1_000_000))
    assert answer.status == 413
    assert "the machine takes 67,108,864 at most" in answer.data["error"]


@pytest.mark.parametrize("length", [None, "", "-1", "1e3", "²"])
async def test_a_request_that_does_not_tell_its_length_is_refused(
    browser: Browser, length: str | None
) -> None:
    answer = await browser.hand_in(PNG, content_length=length)
    assert answer.status == 411


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("notes.Erase", "no module here declares the command notes.Erase"),
        ("notes", "no module here declares the command notes."),
        ("notes.Write", "Write has no field 'scan'"),
    ],
)
async def test_a_command_that_is_not_there_or_does_not_fit_is_named(
    browser: Browser, name: str, error: str
) -> None:
    body, kind = multipart({"note": "a"}, PNG)
    answer = await browser.ask("POST", f"/commands/{name}", body, content_type=kind)
    assert answer.status == 400
    assert error in answer.data["error"]


async def test_a_form_that_is_broken_is_refused(browser: Browser) -> None:
    answer = await browser.ask("POST", "/commands/notes.Write", b"junk", content_type="multipart/form-data")
    assert answer.status == 400
    assert "boundary" in answer.data["error"]


async def test_an_exception_inside_decide_is_answered_and_told(browser: Browser) -> None:
    kind = "application/x-www-form-urlencoded"
    answer = await browser.ask("POST", "/commands/notes.Break", b"note=a", content_type=kind)
    assert answer.status == 500
    assert answer.data == {"error": "the machine failed on it: ZeroDivisionError: by zero"}
    assert browser.trouble == ["notes.Note a: Break: ZeroDivisionError: by zero"]
    assert await browser.log.last() == 0


async def test_a_store_that_is_not_reached_is_no_fault_of_the_browser(browser: Browser) -> None:
    lost = replace(browser, door=replace(browser.door, blobs=LostBlobs()))
    for answer in (await lost.hand_in(PNG), await lost.ask("GET", f"/blobs/{'ab' * 32}")):
        assert answer.status == 503
        assert answer.data == {"error": "the store is not reached"}


# Giving out


@pytest.mark.parametrize(
    "content",
    [
        b"<!doctype html><script>alert(1)</script>",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"%PDF-1.7 and so on",
        b"\x00\x01",
    ],
)
async def test_what_a_browser_could_run_is_a_download_of_plain_bytes(
    browser: Browser, content: bytes, blobs: BlobStore
) -> None:
    blob = await blobs.keep(content, "text/html")
    answer = await browser.ask("GET", f"/blobs/{blob.sha256}")
    assert answer.status == 200
    assert answer.body == content
    assert answer.header("content-type") == "application/octet-stream"
    assert answer.header("content-disposition") == "attachment"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("content-security-policy") == "default-src 'none'; sandbox"


@pytest.mark.parametrize("digest", ["ab" * 32, "x", "..", "%2e%2e"])
async def test_content_that_is_not_there_is_named(browser: Browser, digest: str) -> None:
    answer = await browser.ask("GET", f"/blobs/{digest}")
    assert answer.status == 404
    assert "not in the store" in answer.data["error"]

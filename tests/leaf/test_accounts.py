"""What the keys and tokens of a leaf allow, held against the real server."""

import asyncio
import base64
import json
import socket
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nkeys
import pytest
import websocket
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.leaf.accounts import (
    PAYLOAD,
    SUBSCRIPTIONS,
    Keys,
    KeysUnreadable,
    TokenRefused,
    machine_credentials,
    page_token,
    server_accounts,
)
from cim.leaf.server import Server

ORIGIN = "http://127.0.0.1:8080"
COOKIE = "cim_page"
SESSION = "session1"
OTHER = "session2"

Start = Callable[..., Awaitable[Server]]
Connect = Callable[[str], Awaitable[Client]]


def counted() -> Callable[[int], bytes]:
    """Chance that is none: a counter."""
    numbers = iter(range(1000))
    return lambda size: next(numbers).to_bytes(size, "big")


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


class Page:
    """A page's connection, speaking the NATS protocol by hand over WebSocket."""

    def __init__(self, port: int) -> None:
        self._plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._read = ""

    def open(self, cookie: str | None, origin: str | None) -> str:
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{self._plain.getpeername()[1]}",
            socket=self._plain,
            cookie=cookie,
            origin=origin,
            suppress_origin=origin is None,
        )
        return self.say('CONNECT {"verbose":false,"headers":true,"protocol":1}')

    def hear(self, end: str) -> str:
        """All that arrives until ``end`` is in it; ConnectionError if the server ends the connection.

        Without the server's INFO: that comes when the server likes, behind a CONNECT a second time, before
        or after the answer of what was said next.
        """
        while end not in self._read:
            frame = self._socket.recv()
            if not frame:
                raise ConnectionError(self._read)
            self._read += frame.decode() if isinstance(frame, bytes) else frame
        heard, self._read = self._read, ""
        return "".join(line for line in heard.splitlines(keepends=True) if not line.startswith("INFO "))

    def say(self, *lines: str) -> str:
        """Send protocol lines, and return what came until the server had worked on all of them."""
        self.send(*lines, "PING")
        return self.hear("PONG\r\n")

    def send(self, *lines: str) -> None:
        self._socket.send_binary("".join(f"{line}\r\n" for line in lines).encode())

    def publish(self, subject: str, text: str = "{}") -> str:
        return self.say(f"PUB {subject} {len(text)}", text)

    def close(self) -> None:
        self._plain.close()


@pytest.fixture
async def server(start: Start) -> Server:
    return await start()


@pytest.fixture
async def machine(server: Server, connect: Connect) -> Client:
    return await connect(server.url)


OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
def open_page(server: Server) -> Iterator[OpenPage]:
    pages: list[Page] = []

    def opened(token: str | None, origin: str | None) -> Page:
        page = Page(server.websocket_port)
        pages.append(page)
        page.open(token and f"{COOKIE}={token}", origin)
        return page

    async def open_page(token: str | None, origin: str | None = ORIGIN) -> Page:
        return await asyncio.to_thread(opened, token, origin)

    yield open_page
    for page in pages:
        page.close()


def token_of(keys: Keys, session: str = SESSION, *, seconds: int = 60, now: int | None = None) -> str:
    now = int(time.time()) if now is None else now
    return page_token(keys, session, now + seconds, ["documents.board"], now=now)


@pytest.fixture
async def page(keys: Keys, open_page: OpenPage) -> Page:
    return await open_page(token_of(keys))


async def refused(page: Page, subject: str) -> bool:
    answer = await asyncio.to_thread(page.publish, subject)
    return f'Permissions Violation for Publish to "{subject}"' in answer


async def deaf(page: Page, subject: str) -> bool:
    answer = await asyncio.to_thread(page.say, f"SUB {subject} 9")
    return f'Permissions Violation for Subscription to "{subject}"' in answer


# Keys and tokens by themselves


def test_keys_are_made_once_and_only_the_owner_reads_them(folder: Path) -> None:
    first = Keys.load_or_make(folder / "keys.json", now=1_000)
    again = Keys.load_or_make(folder / "keys.json", now=2_000)
    assert again == first
    assert again.made_at == 1_000
    assert stat.S_IMODE((folder / "keys.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["keys.json"]


def test_the_same_time_and_chance_give_the_same_tokens() -> None:
    first, second = (Keys.make(1_000, counted()) for _ in range(2))
    assert first == second
    assert server_accounts(first) == server_accounts(second)
    assert machine_credentials(first) == machine_credentials(second)
    tokens = [page_token(first, SESSION, 1_060, [], now=1_000, chance=counted()) for _ in range(2)]
    assert tokens[0] == tokens[1]


def test_a_key_is_not_shown_by_accident() -> None:
    keys = Keys.make(1_000)
    assert keys.machine not in repr(keys)
    assert keys.user not in repr(machine_credentials(keys))


@pytest.mark.parametrize("content", ["", "{", '{"made_at": 1}', '{"made_at": "today"}'])
def test_damaged_keys_are_never_replaced(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "keys.json").write_text(content)
    with pytest.raises(KeysUnreadable, match=r"keys\.json.*Put the file back"):
        Keys.load_or_make(folder / "keys.json", now=1_000)
    assert (folder / "keys.json").read_text() == content


def test_a_seed_that_is_none_is_told_without_being_shown(folder: Path, keys: Keys) -> None:
    path = folder / "keys.json"
    path.write_text(path.read_text().replace(keys.page, "SAsecretbutwrong"))
    with pytest.raises(KeysUnreadable) as error:
        Keys.load_or_make(path, now=1_000)
    assert "SAsecret" not in str(error.value)


def test_a_token_is_signed_by_the_account_of_the_pages(keys: Keys) -> None:
    head, body, signature = token_of(keys, now=1_000).split(".")
    signed = base64.urlsafe_b64decode(signature + "==")
    assert nkeys.from_seed(keys.page.encode()).verify(f"{head}.{body}".encode(), signed)


def test_a_page_may_do_what_its_token_says_and_no_more(keys: Keys) -> None:
    claims = claims_of(token_of(keys, now=1_000))
    assert (claims["iat"], claims["exp"]) == (1_000, 1_060)
    nats = claims["nats"]
    assert nats["pub"] == {"allow": [f"qry.documents.board.{SESSION}"]}
    assert nats["sub"] == {"allow": [f"live.*.{SESSION}", f"_INBOX_{SESSION}.>"]}
    assert (nats["subs"], nats["payload"]) == (SUBSCRIPTIONS, PAYLOAD)
    assert nats["bearer_token"] is True
    assert nats["allowed_connection_types"] == ["WEBSOCKET"]


@pytest.mark.parametrize(
    "session", ["", "short", "a" * 33, "Session1", "session.1", "sess*ion", "session>", "session1\n"]
)
def test_a_session_is_one_plain_word(keys: Keys, session: str) -> None:
    with pytest.raises(TokenRefused, match="session"):
        page_token(keys, session, 2_000, [], now=1_000)


@pytest.mark.parametrize(
    "query", ["", "board", "documents.>", "documents.*", "*.board", "a.b.c", "documents.board "]
)
def test_a_query_is_two_plain_names(keys: Keys, query: str) -> None:
    with pytest.raises(TokenRefused, match="query"):
        page_token(keys, SESSION, 2_000, ["documents.board", query], now=1_000)


@pytest.mark.parametrize("expires_at", [0, -1, 999, 1_000])
def test_a_token_ends_after_now(keys: Keys, expires_at: int) -> None:
    with pytest.raises(TokenRefused, match="not after now"):
        page_token(keys, SESSION, expires_at, [], now=1_000)


def test_a_token_fits_in_a_cookie(keys: Keys) -> None:
    assert page_token(keys, SESSION, 2_000, ["documents.board"] * 60, now=1_000)
    with pytest.raises(TokenRefused, match="100 queries do not fit in a cookie"):
        page_token(keys, SESSION, 2_000, ["documents.board"] * 100, now=1_000)


def test_the_accounts_share_queries_and_live_changes_only(keys: Keys) -> None:
    tokens = server_accounts(keys)["resolver_preload"].values()
    accounts = {claims["name"]: claims["nats"] for claims in map(claims_of, tokens)}
    assert set(accounts) == {"SYSTEM", "MACHINE", "PAGE"}
    shared = {"qry.>": "service", "live.>": "stream"}
    assert {each["subject"]: each["type"] for each in accounts["MACHINE"]["exports"]} == shared
    assert {each["subject"]: each["type"] for each in accounts["PAGE"]["imports"]} == shared
    assert "imports" not in accounts["MACHINE"]
    assert "exports" not in accounts["PAGE"]
    assert not {"mem_storage", "disk_storage"} & set(accounts["PAGE"]["limits"])
    assert accounts["MACHINE"]["limits"]["disk_storage"] == -1


# The machine's user


async def test_the_machine_has_jetstream(machine: Client) -> None:
    stream = machine.jetstream()
    await stream.add_stream(name="machine", subjects=["evt.>"])
    assert (await stream.publish("evt.documents.Document.1", b"{}")).seq == 1


# Who gets in


async def test_a_page_gets_in_by_its_cookie(page: Page) -> None:
    assert (await asyncio.to_thread(page.say)) == "PONG\r\n"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:8081", "https://127.0.0.1:8080", "null"]
)
async def test_a_foreign_origin_is_refused_with_a_valid_cookie(
    keys: Keys, open_page: OpenPage, origin: str
) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        await open_page(token_of(keys), origin)


async def test_no_cookie_no_entry(open_page: OpenPage) -> None:
    with pytest.raises(ConnectionError, match="Authorization Violation"):
        await open_page(None)


async def test_a_token_of_other_keys_is_refused(open_page: OpenPage) -> None:
    with pytest.raises(ConnectionError, match="Authorization Violation"):
        await open_page(token_of(Keys.make(1_000)))


async def test_an_expired_token_is_refused(keys: Keys, open_page: OpenPage) -> None:
    with pytest.raises(ConnectionError, match="Authorization Violation"):
        await open_page(token_of(keys, now=int(time.time()) - 120))


async def test_a_page_is_cut_off_when_its_token_ends(keys: Keys, open_page: OpenPage) -> None:
    page = await open_page(token_of(keys, seconds=2))
    with pytest.raises(ConnectionError, match="User Authentication Expired"):
        await asyncio.to_thread(page.hear, "never said")


async def test_the_token_is_worth_nothing_over_tcp(keys: Keys, server: Server) -> None:
    def answer() -> str:
        with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=10) as plain:
            lines = plain.makefile("r")
            assert lines.readline().startswith("INFO ")
            plain.sendall(f'CONNECT {{"jwt":"{token_of(keys)}","verbose":true}}\r\nPING\r\n'.encode())
            return lines.readline()

    assert "Authorization Violation" in await asyncio.to_thread(answer)


# What a page can do


async def test_a_page_asks_and_the_machine_answers(machine: Client, page: Page) -> None:
    async def answer(question: Msg) -> None:
        await question.respond(b"of " + question.subject.encode())

    await machine.subscribe("qry.documents.board.*", "board", cb=answer)
    await machine.flush()
    inbox, subject = f"_INBOX_{SESSION}.1", f"qry.documents.board.{SESSION}"
    await asyncio.to_thread(page.send, f"SUB {inbox} 1", f"PUB {subject} {inbox} 2", "{}")
    heard = await asyncio.to_thread(page.hear, f"of {subject}\r\n")
    assert heard.startswith(f"HMSG {inbox} 1 ")


async def test_a_page_hears_its_own_live_changes_only(machine: Client, page: Page) -> None:
    await asyncio.to_thread(page.say, f"SUB live.*.{SESSION} 1")
    await machine.publish(f"live.board.{OTHER}", b"not yours")
    await machine.publish(f"live.board.{SESSION}", b"yours")
    heard = await asyncio.to_thread(page.hear, "yours\r\n")
    assert heard == f"MSG live.board.{SESSION} 1 5\r\nyours\r\n"


@pytest.mark.parametrize(
    "subject",
    [
        "$JS.API.INFO",
        "$JS.API.STREAM.CREATE.mine",
        "$SYS.REQ.USER.INFO",
        "evt.documents.Document.1",
        "cmp.documents.Document.1.documents",
        f"cmd.documents.Document.1.Receive.{SESSION}",
        f"qry.documents.board.{OTHER}",
        f"qry.documents.secrets.{SESSION}",
        f"live.board.{SESSION}",
        f"_INBOX_{OTHER}.1",
    ],
)
async def test_a_page_cannot_say(machine: Client, page: Page, subject: str) -> None:
    heard: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(message.subject)

    await machine.subscribe(">", cb=hear)
    await machine.flush()
    assert await refused(page, subject)
    await machine.flush()
    assert subject not in heard


@pytest.mark.parametrize(
    "subject",
    [
        *(">", "*.>", "evt.>", "cmp.>", "cmd.>", "qry.>", "$SYS.>", "$JS.>"),
        *("live.>", "live.*.*", f"live.*.{OTHER}", f"live.board.{OTHER}", "_INBOX.>", f"_INBOX_{OTHER}.>"),
    ],
)
async def test_a_page_cannot_hear(page: Page, subject: str) -> None:
    assert await deaf(page, subject)


async def test_a_page_without_queries_may_ask_nothing(keys: Keys, open_page: OpenPage) -> None:
    now = int(time.time())
    page = await open_page(page_token(keys, SESSION, now + 60, [], now=now))
    for subject in (f"qry.documents.board.{SESSION}", "evt.documents.Document.1", "anything"):
        assert await refused(page, subject)


async def test_a_page_holds_so_many_subscriptions(page: Page) -> None:
    lines = [f"SUB live.q{number}.{SESSION} {number}" for number in range(SUBSCRIPTIONS)]
    assert "-ERR" not in await asyncio.to_thread(page.say, *lines)
    assert "maximum subscriptions exceeded" in await asyncio.to_thread(
        page.say, f"SUB live.more.{SESSION} 99"
    )


async def test_a_page_says_so_much_at_once(page: Page) -> None:
    subject = f"qry.documents.board.{SESSION}"
    assert "-ERR" not in await asyncio.to_thread(page.publish, subject, "x" * PAYLOAD)
    with pytest.raises((ConnectionError, websocket.WebSocketException)):
        await asyncio.to_thread(page.publish, subject, "x" * (PAYLOAD + 1))

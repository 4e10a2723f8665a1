"""A leaf's folder, its keys, and servers that are stopped whatever happens."""

import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from cim.leaf.accounts import Keys, machine_credentials
from cim.leaf.server import Server

ORIGIN = "http://127.0.0.1:8080"
COOKIE = "cim_page"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The ``.cim`` of a machine, not made yet, under a name that needs quoting."""
    return tmp_path / 'a "machine" of $HOME, für uns' / ".cim"


@pytest.fixture
def keys(folder: Path) -> Keys:
    return Keys.load_or_make(folder / "keys.json", now=int(time.time()))


@pytest.fixture
def events() -> list[str]:
    """What the servers of the test told about themselves."""
    return []


@pytest.fixture
async def start(
    folder: Path, keys: Keys, events: list[str]
) -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """``await start(...)``: a server on the leaf's folder; other arguments go to ``Server.start``."""
    servers: list[Server] = []

    async def started(**arguments: object) -> Server:
        defaults = {"keys": keys, "origins": [ORIGIN], "cookie": COOKIE, "on_event": events.append}
        server = await Server.start(folder, **(defaults | arguments))  # type: ignore[arg-type]
        servers.append(server)
        return server

    yield started
    for server in servers:
        await server.stop()


@pytest.fixture
async def connect(keys: Keys) -> AsyncIterator[Callable[[str], Awaitable[Client]]]:
    """``await connect(url)``: a client that is the machine's user."""
    clients: list[Client] = []

    async def connected(url: str) -> Client:
        user = machine_credentials(keys)
        client = await nats.connect(
            url,
            user_jwt_cb=user.present,
            signature_cb=user.sign,
            reconnect_time_wait=0.01,
            max_reconnect_attempts=-1,
            error_cb=ignore,
        )
        clients.append(client)
        return client

    yield connected
    for client in clients:
        await client.close()


@pytest.fixture
def run() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """``run(program, argument, ...)``: another process, which is killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*command: str | Path) -> "subprocess.Popen[bytes]":
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(child)
        return child

    yield run
    for each in started:
        each.kill()
        each.communicate()


async def ignore(error: Exception) -> None:
    """A connection that a test cuts is no news."""

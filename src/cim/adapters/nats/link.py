"""The general connection to a leaf's server: it says where the leaf is and as whom one comes, and publishes.

All that is asked goes over the lean ones beside it (:mod:`cim.adapters.nats.lean`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.ports.log import LinkLost


class Credentials(Protocol):
    """Who connects: a user's token, and its signature of the server's nonce (base64)."""

    def present(self) -> bytes:
        """The token."""
        ...

    def sign(self, nonce: str) -> bytes:
        """The signature."""
        ...


@asynccontextmanager
async def connect(
    url: str,
    credentials: Credentials,
    name: str,
    trouble: Callable[[str], None] = lambda reason: None,
    patience: float = 10.0,
) -> AsyncIterator[Client]:
    """A connection with a user's credentials that reconnects for ever, closed on the way out.

    ``url`` may be several, parted by commas: the nodes of a leaf, any of which will do. ``trouble`` is
    told of each loss and each return of the link. Raises :class:`LinkLost` where there was no connection
    to begin with after ``patience`` seconds.
    """
    client = _Steadfast()
    watch = _Watch(name, trouble)
    place = _PLACES[client] = Place(url, credentials, name, trouble)
    try:
        try:
            await _within(patience, _open(client, url, credentials, watch))
        except (TimeoutError, errors.Error, OSError) as error:
            raise LinkLost(f"no connection to the leaf at {url}: {type(error).__name__} {error}") from error
        yield client
    finally:
        watch.closing = True
        del _PLACES[client]
        for close in place.closing:
            close()
        await _close(client)


async def _open(client: Client, url: str, credentials: Credentials, watch: "_Watch") -> None:
    urls = url.split(",")
    await client.connect(
        urls,
        name=watch.name,
        user_jwt_cb=credentials.present,
        signature_cb=credentials.sign,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.05,  # type: ignore[arg-type]  # it takes fractions of a second
        # Where there is another node to go to, one that stands still is left soon.
        ping_interval=10 if len(urls) == 1 else 1,
        max_outstanding_pings=2,
        connect_timeout=2,
        error_cb=watch.error,
        disconnected_cb=watch.lost,
        reconnected_cb=watch.returned,
    )


async def _close(client: Client) -> None:
    """A server that is gone cannot be drained; closing is enough, all writes were acknowledged.

    In a task of its own: where the client is about to reconnect it cancels what it waits for itself, and that
    would look as if whoever closes had been cancelled.
    """
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait([closing])
    if not closing.cancelled():
        with suppress(errors.Error, asyncio.TimeoutError, OSError):
            closing.result()


async def _within(patience: float, work: Coroutine[Any, Any, None]) -> None:
    """Await it for so long; raises :class:`TimeoutError`.

    The client may swallow a cancellation and go on, for ever where the server refuses it each time: so it is
    told again. (It waits by ``asyncio.wait_for``, which on Python 3.11 returns what came and forgets that its
    task was cancelled, when both happen at once.)
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=patience)
        if not task.done():
            raise TimeoutError(f"after {patience:g} s")
        task.result()
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_AGAIN)


class _Steadfast(Client):
    """The client, but that no subject ends its reading, and that it leaves no connection open behind it.

    The server takes any bytes for a subject: where the client cannot decode them it stops hearing anything,
    for good. And a node that stands still takes a connection and says nothing: the client then turns to the
    next one and forgets this one.
    """

    async def _connect_to_server(self, s: Any) -> None:
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]
        await super()._connect_to_server(s)

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        text = subject.decode(errors="replace").encode()
        message: Msg = super()._build_message(sid, text, reply, data, headers)
        return message


class _Watch:
    """What the client calls when something happens to its connection."""

    def __init__(self, name: str, trouble: Callable[[str], None]) -> None:
        self.name = name
        self.closing = False
        self._trouble = trouble

    async def lost(self) -> None:
        if not self.closing:
            self._trouble(f"{self.name}: the link to the leaf was lost")

    async def returned(self) -> None:
        self._trouble(f"{self.name}: the link to the leaf is back")

    async def error(self, error: Exception) -> None:
        # The client reports each failed try to reconnect here; a loss is already told.
        quiet = isinstance(error, (ConnectionError, OSError, errors.Error))
        if not quiet or isinstance(error, errors.SlowConsumerError) or "permissions" in str(error):
            self._trouble(f"{self.name}: {type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection leads (one address, or several parted by commas) and as whom; ``trouble`` is told
    what goes wrong, ``closing`` is called when the connection is closed."""

    url: str
    credentials: Credentials
    name: str
    trouble: Callable[[str], None]
    closing: list[Callable[[], None]] = field(default_factory=list)


_PLACES: "WeakKeyDictionary[Client, Place]" = WeakKeyDictionary()


def place_of(client: Client) -> Place:
    """The place of an open connection of :func:`connect`; raises :class:`LinkLost` for a closed one."""
    try:
        return _PLACES[client]
    except KeyError:
        raise LinkLost("the connection to the leaf is closed") from None


def is_open(client: Client) -> bool:
    """Whether a connection of :func:`connect` is not closed yet, lost or not."""
    return client in _PLACES


def ways_of(client: Client) -> list[str]:
    """The addresses of a connection's leaf, the one where it is now first; raises :class:`LinkLost`."""
    now = client.connected_url
    urls = place_of(client).url.split(",")
    return sorted(urls, key=lambda url: now is None or urlsplit(url).port != now.port)


def replicas_of(client: Client) -> int:
    """How many copies a stream of this leaf has: three where its server says that it is in a cluster."""
    return 3 if client._server_info.get("cluster") else 1


_AGAIN = 0.05


def refusal(answer: dict[str, Any]) -> tuple[int, str] | None:
    """The error of a JetStream answer as code and text; None for a good one."""
    error = answer.get("error")
    if error is None:
        return None
    return int(error.get("err_code", 0)), str(error.get("description", "unknown error"))

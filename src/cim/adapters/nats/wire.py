"""A lean connection for the two paths that every event takes: appending and reading in bulk.

The general client makes a task, a timer and a subscription an answer, and writes each message by itself.
Here all that was asked in one turn of the loop leaves in one write, all answers come over one subscription,
and one timer looks after all that wait. It knows the part of the protocol that those paths need, on the
loopback of a leaf (no TLS), and does not reconnect: whoever uses it opens another. Its protocol is the one
described at https://docs.nats.io/reference/reference-protocols/nats-protocol.
"""

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import msgspec

from cim.adapters.nats.link import Credentials
from cim.ports.log import LinkLost, LogRefused


class NobodyThere(LinkLost):
    """Nobody hears what was asked."""


Answer = tuple[bytes, bytes]
"""Header block (empty without one) and body."""


class Listener(Protocol):
    """Who hears what comes to an inbox."""

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        """Called with subject, reply subject, header block and body of each message, but those that
        :meth:`take_run` took."""
        ...

    def take_run(self, data: bytes, place: int) -> int:
        """Called behind each message with what else came: take all messages that stand at ``place`` one
        after the other and are known at sight, and say where they end."""
        ...

    def lose(self) -> None:
        """Called when the connection ends: nothing more comes."""
        ...


_ANSWERS = 1
_ANSWERED = re.compile(rb"MSG _INBOX\.[0-9a-f]++\.([0-9]++) 1 ([0-9]++)\r\n")
PATIENCE = 2.0
"""Seconds after which an answer is given up, and a connection on which nothing came."""

_LOOK = 0.25
_IDLE = 1.0
_UNANSWERED = PATIENCE - 2 * _LOOK


class Wire(asyncio.Protocol):
    """One connection; :meth:`open` makes it. ``closed`` turns true once and for ever."""

    def __init__(
        self, credentials: Credentials, name: str, trouble: Callable[[str], None] = lambda reason: None
    ) -> None:
        self._credentials, self._name, self._trouble = credentials, name, trouble
        self._loop = asyncio.get_running_loop()
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._inbox = f"_INBOX.{secrets.token_hex(11)}"
        self._asked: dict[int, tuple[asyncio.Future[Answer], float]] = {}
        self._listeners: dict[int, Listener] = {}
        self._count = _ANSWERS
        self._out: list[bytes] = []
        self._rest = b""
        self._said = ""
        self._watch: asyncio.TimerHandle | None = None
        self._heard = self._pinged = self._loop.time()
        self._serves = False
        self._pings: deque[asyncio.Future[None]] = deque()
        self.closed = False
        self.max_payload = 0

    @classmethod
    async def open(
        cls,
        url: str,
        credentials: Credentials,
        name: str,
        trouble: Callable[[str], None] = lambda reason: None,
    ) -> Self:
        """Connect to the server at ``url`` (``nats://host:port``); raises :class:`LinkLost`.

        ``trouble`` is told what the server refuses.
        """
        place = urlsplit(url)
        wire = cls(credentials, name, trouble)
        try:
            async with asyncio.timeout(PATIENCE):
                await wire._loop.create_connection(lambda: wire, place.hostname or "", place.port or 4222)
                await wire._greeted
        except (TimeoutError, OSError) as error:
            wire.close()
            raise LinkLost(f"no connection to the leaf at {url}: {type(error).__name__} {error}") from error
        except BaseException:
            wire.close()
            raise
        return wire

    def close(self) -> None:
        """End the connection; whoever waits for an answer gets :class:`LinkLost`."""
        if self._transport is not None:
            self._flush()
            self._transport.close()
        self._lose("the connection was closed")

    async def ask(self, subject: str, block: bytes, body: bytes, patience: float = PATIENCE) -> Answer:
        """The answer to a request with a header block (empty for none).

        Raises :class:`LinkLost` where none came in ``patience`` seconds, to a quarter of a second,
        :class:`NobodyThere` where nobody hears it, :class:`LogRefused` if it is too large.
        """
        if self.closed:
            raise LinkLost(f"{subject}: no answer from the leaf: the connection is closed")
        self._count = token = self._count + 1
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        self.publish(subject, f"{self._inbox}.{token}", block, body)
        self._asked[token] = waiting, self._loop.time() + patience
        if self._watch is None:
            self._watch = self._loop.call_later(_LOOK, self._look)
        try:
            return await waiting
        except LinkLost as lost:
            raise type(lost)(f"{subject}: no answer from the leaf: {lost}") from lost
        finally:
            self._asked.pop(token, None)

    async def ask_api(self, call: str, body: Any, patience: float = PATIENCE) -> dict[str, Any]:
        """One call of the JetStream API; its answer as it stands, errors included. Raises as :meth:`ask`."""
        _, answer = await self.ask(f"$JS.API.{call}", b"", msgspec.json.encode(body), patience)
        return msgspec.json.decode(answer, type=dict[str, Any])

    def publish(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        """Send a message at the end of this turn of the loop, together with all others.

        Raises :class:`LogRefused` if it is too large: the server would cut the connection.
        """
        size = len(block) + len(body)
        if size > self.max_payload:
            raise LogRefused(
                f"{subject}: {size:,} bytes are more than the leaf takes in one message "
                f"({self.max_payload:,}): put large content into a Blob"
            )
        if block:
            self._send(f"HPUB {subject} {reply} {len(block)} {size}\r\n".encode(), block, body, b"\r\n")
        else:
            self._send(f"PUB {subject} {reply} {size}\r\n".encode(), body, b"\r\n")

    def listen(self, listener: Listener) -> tuple[int, str]:
        """Tell ``listener`` what comes to a new inbox; returns a number for :meth:`hush`, and the inbox."""
        inbox = f"_INBOX.{secrets.token_hex(11)}"
        return self._subscribe(listener, inbox), inbox

    async def serve(self, listener: Listener, subject: str, queue: str) -> int:
        """Tell ``listener`` what comes to a subject, as one of all who serve it by this queue; the server has
        heard of it when this ends. Returns a number for :meth:`hush`. Raises :class:`LinkLost`."""
        number = self._subscribe(listener, f"{subject} {queue}")
        if self.closed:
            raise LinkLost(f"{subject}: the connection is closed")
        self._serves = True
        if self._watch is None:
            self._watch = self._loop.call_later(_LOOK, self._look)
        try:
            await self._ping()
        except BaseException:  # nobody knows the number
            self.hush(number)
            raise
        return number

    def _ping(self) -> "asyncio.Future[None]":
        heard: asyncio.Future[None] = self._loop.create_future()
        self._pings.append(heard)
        self._send(b"PING\r\n")
        return heard

    def _subscribe(self, listener: Listener, what: str) -> int:
        self._count += 1
        self._listeners[self._count] = listener
        self._send(f"SUB {what} {self._count}\r\n".encode())
        return self._count

    def hush(self, number: int) -> None:
        """Listen no more."""
        self._listeners.pop(number, None)
        self._send(f"UNSUB {number}\r\n".encode())

    def _send(self, *parts: bytes) -> None:
        if self.closed:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += parts

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and not self.closed:
            self._transport.write(b"".join(out))

    def _look(self) -> None:
        """Give up what is overdue; drop a connection on which not even a ping is answered: a server that
        stands still may be gone."""
        self._watch = None
        if self.closed or not (self._asked or self._serves):
            return None
        now = self._loop.time()
        if self._heard >= self._pinged:
            if now - self._heard > (_LOOK if self._asked else _IDLE):
                self._pinged = now
                self._ping()
        elif now - self._pinged > _UNANSWERED:  # of a ping: what came meanwhile is read before a timer is run
            return self._drop()
        for waiting, deadline in self._asked.values():
            if now > deadline and not waiting.done():
                waiting.set_exception(LinkLost("none came in time"))
        self._watch = self._loop.call_later(_LOOK, self._look)
        return None

    def doubt(self) -> None:
        """Told by whoever waited in vain: drop the connection, if nobody else heard anything meanwhile."""
        if not self.closed and self._loop.time() - self._heard > PATIENCE - _LOOK:
            self._drop()

    def _drop(self) -> None:
        self._lose(f"it was silent for {PATIENCE:g} s")
        if self._transport is not None:
            self._transport.abort()

    def _lose(self, reason: str) -> None:
        self.closed = True
        if self._watch is not None:
            self._watch.cancel()
        open_ends: list[asyncio.Future[Any]] = [self._greeted, *self._pings]
        open_ends += [one for one, _ in self._asked.values()]
        for waiting in open_ends:
            if not waiting.done():
                waiting.set_exception(LinkLost(reason))
                waiting.exception()
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener.lose()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(self._said or "the connection was lost")

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        data = self._rest + data if self._rest else data
        place = 0
        while (end := data.find(b"\r\n", place)) >= 0:
            line = data[place:end]
            if line[:4] == b"HMSG" or line[:4] == b"MSG ":
                last = end + 2 + int(line[line.rindex(b" ") + 1 :])
                if len(data) < last + 2:
                    break
                place = self._message(line.decode(errors="replace"), data[end + 2 : last])(data, last + 2)
            else:
                self._line(line)
                place = end + 2
        self._rest = data[place:]

    def _message(self, line: str, content: bytes) -> Callable[[bytes, int], int]:
        """Hand on a message; what takes more of its kind behind it."""
        # MSG <subject> <sid> [reply] <size>, and HMSG with the size of the header block before the last.
        words = line.split(" ")
        headed = words[0] == "HMSG"
        size = int(words[-2]) if headed else 0
        number = int(words[2])
        if number == _ANSWERS:
            self._answer(words[1].rpartition(".")[2], content[:size], content[size:])
            return self._answer_run
        listener = self._listeners.get(number)
        if listener is None:
            return _nothing_more
        reply = words[3] if len(words) == (6 if headed else 5) else ""
        listener.take(words[1], reply, content[:size], content[size:])
        return listener.take_run

    def _answer(self, token: str, block: bytes, body: bytes) -> None:
        waiting, _ = self._asked.get(int(token), (None, 0.0))
        if waiting is None or waiting.done():
            return
        if block[:12] == b"NATS/1.0 503":
            waiting.set_exception(NobodyThere("nobody is there to answer"))
        else:
            waiting.set_result((block, body))

    def _answer_run(self, data: bytes, place: int) -> int:
        """Take the answers without headers that stand at ``place``; where they end."""
        while (found := _ANSWERED.match(data, place)) is not None:
            start = found.end()
            end = start + int(found[2])
            if data[end : end + 2] != b"\r\n":
                break  # not all of it is here
            waiting, _ = self._asked.get(int(found[1]), (None, 0.0))
            if waiting is not None and not waiting.done():
                waiting.set_result((b"", data[start:end]))
            place = end + 2
        return place

    def _line(self, line: bytes) -> None:
        word = line[:4].upper()
        if word == b"PING":
            self._send(b"PONG\r\n")
        elif word == b"PONG" and not self._greeted.done():
            self._greeted.set_result(None)
        elif word == b"PONG" and self._pings:
            heard = self._pings.popleft()
            if not heard.done():
                heard.set_result(None)
        elif word == b"INFO":
            self._greet(msgspec.json.decode(line[5:], type=dict[str, Any]))
        elif word == b"-ERR":
            self._said = line[5:].decode(errors="replace").strip("'")
            if "permissions" in self._said.lower():  # all else ends the connection
                self._trouble(f"{self._name}: {self._said}")

    def _greet(self, told: dict[str, Any]) -> None:
        self.max_payload = int(told.get("max_payload", 1 << 20))
        if self._greeted.done() or "nonce" not in told:
            return
        connect = {
            "verbose": False,
            "pedantic": False,
            "headers": True,
            "no_responders": True,
            "protocol": 1,
            "lang": "python",
            "version": "cim",
            "name": self._name,
            "jwt": self._credentials.present().decode(),
            "sig": self._credentials.sign(str(told["nonce"])).decode(),
        }
        self._send(b"CONNECT " + msgspec.json.encode(connect) + b"\r\n")
        self._send(f"SUB {self._inbox}.* {_ANSWERS}\r\nPING\r\n".encode())


def _nothing_more(data: bytes, place: int) -> int:
    return place

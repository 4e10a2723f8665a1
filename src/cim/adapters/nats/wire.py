"""A lean connection for the two paths that every event takes: appending and reading in bulk.

The general client makes a task, a timer and a subscription an answer, and writes each message by itself.
Here all that was asked in one turn of the loop leaves in one write, all answers come over one subscription,
and one timer looks after all that wait. It knows the part of the protocol that those paths need, on the
loopback of a leaf (no TLS), and does not reconnect: whoever uses it opens another. Its protocol is the one
described at https://docs.nats.io/reference/reference-protocols/nats-protocol.
"""

import asyncio
import secrets
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import msgspec

from cim.adapters.nats.link import Credentials
from cim.ports.log import LinkLost, LogRefused

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
_PATIENCE = 2.0
_LOOK = 0.25


class Wire(asyncio.Protocol):
    """One connection; :meth:`open` makes it. ``closed`` turns true once and for ever."""

    def __init__(self, credentials: Credentials, name: str) -> None:
        self._credentials, self._name = credentials, name
        self._loop = asyncio.get_running_loop()
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._inbox = f"_INBOX.{secrets.token_hex(11)}"
        self._asked: dict[str, tuple[asyncio.Future[Answer], float]] = {}
        self._listeners: dict[int, Listener] = {}
        self._count = _ANSWERS
        self._out: list[bytes] = []
        self._rest = b""
        self._said = ""
        self._watch: asyncio.TimerHandle | None = None
        self.closed = False
        self.max_payload = 0

    @classmethod
    async def open(cls, url: str, credentials: Credentials, name: str, patience: float = 2.0) -> Self:
        """Connect to the server at ``url`` (``nats://host:port``); raises :class:`LinkLost`."""
        place = urlsplit(url)
        wire = cls(credentials, name)
        try:
            async with asyncio.timeout(patience):
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

    async def ask(self, subject: str, block: bytes, body: bytes) -> Answer:
        """The answer to a request with a header block (empty for none).

        Raises :class:`LinkLost` where none came in two seconds, :class:`LogRefused` if it is too large.
        """
        if self.closed:
            raise LinkLost(f"{subject}: no answer from the leaf: the connection is closed")
        size = len(block) + len(body)
        if size > self.max_payload:
            raise LogRefused(
                f"{subject}: {size:,} bytes are more than the leaf takes in one message "
                f"({self.max_payload:,}): put large content into a Blob"
            )
        self._count += 1
        token = str(self._count)
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        self._asked[token] = waiting, self._loop.time() + _PATIENCE
        self.publish(subject, f"{self._inbox}.{token}", block, body)
        if self._watch is None:
            self._watch = self._loop.call_later(_LOOK, self._look)
        try:
            return await waiting
        except LinkLost as lost:
            raise LinkLost(f"{subject}: no answer from the leaf: {lost}") from lost
        finally:
            self._asked.pop(token, None)

    async def ask_api(self, call: str, body: Any) -> dict[str, Any]:
        """One call of the JetStream API; its answer as it stands, errors included."""
        _, answer = await self.ask(f"$JS.API.{call}", b"", msgspec.json.encode(body))
        return msgspec.json.decode(answer, type=dict[str, Any])

    def publish(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        """Send a message at the end of this turn of the loop, together with all others."""
        if block:
            sizes = f"{len(block)} {len(block) + len(body)}"
            self._send(f"HPUB {subject} {reply} {sizes}\r\n".encode(), block, body, b"\r\n")
        else:
            self._send(f"PUB {subject} {reply} {len(body)}\r\n".encode(), body, b"\r\n")

    def listen(self, listener: Listener) -> tuple[int, str]:
        """Tell ``listener`` what comes to a new inbox; returns a number for :meth:`hush`, and the inbox."""
        self._count += 1
        number, inbox = self._count, f"_INBOX.{secrets.token_hex(11)}"
        self._listeners[number] = listener
        self._send(f"SUB {inbox} {number}\r\n".encode())
        return number, inbox

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
        """Drop a connection on which an answer is overdue: a server that stands still may be gone."""
        self._watch = None
        if not self._asked or self.closed:
            return
        _, deadline = next(iter(self._asked.values()))
        if self._loop.time() > deadline:
            self._lose(f"it was silent for {_PATIENCE:g} s")
            if self._transport is not None:
                self._transport.abort()
        else:
            self._watch = self._loop.call_later(_LOOK, self._look)

    def _lose(self, reason: str) -> None:
        self.closed = True
        if self._watch is not None:
            self._watch.cancel()
        open_ends: list[asyncio.Future[Any]] = [self._greeted, *(one for one, _ in self._asked.values())]
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
        data = self._rest + data if self._rest else data
        place = 0
        while (end := data.find(b"\r\n", place)) >= 0:
            line = data[place:end]
            if line[:4] == b"HMSG" or line[:4] == b"MSG ":
                last = end + 2 + int(line[line.rindex(b" ") + 1 :])
                if len(data) < last + 2:
                    break
                listener = self._message(line.decode(errors="replace"), data[end + 2 : last])
                place = last + 2 if listener is None else listener.take_run(data, last + 2)
            else:
                self._line(line)
                place = end + 2
        self._rest = data[place:]

    def _message(self, line: str, content: bytes) -> Listener | None:
        """Hand on a message; who else heard it than one that waits for an answer."""
        # MSG <subject> <sid> [reply] <size>, and HMSG with the size of the header block before the last.
        words = line.split(" ")
        headed = words[0] == "HMSG"
        size = int(words[-2]) if headed else 0
        number = int(words[2])
        if number == _ANSWERS:
            self._answer(words[1], content[:size], content[size:])
            return None
        listener = self._listeners.get(number)
        if listener is not None:
            reply = words[3] if len(words) == (6 if headed else 5) else ""
            listener.take(words[1], reply, content[:size], content[size:])
        return listener

    def _answer(self, subject: str, block: bytes, body: bytes) -> None:
        waiting, _ = self._asked.get(subject[len(self._inbox) + 1 :], (None, 0.0))
        if waiting is None or waiting.done():
            return
        if block[:12] == b"NATS/1.0 503":
            waiting.set_exception(LinkLost("nobody is there to answer"))
        else:
            waiting.set_result((block, body))

    def _line(self, line: bytes) -> None:
        word = line[:4].upper()
        if word == b"PING":
            self._send(b"PONG\r\n")
        elif word == b"PONG" and not self._greeted.done():
            self._greeted.set_result(None)
        elif word == b"INFO":
            self._greet(msgspec.json.decode(line[5:], type=dict[str, Any]))
        elif word == b"-ERR":
            self._said = line[5:].decode(errors="replace").strip("'")

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

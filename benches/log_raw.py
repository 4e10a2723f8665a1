"""The server's own limit: precomputed bytes on a blocking socket, answers counted and not read."""

import json
import socket
from collections.abc import Sequence
from typing import Self

from cim.leaf.accounts import Credentials
from cim.leaf.server import Server

_CHUNK = 1 << 18


class Raw:
    """A blocking connection that knows just enough of the protocol to count."""

    def __init__(self, server: Server, user: Credentials) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.ports.client))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(20)
        greeting = b""
        while not greeting.endswith(b"\r\n"):
            greeting += self._socket.recv(_CHUNK)
        nonce = json.loads(greeting.split(b" ", 1)[1])["nonce"]
        connect = {
            "verbose": False,
            "pedantic": False,
            "headers": True,
            "no_responders": True,
            "lang": "bench",
            "version": "1",
            "protocol": 1,
            "jwt": user.present().decode(),
            "sig": user.sign(nonce).decode(),
        }
        self._inboxes = 0
        self._mark = self._rest = b""
        self._socket.sendall(b"CONNECT " + json.dumps(connect).encode() + b"\r\nPING\r\n")
        self.count(b"PONG\r\n", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def inbox(self) -> str:
        """A new inbox, listened to."""
        self._inboxes += 1
        name = f"_INBOX.raw{self._inboxes}"
        self._socket.sendall(f"SUB {name} {self._inboxes}\r\n".encode())
        return name

    def count(self, mark: bytes, wanted: int) -> int:
        """Read until ``mark`` came at least ``wanted`` times; how often it came."""
        found = 0
        # What was read last may end in the middle of a mark that is counted the next time.
        rest = self._rest if self._mark == mark else b""
        while found < wanted:
            read = self._socket.recv(_CHUNK)
            if not read:
                raise ConnectionError(f"the server hung up: {rest!r}")
            text = rest + read
            found += text.count(mark)
            end = text.rfind(mark)
            past = 0 if end < 0 else end + len(mark)
            rest = text[max(len(text) - len(mark) + 1, past) :]
        self._mark, self._rest = mark, rest
        return found

    def send(self, frames: Sequence[bytes], window: int) -> None:
        """Publish the frames with ``window`` of them in flight; each is answered by a sequence."""
        sent = min(window, len(frames))
        self._socket.sendall(b"".join(frames[:sent]))
        answered = 0
        while answered < len(frames):
            answered += self.count(b'"seq":', 1)
            more = min(answered + window, len(frames))
            if more > sent:
                self._socket.sendall(b"".join(frames[sent:more]))
                sent = more

    def load(self, stream: str, subject: str, count: int) -> int:
        """A batched direct get of all of a subject's messages, undecoded; how many came."""
        inbox = self.inbox()
        body = json.dumps({"seq": 1, "next_by_subj": subject, "batch": count}).encode()
        self._socket.sendall(published(f"$JS.API.DIRECT.GET.{stream}", inbox, body))
        return self.count(b"Nats-Subject: ", count)

    def replay(self, stream: str, count: int) -> int:
        """``count`` messages of the stream from its start by one pull consumer; how many came."""
        inbox = self.inbox()
        config = {
            "deliver_policy": "all",
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": 10_000_000_000,
            "mem_storage": True,
        }
        made = json.dumps(
            {"stream_name": stream, "config": {**config, "name": f"raw{self._inboxes}"}}
        ).encode()
        name = f"raw{self._inboxes}"
        self._socket.sendall(published(f"$JS.API.CONSUMER.CREATE.{stream}.{name}", inbox, made))
        self.count(b'"num_pending"', 1)
        asked = json.dumps({"batch": count, "expires": 60_000_000_000}).encode()
        self._socket.sendall(published(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}", inbox, asked))
        return self.count(b" $JS.ACK.", count)


def published(subject: str, reply: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """The bytes that publish a message."""
    if headers is None:
        return f"PUB {subject} {reply} {len(body)}\r\n".encode() + body + b"\r\n"
    block = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    head = block.encode()
    return f"HPUB {subject} {reply} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n"

"""Messages of the stream as they come over a lean connection, made into commits.

Bytes that look as a machine's own messages do are taken in runs: one expression holds a whole message up to
its body, envelope included, and nothing is taken apart before it is asked for. All else goes message by
message, the way that names what is off.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, TypeVar

from cim.adapters.nats.wire import Wire
from cim.contract.block import parse_headers, plain_form
from cim.contract.envelope import Commit
from cim.contract.read import parse_block, read_plain
from cim.contract.stranger import stored
from cim.ports.log import LinkLost

_FOLLOWED = re.compile(
    # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>, behind two more
    # tokens (domain, account) where the server is part of a domain.
    rb"HMSG ([!-~]++) ([0-9]++) \$JS\.ACK\.[^. ]++\.[^. ]++\.[^. ]++\.(?:[^. ]++\.[^. ]++\.)??"
    rb"([0-9]++)\.([0-9]++)\.[0-9]++\.([0-9]++) ([0-9]++) ([0-9]++)\r\n"
    rb"(" + plain_form(rb"\1", rb"(?:Nats-[!-9;-~]++: [!-~]++\r\n)*+") + rb")"
)
"""A message that a consumer brings, up to its body, where its header block is plain."""

_FOUND = re.compile(
    rb"HMSG [!-~]++ ([0-9]++) ([0-9]++) ([0-9]++)\r\n("
    # The server writes its own lines behind those of the message; only the last ones are its own.
    + plain_form(
        rb"(?P<subject>[!-~]++)",
        rb"(?:Nats-(?:Expected|Batch)-[!-9;-~]++: [!-~]++\r\n)*+"
        rb"Nats-Stream: [!-~]++\r\nNats-Subject: (?P=subject)\r\n"
        rb"Nats-Sequence: ([0-9]++)\r\n(?:Nats-(?!Subject:)[!-9;-~]++: [!-~]++\r\n)*+",
    )
    + rb")"
)
"""A message that a direct get brings, up to its body, where its header block is plain."""

UNHEARD, UNHEARD_FOR = 50, 0.02
"""In a cluster it takes a moment until all nodes know of a new consumer: how often it is asked again where
nobody heard of it yet, and after how many seconds."""

_BROUGHT = (b"Message Size Exceeds MaxBytes", b"Batch Completed")
"""What the server says where a request has brought as many bytes as it may, or as many messages and could
bring more bytes: there may be more."""

_PLACE = re.compile(rb"\r\nNats-Subject: ([^\r]+)\r\nNats-Sequence: ([0-9]+)\r\n")


T = TypeVar("T")


class _Arrivals(ABC, Generic[T]):
    """What comes to an inbox of its own, in its order."""

    def __init__(self, wire: Wire) -> None:
        self._wake = asyncio.Event()
        self._came: list[T] = []
        self._trouble: str | None = None
        self._whole = False
        self._wire = wire
        self.number, self.inbox = wire.listen(self)

    @abstractmethod
    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        """See :class:`cim.adapters.nats.wire.Listener`."""

    @abstractmethod
    def take_run(self, data: bytes, place: int) -> int:
        """See :class:`cim.adapters.nats.wire.Listener`."""

    def lose(self) -> None:
        """See :class:`cim.adapters.nats.wire.Listener`."""
        self._fail("the connection was lost")

    def _fail(self, trouble: str) -> None:
        self._trouble = self._trouble or trouble
        self._wake.set()

    async def came(self, patience: float, silent: str) -> list[T]:
        """What is here now, something waited for; nothing where something else came.

        Raises :class:`LinkLost` where nothing more comes, or nothing came for ``patience`` seconds.
        """
        if not self._came and self._trouble is None and not self._whole:
            self._wake.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._wake.wait()
            except TimeoutError as late:
                self._wire.doubt()
                raise LinkLost(silent) from late
        came, self._came = self._came, []
        if not came and self._trouble is not None:
            raise LinkLost(self._trouble)
        return came


class Batch(_Arrivals[T]):
    """What one batched direct get brings: ``last`` is the sequence of the last message that came, ``more``
    says whether there is a next batch."""

    more = False
    last = 0

    @property
    def over(self) -> bool:
        """Whether the server said that this was all, and all of it was taken."""
        return self._whole and not self._came

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        self._wake.set()
        # The server writes its own lines behind those of the message.
        told = _PLACE.match(block, max(block.rfind(b"\r\nNats-Subject: "), 0))
        if told is not None:
            self.last = int(told[2])
            self._came.append(self.made(told[1].decode(errors="replace"), block, body, self.last))
        elif block[9:12] in (b"204", b"404"):
            self._whole = True
            self.more = bool(self.last) and parse_headers(block).get("Nats-Num-Pending", "0") != "0"
        else:
            self._fail(f"read failed: {block[9:60]!r}")

    def take_run(self, data: bytes, place: int) -> int:
        return place

    @abstractmethod
    def made(self, subject: str, block: bytes, body: bytes, sequence: int) -> T:
        """What a message is handed on as."""


class Part(NamedTuple):
    """A part of a content: where it stands, and its bytes."""

    sequence: int
    body: bytes


class Parts(Batch[Part]):
    """The parts of a content."""

    def made(self, subject: str, block: bytes, body: bytes, sequence: int) -> Part:
        return Part(sequence, body)


class Page(Batch[Commit]):
    """Commits, in runs where they look as a machine's own do."""

    def made(self, subject: str, block: bytes, body: bytes, sequence: int) -> Commit:
        return _commit(subject, block, body, sequence)

    def take_run(self, data: bytes, place: int) -> int:
        while (found := _FOUND.match(data, place)) is not None:
            listener, head, size, block, subject, type, sequence = found.groups()
            start = found.end()
            end = start + int(size) - len(block)
            if int(head) != len(block) or int(listener) != self.number or data[end : end + 2] != b"\r\n":
                break  # what is off, or not all here, is for the general way to tell
            body = data[start:end]
            self.last, place = int(sequence), end + 2
            self._came.append(read_plain(subject.decode(), type.decode(), block, body, self.last))
        return place


class Pull(_Arrivals[Commit]):
    """What a consumer brings. ``wanted`` is how many messages it was asked for and did not bring yet,
    ``at_end`` whether the newest one that came was the last of all, ``unheard`` how often it was asked
    where nobody had heard of it yet."""

    wanted = unheard = 0
    at_end = False
    _known = False
    _delivered = 0

    def take(self, subject: str, reply: str, block: bytes, body: bytes) -> None:
        self._wake.set()
        if subject == self.inbox:
            # A stored message comes under its own subject, whatever its headers say of a status.
            return self._status(block)
        words = reply.split(".")
        sequence, number, _, pending = words[5:9] if len(words) == 9 else words[7:11]
        if int(number) != self._delivered + 1:
            return self._fail(f"{int(number) - self._delivered - 1} messages were lost before {sequence}")
        if self._trouble is None:
            self._delivered += 1
            self.wanted -= 1
            self.at_end = pending == "0"
            self._came.append(_commit(subject, block, body, int(sequence)))
        return None

    def take_run(self, data: bytes, place: int) -> int:
        delivered, pending = self._delivered, b""
        while self._trouble is None and (found := _FOLLOWED.match(data, place)) is not None:
            subject, listener, sequence, number, left, head, size, block, type = found.groups()
            start = found.end()
            end = start + int(size) - len(block)
            if int(head) != len(block) or int(listener) != self.number or data[end : end + 2] != b"\r\n":
                break  # what is off, or not all here, is for the general way to tell
            if int(number) != delivered + 1:
                break
            body = data[start:end]
            self._came.append(read_plain(subject.decode(), type.decode(), block, body, int(sequence)))
            delivered, pending, place = delivered + 1, left, end + 2
        if pending:
            self.wanted -= delivered - self._delivered
            self._delivered, self.at_end = delivered, pending == b"0"
        return place

    def _status(self, block: bytes) -> None:
        match block[9:12]:
            case b"100":
                self._known = True
            case b"503" if not self._known and not self._delivered and self.unheard < UNHEARD:
                self.unheard += 1
                self.wanted = 0
            case b"404" | b"408":
                self._asked_in_vain(block)
            case b"409" if block[13:].startswith(_BROUGHT):
                self._asked_in_vain(block)
            case _:
                self._fail(f"the log's consumer ended: {block[9:80].decode(errors='replace')}")

    def _asked_in_vain(self, block: bytes) -> None:
        """Take note of what a request will not bring any more."""
        left = int(parse_headers(block).get("Nats-Pending-Messages", self.wanted))
        self.wanted = max(0, self.wanted - left)


def _commit(subject: str, block: bytes, body: bytes, sequence: int) -> Commit:
    """The commit that a message holds, or the stranger that it is."""
    return parse_block(subject, block, body, sequence) or stored(
        subject, parse_headers(block), body, sequence
    )

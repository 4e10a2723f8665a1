"""The one envelope: CloudEvents 1.0 in binary mode, with cause, owner and the hash chain.

A stored message is a :class:`Commit`. Its digest covers subject, named headers and body, and the
header ``ce-previous`` holds the digest of the commit before on the same subject: a changed or
missing commit breaks the chain. A stream's sequence is not covered: it is a local cursor and
changes when a history is copied; provenance is (subject, number, id).
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from cim.contract.block import parse_headers, plain_head, plain_lines, plain_text
from cim.domain.errors import CimError

FIRST_PREVIOUS = "0" * 64
"""What the first commit of a subject names as the one before."""

_ORIGIN = re.compile(
    "NATS/1\\.0\r\nce-id: V\r\nce-correlation: V\r\nce-causation: V\r\nce-owner: V\r\n\r\n\\Z".replace(
        "V", "([!-~]++)"
    )
)
"""A request's header block as the machine's own senders write it: a fifth of the general way's time."""

_FIXED = {"ce-specversion": "1.0", "content-type": "application/json"}


class BadEnvelope(CimError):
    """A message whose headers are not those of the one envelope."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who a message is and where it came from: id, correlation, causation and accountable owner.

    Only :meth:`root` and :meth:`child` make one, so that nothing is emitted without a cause.
    """

    id: str
    correlation: str
    causation: str
    owner: str

    @classmethod
    def root(cls, id: str, owner: str) -> Self:
        """A message that nothing caused is its own correlation and causation."""
        return cls(id, id, id, owner)

    def child(self, id: str) -> "Origin":
        """A message caused by this one: same correlation and owner, this one's id as causation."""
        return Origin(id, self.correlation, self.id, self.owner)

    def headers(self) -> dict[str, str]:
        """The origin as headers of a request."""
        return {
            "ce-id": self.id,
            "ce-correlation": self.correlation,
            "ce-causation": self.causation,
            "ce-owner": self.owner,
        }

    @classmethod
    def read(cls, block: bytes) -> "Origin":
        """The origin that a request's header block carries; raises as :meth:`parse` does."""
        found = _ORIGIN.match(block.decode("latin-1"))
        return cls.parse(parse_headers(block)) if found is None else cls(*found.groups())

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> "Origin":
        """The origin that headers carry; raises :class:`BadEnvelope` naming the missing header."""
        try:
            return cls(
                headers["ce-id"], headers["ce-correlation"], headers["ce-causation"], headers["ce-owner"]
            )
        except KeyError as missing:
            raise _missing(missing) from missing


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a component write came about: which system, from which inputs, in how many milliseconds.

    ``inputs`` maps the name of each input (``state``, ``Text``, ``languages.Language``) to the number
    of the commit that it was taken from. An input that a person corrected has a second name
    (``Text/corrected``), with the number of the commit that corrected it. A run in the place of one that
    other code made names that as ``rederived``.
    """

    system: str
    version: str
    inputs: Mapping[str, int]
    took: float
    outcome: str  # "done" or "failed"


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Commit:
    """One message of the log: the 1..N items of one command or of one run of a system.

    ``number`` counts the commits of ``subject`` from 1; ``sequence`` is the stream's cursor (0 while
    unwritten). ``request`` is the name and the content's digest of the command that led to it
    (``Receive/5f…``), so that a command that is sent again is told from another one under the same id.
    ``partners`` are the other commits of the same write, where it spans several entities: their subjects,
    each with its number there.
    """

    subject: str
    number: int
    origin: Origin
    source: str
    type: str
    time: str
    schema: str
    body: bytes
    previous: str = FIRST_PREVIOUS
    request: str | None = None
    derivation: Derivation | None = None
    sequence: int = 0
    partners: Mapping[str, int] | None = None
    # Worked out once, when they are first asked for. The block is the plain one (see cim.contract.block) that
    # is hashed and written; as it was read it may have lines of the server behind; empty where there is none.
    _digest: str | None = field(default=None, init=False, repr=False, compare=False)
    _block: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def __init__(
        self,
        subject: str,
        number: int,
        origin: Origin,
        source: str,
        type: str,
        time: str,
        schema: str,
        body: bytes,
        previous: str = FIRST_PREVIOUS,
        request: str | None = None,
        derivation: Derivation | None = None,
        sequence: int = 0,
        partners: Mapping[str, int] | None = None,
    ) -> None:
        # As dataclass would write it, but by the slots' own setters, which take half the time.
        _set_subject(self, subject)
        _set_number(self, number)
        _set_origin(self, origin)
        _set_source(self, source)
        _set_type(self, type)
        _set_time(self, time)
        _set_schema(self, schema)
        _set_body(self, body)
        _set_previous(self, previous)
        _set_request(self, request)
        _set_derivation(self, derivation)
        _set_sequence(self, sequence)
        _set_partners(self, partners)
        _set_digest(self, None)
        _set_block(self, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Commit) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash((self.subject, self.sequence, self.body))

    def _said(self) -> tuple[Any, ...]:
        return tuple([getattr(self, one.name) for one in fields(self) if one.compare])

    @property
    def id(self) -> str:
        """The id of the command or run that this commit records."""
        return self.origin.id

    def headers(self) -> dict[str, str]:
        """The commit as headers of a stored message; raises :class:`BadEnvelope` for a value that a
        header cannot hold."""
        origin = self.origin
        found = {
            **_FIXED,
            "ce-source": self.source,
            "ce-type": self.type,
            "ce-time": self.time,
            "ce-subject": self.subject,
            "ce-dataschema": self.schema,
            "ce-number": str(self.number),
            "ce-previous": self.previous,
            **origin.headers(),
        }
        if self.request is not None:
            found["ce-request"] = self.request
        if self.derivation is not None:
            found |= _derivation_headers(self.derivation)
        if self.partners is not None:
            found["ce-with"] = _numbered(self.partners)
        for name, value in found.items():
            _check_value(name, value)
        return dict(sorted(found.items()))

    def _plain(self) -> bytes:
        """The plain header block; empty where anything in it is unusual."""
        if self._block is None:
            _set_block(self, self._plain_block())
        return self._block or b""

    def _plain_block(self) -> bytes:
        if self.derivation is not None or self.partners is not None:
            return b""
        origin = self.origin
        request = "" if self.request is None else f"ce-request: {self.request}\r\n"
        # One text for what nearly every commit has: a sixth of the time that names and values take.
        text = (
            f"NATS/1.0\r\nce-causation: {origin.causation}\r\nce-correlation: {origin.correlation}\r\n"
            f"ce-dataschema: {self.schema}\r\nce-id: {origin.id}\r\nce-number: {self.number}\r\n"
            f"ce-owner: {origin.owner}\r\nce-previous: {self.previous}\r\n{request}"
            f"ce-source: {self.source}\r\nce-specversion: 1.0\r\nce-subject: {self.subject}\r\n"
            f"ce-time: {self.time}\r\nce-type: {self.type}\r\ncontent-type: application/json\r\n"
        )
        return plain_text(text, 13 if self.request is None else 14)

    @property
    def lines(self) -> bytes:
        """The headers as lines ``name:value`` in the order of their names; raises as :meth:`headers` does."""
        block = self._plain()
        if block:
            return plain_lines(block)
        return "\n".join([f"{name}:{value}" for name, value in self.headers().items()]).encode()

    @property
    def digest(self) -> str:
        """The SHA-256 in hex over subject, headers in the order of their names, and body."""
        if self._digest is None:
            hashed = b"%b\n%b\n\n%b" % (self.subject.encode(), self.lines, self.body)
            _set_digest(self, hashlib.sha256(hashed).hexdigest())
        return self._digest or ""

    def linked(self, number: int, previous: str) -> "Commit":
        """The same commit as the one of this number, behind the one of this digest."""
        if number == self.number and previous == self.previous:
            return self
        return self._with(number, previous, self.sequence)

    def at(self, sequence: int) -> "Commit":
        """The same commit as it stands in a stream."""
        made = self._with(self.number, self.previous, sequence)
        _set_digest(made, self._digest)
        _set_block(made, self._block)
        return made

    def _with(self, number: int, previous: str, sequence: int) -> "Commit":
        """By place, since ``dataclasses.replace`` takes four times as long on the way of every command."""
        return Commit(
            self.subject,
            number,
            self.origin,
            self.source,
            self.type,
            self.time,
            self.schema,
            self.body,
            previous,
            self.request,
            self.derivation,
            sequence,
            self.partners,
        )

    @classmethod
    def parse(cls, subject: str, headers: Mapping[str, str], body: bytes, sequence: int) -> "Commit":
        """The commit that a stored message holds; raises :class:`BadEnvelope` naming what is wrong."""
        try:
            if headers["ce-subject"] != subject or headers["content-type"] != _FIXED["content-type"]:
                raise _strange(subject, headers, sequence)
            if headers["ce-specversion"] != _FIXED["ce-specversion"]:
                raise _strange(subject, headers, sequence)
            number = headers["ce-number"]
            if not (number.isascii() and number.isdecimal()) or (number[0] == "0" and number != "0"):
                raise BadEnvelope(f"sequence {sequence}: header ce-number is {number!r}, not a whole number")
            return cls(
                subject,
                int(number),
                Origin.parse(headers),
                headers["ce-source"],
                headers["ce-type"],
                headers["ce-time"],
                headers["ce-dataschema"],
                body,
                headers["ce-previous"],
                headers.get("ce-request"),
                _parse_derivation(headers) if "ce-system" in headers else None,
                sequence,
                _parse_partners(headers["ce-with"]) if "ce-with" in headers else None,
            )
        except KeyError as missing:
            raise _missing(missing) from missing


def _missing(name: KeyError) -> BadEnvelope:
    return BadEnvelope(f"header {name.args[0]} is missing: the message was not made by a machine's envelope")


def _strange(subject: str, headers: Mapping[str, str], sequence: int) -> BadEnvelope:
    """What to raise for a message whose fixed headers say something else; names the first of them."""
    wanted = {**_FIXED, "ce-subject": subject}
    name = next(name for name, value in wanted.items() if _named(headers, name) != value)
    return BadEnvelope(f"sequence {sequence}: header {name} is {headers[name]!r}, not {wanted[name]!r}")


SETTERS = {name: Commit.__dict__[name].__set__ for name in Commit.__slots__}
"""How a slot of a frozen commit is filled: half the price of ``object.__setattr__``."""

_set_subject, _set_type, _set_body = SETTERS["subject"], SETTERS["type"], SETTERS["body"]
_set_sequence, _set_block = SETTERS["sequence"], SETTERS["_block"]
_set_number, _set_origin, _set_source = SETTERS["number"], SETTERS["origin"], SETTERS["source"]
_set_time, _set_schema, _set_previous = SETTERS["time"], SETTERS["schema"], SETTERS["previous"]
_set_request, _set_derivation, _set_digest = SETTERS["request"], SETTERS["derivation"], SETTERS["_digest"]
_set_partners = SETTERS["partners"]


def block_of(commit: Commit, expected: int) -> bytes:
    """The header block that stores a commit if its subject's last message has the sequence ``expected``.

    Raises :class:`BadEnvelope` as :meth:`Commit.headers` does.
    """
    block = commit._plain()
    head = plain_head(block) if block else header_block(commit.headers())[:-2]
    return b"%bNats-Expected-Last-Subject-Sequence: %d\r\n\r\n" % (head, expected)


def header_block(headers: Mapping[str, str]) -> bytes:
    """The header block of a message; raises :class:`BadEnvelope` for a value that a header cannot hold."""
    for name, value in headers.items():
        _check_value(name, value)
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"NATS/1.0\r\n{lines}\r\n".encode()


def _named(headers: Mapping[str, str], name: str) -> str:
    try:
        return headers[name]
    except KeyError as missing:
        raise _missing(missing) from missing


def _check_value(name: str, value: str) -> None:
    """A line break would end a header and begin another, and blanks at the ends do not come back."""
    if not value.isprintable() or value != value.strip():
        raise BadEnvelope(
            f"header {name} cannot hold {value!r}: no control characters, no blanks at its ends"
        )


def _derivation_headers(derivation: Derivation) -> dict[str, str]:
    return {
        "ce-system": derivation.system,
        "ce-version": derivation.version,
        "ce-inputs": _numbered(derivation.inputs),
        "ce-took": f"{derivation.took:.3f}",
        "ce-outcome": derivation.outcome,
    }


def _numbered(numbers: Mapping[str, int]) -> str:
    """Names with a number each, as one value of a header."""
    return ",".join(f"{name}#{number}" for name, number in sorted(numbers.items()))


def _numbers(text: str) -> dict[str, int]:
    """The names and numbers of a header; raises ValueError."""
    pairs = (item.rpartition("#") for item in text.split(",") if item)
    return {name: int(number) for name, _, number in pairs}


def _parse_partners(text: str) -> Mapping[str, int]:
    try:
        found = _numbers(text)
    except ValueError as error:
        raise BadEnvelope(f"header ce-with cannot be read: {error}") from error
    if not found or _numbered(found) != text:
        raise BadEnvelope(f"header ce-with is {text!r}, which no machine writes")
    return found


def _parse_derivation(headers: Mapping[str, str]) -> Derivation:
    system = _named(headers, "ce-system")
    try:
        inputs = _numbers(_named(headers, "ce-inputs"))
        took = float(_named(headers, "ce-took"))
        if not math.isfinite(took):
            raise ValueError(f"{took} milliseconds")
    except ValueError as error:
        raise BadEnvelope(
            f"headers ce-inputs or ce-took of system {system} cannot be read: {error}"
        ) from error
    found = Derivation(system, _named(headers, "ce-version"), inputs, took, _named(headers, "ce-outcome"))
    # A number has many spellings: one that no machine writes would be a change that no digest tells.
    for name, value in _derivation_headers(found).items():
        if headers[name] != value:
            raise BadEnvelope(f"header {name} is {headers[name]!r}, a machine would write {value!r}")
    return found

"""The one envelope: CloudEvents 1.0 in binary mode, with cause, owner and the hash chain.

A stored message is a :class:`Commit`. Its digest covers subject, named headers and body, and the
header ``ce-previous`` holds the digest of the commit before on the same subject: a changed or
missing commit breaks the chain. A stream's sequence is not covered: it is a local cursor and
changes when a history is copied; provenance is (subject, number, id).
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from cim.contract.block import plain_lines, plain_values
from cim.domain.errors import CimError

FIRST_PREVIOUS = "0" * 64
"""What the first commit of a subject names as the one before."""


_BLACK = bytes(range(0x21, 0x7F)) + b"\n"
"""What the lines of usual headers are made of: ASCII without blanks and controls."""

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
    (``Text/corrected``), with the number of the commit that corrected it.
    """

    system: str
    version: str
    inputs: Mapping[str, int]
    took: float
    outcome: str  # "done" or "failed"


@dataclass(frozen=True, slots=True)
class Commit:
    """One message of the log: the 1..N items of one command or of one run of a system.

    ``number`` counts the commits of ``subject`` from 1; ``sequence`` is the stream's cursor (0 while
    unwritten). ``request`` is the name and the content's digest of the command that led to it
    (``Receive/5f…``), so that a command that is sent again is told from another one under the same id.
    ``partners`` are the other commits of the same write, where it spans several entities: their subjects,
    each with its number there.

    What was read from a log knows its subject, type, body and sequence; the rest is taken out of the header
    block when the first of it is asked for. Most readers, projections among them, never do.
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
    # Worked out once, when they are first asked for: the same headers are hashed and written.
    _headers: dict[str, str] | None = field(default=None, init=False, repr=False, compare=False)
    _digest: str | None = field(default=None, init=False, repr=False, compare=False)
    _lines: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _block: bytes | None = field(default=None, init=False, repr=False, compare=False)

    if not TYPE_CHECKING:  # or a checker would take any name for one of a commit's

        def __getattr__(self, name: str) -> Any:
            """Called for a slot that is empty: fill all that :func:`read_plain` left so."""
            if name not in _LATER:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            _fill(self, self._block)
            return object.__getattribute__(self, name)

    @property
    def id(self) -> str:
        """The id of the command or run that this commit records."""
        return self.origin.id

    def headers(self) -> dict[str, str]:
        """The commit as headers of a stored message; raises :class:`BadEnvelope` for a value that a
        header cannot hold."""
        if self._headers is None:
            object.__setattr__(self, "_headers", self._named_headers())
        return dict(self._headers or {})

    def _named_headers(self) -> dict[str, str]:
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

    def _named_lines(self) -> bytes:
        """The headers as lines ``name:value`` in the order of their names."""
        if self.derivation is None and self.partners is None and self._headers is None:
            origin = self.origin
            request = "" if self.request is None else f"ce-request:{self.request}\n"
            # One text for what nearly every commit has; all that is unusual in it takes the way below.
            text = (
                f"ce-causation:{origin.causation}\nce-correlation:{origin.correlation}\n"
                f"ce-dataschema:{self.schema}\nce-id:{origin.id}\nce-number:{self.number}\n"
                f"ce-owner:{origin.owner}\nce-previous:{self.previous}\n{request}ce-source:{self.source}\n"
                f"ce-specversion:1.0\nce-subject:{self.subject}\nce-time:{self.time}\nce-type:{self.type}\n"
                "content-type:application/json"
            )
            ends = 12 if self.request is None else 13
            if text.isascii() and text.count("\n") == ends:
                lines = text.encode()
                if not lines.translate(None, _BLACK):
                    return lines
        return "\n".join([f"{name}:{value}" for name, value in self.headers().items()]).encode()

    @property
    def lines(self) -> bytes:
        """The headers as lines ``name:value`` in the order of their names; raises as :meth:`headers` does."""
        if self._lines is None:
            block = self._block
            object.__setattr__(self, "_lines", plain_lines(block) if block else self._named_lines())
        return self._lines or b""

    @property
    def digest(self) -> str:
        """The SHA-256 in hex over subject, headers in the order of their names, and body."""
        if self._digest is None:
            hashed = b"%b\n%b\n\n%b" % (self.subject.encode(), self.lines, self.body)
            object.__setattr__(self, "_digest", hashlib.sha256(hashed).hexdigest())
        return self._digest or ""

    def linked(self, number: int, previous: str) -> "Commit":
        """The same commit as the one of this number, behind the one of this digest."""
        if number == self.number and previous == self.previous:
            return self
        return self._with(number, previous, self.sequence)

    def at(self, sequence: int) -> "Commit":
        """The same commit as it stands in a stream."""
        made = self._with(self.number, self.previous, sequence)
        object.__setattr__(made, "_headers", self._headers)
        object.__setattr__(made, "_digest", self._digest)
        object.__setattr__(made, "_lines", self._lines)
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


_SET = {name: Commit.__dict__[name].__set__ for name in Commit.__slots__}
"""How a slot of a frozen commit is filled: half the price of ``object.__setattr__``."""

_LATER = frozenset(_SET) - {"subject", "type", "body", "sequence", "_block"}
_set_subject, _set_type, _set_body = _SET["subject"], _SET["type"], _SET["body"]
_set_sequence, _set_block = _SET["sequence"], _SET["_block"]
_set_number, _set_origin, _set_source = _SET["number"], _SET["origin"], _SET["source"]
_set_time, _set_schema, _set_previous = _SET["time"], _SET["schema"], _SET["previous"]
_set_request, _set_derivation, _set_partners = _SET["request"], _SET["derivation"], _SET["partners"]
_set_headers, _set_digest, _set_lines = _SET["_headers"], _SET["_digest"], _SET["_lines"]


def read_plain(subject: str, type: str, block: bytes, body: bytes, sequence: int) -> Commit:
    """The commit of a stored message whose header block is of the plain form (:mod:`cim.contract.block`)
    and names this subject and type."""
    commit = object.__new__(Commit)
    _set_subject(commit, subject)
    _set_type(commit, type)
    _set_body(commit, body)
    _set_sequence(commit, sequence)
    _set_block(commit, block)
    return commit


def _fill(commit: Commit, block: bytes) -> None:
    """Fill what :func:`read_plain` left empty."""
    values = plain_values(block) or ()
    cause, correlation, schema, id, number, owner, previous, request, source, _, time, _ = values
    _set_number(commit, int(number))
    _set_origin(commit, Origin(id, correlation, cause, owner))
    _set_source(commit, source)
    _set_time(commit, time)
    _set_schema(commit, schema)
    _set_previous(commit, previous)
    _set_request(commit, request)
    _set_derivation(commit, None)
    _set_partners(commit, None)
    _set_headers(commit, None)
    _set_digest(commit, None)
    _set_lines(commit, None)


def parse_block(subject: str, block: bytes, body: bytes, sequence: int) -> Commit | None:
    """The commit that a stored message holds, if its header block is of the plain form; None says nothing
    about the message: :meth:`Commit.parse` can tell."""
    values = plain_values(block)
    if values is None or values[9] != subject:
        return None
    return read_plain(subject, values[11], block, body, sequence)


def block_of(commit: Commit, expected: int) -> bytes:
    """The header block that stores a commit if its subject's last message has the sequence ``expected``.

    Raises :class:`BadEnvelope` as :meth:`Commit.headers` does.
    """
    lines = [line.replace(b":", b": ", 1) for line in commit.lines.split(b"\n")]
    expectation = b"Nats-Expected-Last-Subject-Sequence: %d" % expected
    return b"\r\n".join([b"NATS/1.0", *lines, expectation, b"\r\n"])


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

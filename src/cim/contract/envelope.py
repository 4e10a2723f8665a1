"""The one envelope: CloudEvents 1.0 in binary mode, with cause, owner and the hash chain.

A stored message is a :class:`Commit`. Its digest covers subject, named headers and body, and the
header ``ce-previous`` holds the digest of the commit before on the same subject: a changed or
missing commit breaks the chain. A stream's sequence is not covered: it is a local cursor and
changes when a history is copied; provenance is (subject, number, id).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from cim.domain.errors import CimError

FIRST_PREVIOUS = "0" * 64
"""What the first commit of a subject names as the one before."""


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
        values = [_named(headers, name) for name in ("ce-id", "ce-correlation", "ce-causation", "ce-owner")]
        return cls(*values)


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

    @property
    def id(self) -> str:
        """The id of the command or run that this commit records."""
        return self.origin.id

    def headers(self) -> dict[str, str]:
        """The commit as headers of a stored message; raises :class:`BadEnvelope` for a value that a
        header cannot hold."""
        found = {
            **_FIXED,
            "ce-source": self.source,
            "ce-type": self.type,
            "ce-time": self.time,
            "ce-subject": self.subject,
            "ce-dataschema": self.schema,
            "ce-number": str(self.number),
            "ce-previous": self.previous,
            **self.origin.headers(),
        }
        if self.request is not None:
            found["ce-request"] = self.request
        if self.derivation is not None:
            found |= _derivation_headers(self.derivation)
        for name, value in found.items():
            _check_value(name, value)
        return found

    @property
    def digest(self) -> str:
        """The SHA-256 in hex over subject, headers in the order of their names, and body."""
        lines = [self.subject, *(f"{name}:{value}" for name, value in sorted(self.headers().items()))]
        return hashlib.sha256("\n".join(lines).encode() + b"\n\n" + self.body).hexdigest()

    def at(self, sequence: int) -> "Commit":
        """The same commit as it stands in a stream."""
        return replace(self, sequence=sequence)

    @classmethod
    def parse(cls, subject: str, headers: Mapping[str, str], body: bytes, sequence: int) -> "Commit":
        """The commit that a stored message holds; raises :class:`BadEnvelope` naming what is wrong."""
        for name, value in {**_FIXED, "ce-subject": subject}.items():
            if _named(headers, name) != value:
                raise BadEnvelope(f"sequence {sequence}: header {name} is {headers[name]!r}, not {value!r}")
        number = _named(headers, "ce-number")
        if not (number.isascii() and number.isdecimal()):
            raise BadEnvelope(f"sequence {sequence}: header ce-number is {number!r}, not a whole number")
        return cls(
            subject=subject,
            number=int(number),
            origin=Origin.parse(headers),
            source=_named(headers, "ce-source"),
            type=_named(headers, "ce-type"),
            time=_named(headers, "ce-time"),
            schema=_named(headers, "ce-dataschema"),
            body=body,
            previous=_named(headers, "ce-previous"),
            request=headers.get("ce-request"),
            derivation=_parse_derivation(headers),
            sequence=sequence,
        )


def _named(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise BadEnvelope(f"header {name} is missing: the message was not made by a machine's envelope")
    return value


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
        "ce-inputs": ",".join(f"{name}#{number}" for name, number in sorted(derivation.inputs.items())),
        "ce-took": f"{derivation.took:.3f}",
        "ce-outcome": derivation.outcome,
    }


def _parse_derivation(headers: Mapping[str, str]) -> Derivation | None:
    system = headers.get("ce-system")
    if system is None:
        return None
    pairs = (item.rpartition("#") for item in _named(headers, "ce-inputs").split(",") if item)
    try:
        inputs = {name: int(number) for name, _, number in pairs}
        took = float(_named(headers, "ce-took"))
    except ValueError as error:
        raise BadEnvelope(
            f"headers ce-inputs or ce-took of system {system} cannot be read: {error}"
        ) from error
    return Derivation(system, _named(headers, "ce-version"), inputs, took, _named(headers, "ce-outcome"))

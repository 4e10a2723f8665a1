"""A message in the log that no machine wrote, in the shape of a commit."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cim.contract.envelope import FIRST_PREVIOUS, BadEnvelope, Commit, Origin

_NOBODY = Origin("", "", "", "")


@dataclass(frozen=True, slots=True)
class Stranger(Commit):
    """What stands in the log without being a commit: another program's message, or a broken envelope.

    It keeps its place in the order, so that a reader can stop its subject there and go on with all
    others; it links to no chain. ``reason`` says what is wrong with it. Its ``digest`` is the SHA-256 in
    hex over subject and body: what its headers say means nothing to a machine. ``body`` can be left out
    (:meth:`bare`) where only its place matters.
    """

    reason: str = ""
    mark: str = ""

    @property
    def digest(self) -> str:
        """The SHA-256 in hex over subject and body, as they came."""
        return self.mark

    def headers(self) -> dict[str, str]:
        """Raises :class:`BadEnvelope`: no machine writes such a message, not even a second time."""
        raise BadEnvelope(f"{self.subject} at sequence {self.sequence} is no commit: {self.reason}")

    def bare(self) -> "Stranger":
        """The same message without its body."""
        return replace(self, body=b"")


def stored(subject: str, headers: Mapping[str, str], body: bytes, sequence: int) -> Commit:
    """The commit that a stored message holds, or the :class:`Stranger` that it is."""
    try:
        commit = Commit.parse(subject, headers, body, sequence)
    except (BadEnvelope, ValueError) as error:
        return stranger(subject, body, sequence, str(error))
    if "".join(headers.values()).isprintable():
        return commit
    name, value = next((name, value) for name, value in headers.items() if not value.isprintable())
    return stranger(subject, body, sequence, f"header {name} holds {value!r}: no machine writes that")


def stranger(subject: str, body: bytes, sequence: int, reason: str, mark: str = "") -> Stranger:
    """A message that no machine wrote, at its place in the log; ``mark`` where its body was left out."""
    mark = mark or hashlib.sha256(b"stranger\n" + subject.encode(errors="replace") + b"\n" + body).hexdigest()
    nobody = (_NOBODY, "", "", "", "")
    return Stranger(subject, 0, *nobody, body, FIRST_PREVIOUS, sequence=sequence, reason=reason, mark=mark)

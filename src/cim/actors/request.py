"""Commands as they come in, and what the sender gets back."""

import hashlib
from dataclasses import dataclass

from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.domain.message import Command


class Invalid(CimError):
    """A command that cannot be understood: the text names what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it stands at the door: for whom, what, from where, and the digest of its content."""

    ref: Ref
    command: Command
    origin: Origin
    digest: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The command is in the log: its id, the entity's id, the commit's sequence, the correlation."""

    command: str
    entity: str
    sequence: int
    correlation: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """The command was not granted: by whom, and why. It left no trace."""

    by: str
    reason: str


def content_digest(ref: Ref, name: str, body: bytes) -> str:
    """What makes two commands under one id the same command: its name, then the digest of entity,
    name and content."""
    digest = hashlib.sha256(f"{ref} {name}\n".encode() + body).hexdigest()
    return f"{name}/{digest}"

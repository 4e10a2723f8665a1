"""The one grammar of subjects.

| subject | what |
| --- | --- |
| ``evt.<context>.<Entity>.<id>`` | commits of an entity |
| ``cmp.<context>.<Entity>.<id>.<owner>`` | component writes of one module on an entity |
| ``cmd.<context>.<Entity>.<id>.<Command>.<sender>`` | a command, by request |
| ``qry.<context>.<name>.<sender>`` | a query, by request |
| ``runs.<sender>`` | what each process that runs systems is at, by request; all of them answer |
| ``share.<process>`` | that a process which runs systems is there, so that they divide the work |
| ``evt.cim.Person.<person>`` | that a person was erased |
| ``live.<query>.<session>`` | what a live query tells: a view's by its name, another by its id |
| ``cap.<contract>.<version>.<binding>.<operation>`` | a provider's operation, by request |

All tokens are ASCII: some clients break on anything else. A sender stands in the subject because
the server can hold permissions to it and a message carries no authenticated sender.
"""

import hashlib
import re
from dataclasses import dataclass

from cim.domain.errors import CimError

LONGEST_TOKEN = 128
"""Characters that one token of a subject may have."""

_TOKEN = re.compile(r"[A-Za-z0-9_=-]+\Z")


class BadToken(CimError):
    """A name or an id that cannot stand in a subject."""


def token(text: str, what: str) -> str:
    """``text`` if it can stand in a subject; raises :class:`BadToken` that names ``what`` otherwise."""
    if not text:
        raise BadToken(f"{what} is empty: give it 1 to {LONGEST_TOKEN} characters of A-Z a-z 0-9 _ = -")
    if len(text) > LONGEST_TOKEN:
        raise BadToken(f"{what} {text[:24]!r}… has {len(text)} characters: {LONGEST_TOKEN} at most")
    if not _TOKEN.match(text):
        raise BadToken(f"{what} {text[:48]!r} holds a character outside A-Z a-z 0-9 _ = -: choose another")
    return text


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Names one entity: its context, its type and its id."""

    context: str
    entity: str
    id: str

    def __str__(self) -> str:
        return f"{self.context}.{self.entity} {self.id}"

    @property
    def events(self) -> str:
        """The subject of the entity's commits."""
        return f"evt.{self.context}.{self.entity}.{self.id}"

    def components(self, owner: str) -> str:
        """The subject of what the module ``owner`` (``*`` for every module) writes on the entity."""
        return f"cmp.{self.context}.{self.entity}.{self.id}.{owner}"

    def command(self, name: str, sender: str) -> str:
        """The subject on which ``sender`` asks the entity for the command ``name``."""
        return f"cmd.{self.context}.{self.entity}.{self.id}.{name}.{sender}"


EVERY_COMMIT = "evt.>"
EVERY_COMPONENT = "cmp.>"
STORED = (EVERY_COMMIT, EVERY_COMPONENT)
"""The subjects that the log keeps."""


def parse_stored(subject: str) -> tuple[Ref, str | None]:
    """The entity that a stored subject speaks of, and the owner for a component's subject."""
    parts = subject.split(".")
    if parts[0] == "evt" and len(parts) == 4:
        return Ref(*parts[1:]), None
    if parts[0] == "cmp" and len(parts) == 5:
        return Ref(*parts[1:4]), parts[4]
    raise BadToken(f"subject {subject!r} is not evt.<context>.<Entity>.<id> or cmp.….<owner>")


def kind_of(subject: str) -> tuple[str, str] | None:
    """The context and the type of the entity whose commits stand on a subject; None for any other one."""
    parts = subject.split(".")
    return (parts[1], parts[2]) if len(parts) == 4 and parts[0] == "evt" else None


def parse_command(subject: str) -> tuple[Ref, str, str]:
    """The entity, the command's name and the sender that a command's subject names."""
    parts = subject.split(".")
    if parts[0] != "cmd" or len(parts) != 6:
        raise BadToken(f"subject {subject!r} is not cmd.<context>.<Entity>.<id>.<Command>.<sender>")
    return Ref(*parts[1:4]), parts[4], parts[5]


def parse_query(subject: str) -> tuple[str, str]:
    """The query's full name ``<context>.<name>`` and the sender that a query's subject names."""
    parts = subject.split(".")
    if parts[0] != "qry" or len(parts) != 4:
        raise BadToken(f"subject {subject!r} is not qry.<context>.<name>.<sender>")
    return f"{parts[1]}.{parts[2]}", parts[3]


def query(context: str, name: str, sender: str) -> str:
    """The subject on which ``sender`` asks the query ``name``."""
    return f"qry.{context}.{name}.{sender}"


def runs(sender: str) -> str:
    """The subject on which ``sender`` asks all processes that run systems what they are at."""
    return f"runs.{sender}"


def share(process: str) -> str:
    """The subject on which a process that runs systems says that it is there."""
    return f"share.{process}"


def live(name: str, session: str) -> str:
    """The subject on which a session hears the changes of the live query ``name``."""
    return f"live.{name}.{session}"


def capability(contract: str, version: int, binding: str) -> str:
    """What begins the subjects of the providers of a contract's version under one binding: one queue group.

    Behind it stands the operation, or a word of the machine's own, which begins with ``_``.
    """
    return f"cap.{token(contract, 'contract')}.{version}.{token(binding, 'binding')}"


MACHINE = "cim"
"""The context that is the machine's own: no module speaks for it."""

ERASURES = f"evt.{MACHINE}.Person.*"
"""The subjects of all erasures."""


def erasure(person: Ref) -> str:
    """The subject on which it stands that a person was erased. A long name is cut to a digest."""
    name = f"{person.context}={person.entity}={person.id}"
    if len(name) > LONGEST_TOKEN:
        name = hashlib.sha256(name.encode()).hexdigest()
    return Ref(MACHINE, "Person", name).events

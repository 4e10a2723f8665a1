"""A whole log as lines: CloudEvents 1.0 in JSON, one commit a line, and one more that closes them.

A line is the stored message in structured mode: each header is an attribute (``ce-number`` is ``number``),
the body is ``data`` byte for byte, or ``data_base64`` where it is no JSON of one line. Two attributes are
the archive's own: ``sequence``, where the commit stood, and ``history``, the running digest over all commits
up to it. So the first line that was changed, lost or moved is named. This finds accidents: who forges a
whole archive can compute digests, too.

A message that no machine wrote is a line of its own type, with its subject and body: its headers mean
nothing to a machine and are not kept.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cim.contract import codec
from cim.contract.envelope import BadEnvelope, Commit
from cim.contract.stranger import Stranger, stranger
from cim.domain.errors import CimError

STRANGER = "cim.Log.Stranger"
"""The type of the line of a message that no machine wrote."""

CLOSING = "cim.Log.Exported"
"""The type of the line that closes an archive."""

_RENAMED = {"content-type": "datacontenttype"}
_BACK = {attribute: header for header, attribute in _RENAMED.items()}
_OWN = ("sequence", "history", "data", "data_base64")


class ArchiveDamaged(CimError):
    """An archive that is not as it was written; the text names the first line that is off."""


@dataclass(slots=True)
class History:
    """How many commits were taken in, and the running digest over them in their order."""

    commits: int = 0
    digest: str = hashlib.sha256(b"").hexdigest()

    def advance(self, commit: Commit) -> None:
        """Take in the next commit."""
        self.commits += 1
        self.digest = hashlib.sha256(f"{self.digest}{commit.digest}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Closing:
    """What the last line says: how many commits and contents were written, and the running digest."""

    commits: int
    digest: str
    contents: int


def commit_line(commit: Commit, history: History) -> bytes:
    """A commit as a line; ``history`` is advanced by it."""
    history.advance(commit)
    if isinstance(commit, Stranger):
        attributes = {"specversion": "1.0", "id": commit.digest, "source": "unknown", "type": STRANGER}
        attributes |= {"subject": commit.subject, "reason": commit.reason}
    else:
        attributes = {_attribute(name): value for name, value in commit.headers().items()}
    own = {"sequence": str(commit.sequence), "history": history.digest}
    return msgspec.json.encode({**attributes, **own, **_data(commit.body)}) + b"\n"


def closing_line(closing: Closing, source: str, time: str) -> bytes:
    """The line that closes an archive of the machine ``source``, written at ``time`` (ISO 8601)."""
    event = {
        "specversion": "1.0",
        "id": closing.digest,
        "source": source,
        "type": CLOSING,
        "time": time,
        "datacontenttype": "application/json",
        "data": closing,
    }
    return msgspec.json.encode(event) + b"\n"


@dataclass(slots=True)
class ArchiveReader:
    """Reads the lines of an archive, checking each; ``closing`` is there once all were read.

    ``contents`` are the digests of the contents that the commits name, in their order.
    """

    closing: Closing | None = None
    contents: dict[str, None] = field(default_factory=dict)
    _history: History = field(default_factory=History)

    def commits(self, lines: Iterable[bytes]) -> Iterator[Commit]:
        """The commits, as they stood. Raises :class:`ArchiveDamaged`, at the latest at the end."""
        number = 0
        for number, line in enumerate(lines, 1):
            if self.closing is not None:
                raise ArchiveDamaged(f"line {number}: there is more behind the line that closes the archive")
            if not line.endswith(b"\n"):
                raise ArchiveDamaged(f"line {number} is cut off in the middle, or longer than a message")
            commit = self._take(line, number)
            if commit is not None:
                yield commit
        if self.closing is None:
            raise ArchiveDamaged(f"it ends after line {number} without the line that closes it: it was cut")

    def _take(self, line: bytes, number: int) -> Commit | None:
        """The commit of a line; None for the one that closes."""
        try:
            event = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
            if _text(event, "type") == CLOSING:
                self._close(msgspec.json.decode(event["data"], type=Closing), number)
                return None
            commit = _commit(event)
            expected = _text(event, "history")
        except (KeyError, ValueError, RecursionError, BadEnvelope) as error:
            missing = f"attribute {error} is missing" if isinstance(error, KeyError) else error
            raise ArchiveDamaged(f"line {number} is not as it was written: {missing}") from error
        self._history.advance(commit)
        if self._history.digest != expected:
            raise ArchiveDamaged(
                f"line {number} ({commit.subject} #{commit.number}) is not what was written there: "
                f"it was changed, or a line before it is missing or stands elsewhere"
            )
        self.contents.update(dict.fromkeys(contents_of(commit)))
        return commit

    def _close(self, closing: Closing, number: int) -> None:
        found = self._history
        if (closing.commits, closing.digest) != (found.commits, found.digest):
            raise ArchiveDamaged(
                f"line {number} closes an archive of {closing.commits} commits, here are {found.commits}, "
                f"or others: lines are missing or were changed"
            )
        self.closing = closing


def contents_of(commit: Commit) -> list[str]:
    """The digests of the contents that a commit names; none where its body cannot be read, or no machine
    wrote it."""
    if isinstance(commit, Stranger):
        return []
    try:
        items = codec.decode(commit.body)
    except codec.BadBody:
        return []
    return [digest for item in items for digest in _contents_in(item.data)]


def _contents_in(data: Any) -> list[str]:
    if isinstance(data, dict):
        if data.keys() == {"sha256", "size", "media"}:
            return [str(data["sha256"])]
        return [digest for value in data.values() for digest in _contents_in(value)]
    if isinstance(data, list):
        return [digest for value in data for digest in _contents_in(value)]
    return []


def _attribute(header: str) -> str:
    return _RENAMED.get(header, header.removeprefix("ce-"))


def _header(attribute: str) -> str:
    return _BACK.get(attribute, f"ce-{attribute}")


def _text(event: dict[str, msgspec.Raw], name: str) -> str:
    return msgspec.json.decode(event[name], type=str)


def _commit(event: dict[str, msgspec.Raw]) -> Commit:
    """The commit of a line; raises ValueError, KeyError or BadEnvelope where it holds none."""
    body = bytes(event["data"]) if "data" in event else _from_base64(_text(event, "data_base64"))
    subject, sequence = _text(event, "subject"), int(_text(event, "sequence"))
    if _text(event, "type") == STRANGER:
        return stranger(subject, body, sequence, _text(event, "reason"))
    headers = {_header(name): _text(event, name) for name in event if name not in _OWN}
    commit = Commit.parse(subject, headers, body, sequence)
    if commit.headers() != headers:
        odd = sorted(set(headers.items()) ^ set(commit.headers().items()))
        raise ValueError(f"attribute {_attribute(odd[0][0])} is not one that a machine writes")
    return commit


def _data(body: bytes) -> dict[str, Any]:
    return {"data": msgspec.Raw(body)} if _is_line(body) else {"data_base64": base64.b64encode(body).decode()}


def _is_line(body: bytes) -> bool:
    """Whether a body is JSON that can stand in a line as it is."""
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return body == body.strip() and b"\n" not in body and b"\r" not in body


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"data_base64 is not base64: {error}") from error

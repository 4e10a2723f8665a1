"""The log over JetStream: one request an append, direct reads, one pull consumer to follow."""

import base64
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Self

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.adapters.nats.direct import NO_MESSAGE, messages, sequence_of
from cim.adapters.nats.follow import follow
from cim.adapters.nats.link import ask, ask_api, refusal, tell
from cim.adapters.nats.stream import STREAM, open_stream
from cim.contract.envelope import Commit
from cim.contract.stranger import stored
from cim.ports.log import LinkLost, LogRefused, Stored, Unclear

_REFUSED = {
    10054: "the message is larger than the stream takes",
    10077: "the stream is full",
    10174: "this log was made before writes could span entities; `cim up` makes it ready for them",
}


class NatsLog:
    """Fulfils :class:`cim.ports.log.Log` by the stream of a leaf."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def open(cls, client: Client) -> Self:
        """The machine's log, its stream made or checked; see :func:`open_stream`."""
        await open_stream(client)
        return cls(client)

    async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
        headers = {**commit.headers(), "Nats-Expected-Last-Subject-Sequence": str(expected)}
        try:
            message = await ask(self._client, commit.subject, commit.body, headers=headers)
        except LinkLost as lost:
            return Unclear(str(lost))
        return _judged(commit, message)

    async def attempt_together(self, parts: Sequence[tuple[Commit, int]]) -> Stored | Unclear:
        """See :class:`cim.ports.log.Log`. JetStream holds the messages of a batch back until the one that
        commits it, and checks their expectations then (ADR-50 of nats-architecture-and-design)."""
        batch = secrets.token_hex(16)
        try:
            for number, (commit, expected) in enumerate(parts, 1):
                headers = {
                    **commit.headers(),
                    "Nats-Expected-Last-Subject-Sequence": str(expected),
                    "Nats-Batch-Id": batch,
                    "Nats-Batch-Sequence": str(number),
                }
                if number < len(parts):
                    # What is wrong with it the answer to the last one tells.
                    await tell(self._client, commit.subject, commit.body, headers)
            headers["Nats-Batch-Commit"] = "1"
            message = await ask(self._client, commit.subject, commit.body, headers=headers)
        except LinkLost as lost:
            return Unclear(str(lost))
        return _judged(commit, message)

    async def next_on(self, subject: str, after: int) -> Commit | None:
        # From the leader: a direct get may be answered by a replica that lags behind.
        call = f"STREAM.MSG.GET.{STREAM}"
        answer = await ask_api(self._client, call, {"seq": after + 1, "next_by_subj": subject})
        trouble = refusal(answer)
        if trouble is not None:
            if trouble[0] == NO_MESSAGE:
                return None
            raise LinkLost(f"{subject}: read back failed: {trouble[1]} (code {trouble[0]})")
        found = answer["message"]
        headers = parse_headers(base64.b64decode(found.get("hdrs", "")))
        body = base64.b64decode(found.get("data", ""))
        return stored(found["subject"], headers, body, int(found["seq"]))

    async def last(self) -> int:
        answer = await ask_api(self._client, f"STREAM.INFO.{STREAM}", {})
        trouble = refusal(answer)
        if trouble is not None:
            raise LinkLost(f"stream {STREAM}: {trouble[1]} (code {trouble[0]})")
        return int(answer["state"]["last_seq"])

    async def read(self, subject: str, after: int = 0) -> AsyncIterator[Commit]:
        async for message in messages(self._client, STREAM, subject, after):
            yield stored_commit(message)

    def follow(self, after: int) -> AsyncIterator[list[Commit]]:
        return follow(self._client, after)


def _judged(commit: Commit, message: Msg) -> Stored | Unclear:
    """What the answer to a publish means."""
    answer = msgspec.json.decode(message.data)
    trouble = refusal(answer)
    if trouble is None and not answer.get("duplicate"):
        return Stored(int(answer["seq"]))
    code, text = trouble or (0, "duplicate")
    if code in _REFUSED:
        raise LogRefused(f"{commit.subject}: {_REFUSED[code]}")
    return Unclear(f"{text} (code {code})")


def stored_commit(message: Msg) -> Commit:
    """The commit in an answer to a direct get, or the stranger."""
    headers = message.headers or {}
    return stored(headers["Nats-Subject"], headers, message.data, sequence_of(message))


def parse_headers(block: bytes) -> Mapping[str, str]:
    """The headers of a stored message as the server keeps them: a status line, then ``name: value``.

    Bytes that are no text are replaced, as the client does it: whoever wrote them is no machine.
    """
    pairs = (line.partition(b":") for line in block.split(b"\r\n")[1:] if b":" in line)
    return {
        name.strip().decode(errors="replace"): value.strip().decode(errors="replace")
        for name, _, value in pairs
    }

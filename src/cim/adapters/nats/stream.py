"""The one event stream of a machine: made as it must be, refused if found otherwise."""

from collections.abc import Mapping
from typing import Any

from nats.aio.client import Client

from cim.adapters.nats.lean import Lean, ask_api, lean_of
from cim.adapters.nats.link import refusal, replicas_of
from cim.contract.subjects import STORED
from cim.ports.log import LinkLost, LogRefused

STREAM = "LOG"

MUST_BE: dict[str, Any] = {
    "subjects": list(STORED),
    "retention": "limits",
    "storage": "file",
    "discard": "new",
    "deny_delete": True,
    "deny_purge": True,
    "allow_direct": True,
    "max_age": 0,
    "max_bytes": -1,
    "max_msgs": -1,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
}
"""No deletion, no purge, no limits: what is in the log stays."""

MADE_WITH: dict[str, Any] = {"allow_atomic": True}
"""What a new stream has beside :data:`MUST_BE`: writes that span subjects, all or none. A stream that was
made before is good without it: :func:`make_ready` sets it."""

MUST_NOT_BE: dict[str, str] = {
    "allow_msg_ttl": "messages can vanish from it",
    "no_ack": "nobody is told what was stored",
    "persist_mode": "a receipt is given before the message is written",
    "subject_transform": "messages are stored under other subjects",
    "sources": "messages come in that no machine decided",
}
"""Settings that take a promise of the log away, and which; all are off where nobody sets them. Rollups,
schedules, counters and mirrors are not listed: the server itself refuses them beside :data:`MUST_BE`."""

_NO_STREAM = 10059


async def open_stream(client: Client) -> None:
    """Make the stream, or check the one that is there; raises :class:`LogRefused` naming the setting.

    Raises :class:`LinkLost` in a cluster that has elected no leader yet.
    """
    lean = lean_of(client)
    answer = await found_or_made(lean, {"name": STREAM, **MUST_BE, **MADE_WITH})
    trouble = refusal(answer)
    if trouble is not None:
        text = f"stream {STREAM} cannot be opened: {trouble[1]} (code {trouble[0]})"
        # In a cluster that has just begun there may be no leader yet, or too few nodes that have answered.
        raise LinkLost(text) if lean.replicas > 1 else LogRefused(text)
    _check(answer["config"], lean.replicas)


async def found_or_made(lean: Lean, made_with: Mapping[str, Any]) -> dict[str, Any]:
    """What the server says of a stream; where it is missing, what it says to making it, with as many copies
    as a stream of this leaf has."""
    name = made_with["name"]
    answer = await lean.ask_api(f"STREAM.INFO.{name}", {})
    trouble = refusal(answer)
    if trouble is not None and trouble[0] == _NO_STREAM:
        wanted = {**made_with, "num_replicas": lean.replicas}
        answer = await lean.ask_api(f"STREAM.CREATE.{name}", wanted, patience=10)
    return answer


async def is_ready(client: Client) -> bool:
    """Whether the stream has all that a new one is made with."""
    answer = await ask_api(client, f"STREAM.INFO.{STREAM}", {})
    config = answer.get("config") or MADE_WITH
    return all(config.get(name) == value for name, value in MADE_WITH.items())


async def make_ready(client: Client) -> None:
    """Set what a new stream is made with on one that was made before, and nothing else. The user must be one
    that may do so: the machine's programs may not. Raises :class:`LogRefused`."""
    answer = await ask_api(client, f"STREAM.INFO.{STREAM}", {})
    if refusal(answer) is None:
        wanted = {**answer["config"], **MADE_WITH}
        answer = await ask_api(client, f"STREAM.UPDATE.{STREAM}", wanted, patience=10)
    trouble = refusal(answer)
    if trouble is not None:
        raise LogRefused(f"stream {STREAM} cannot be made ready: {trouble[1]} (code {trouble[0]})")
    _check(answer["config"], replicas_of(client))


def _check(found: dict[str, Any], replicas: int) -> None:
    for name, value in {**MUST_BE, "num_replicas": replicas}.items():
        if found.get(name, value if value in (0, -1) else None) != value:
            raise LogRefused(
                f"stream {STREAM} has {name} = {found.get(name)!r} and must have {value!r}: somebody changed "
                f"it; what it lost meanwhile cannot be told, so compare it with a copy before you set it back"
            )
    for name, why in MUST_NOT_BE.items():
        if found.get(name) not in (None, False, "", "default"):
            raise LogRefused(
                f"stream {STREAM} has {name} = {found[name]!r}, so that {why}: somebody changed it; "
                f"copy its messages into a stream without that"
            )

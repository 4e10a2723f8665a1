"""The one event stream of a machine: made as it must be, refused if found otherwise."""

from typing import Any

from nats.aio.client import Client

from cim.adapters.nats.link import ask_api, refusal
from cim.contract.subjects import STORED
from cim.ports.log import LogRefused

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
}
"""No deletion, no purge, no limits: what is in the log stays."""

_NO_STREAM = 10059


async def open_stream(client: Client, replicas: int = 1) -> None:
    """Make the stream, or check the one that is there; raises :class:`LogRefused` naming the setting."""
    answer = await ask_api(client, f"STREAM.INFO.{STREAM}", {})
    trouble = refusal(answer)
    if trouble is not None and trouble[0] == _NO_STREAM:
        wanted = {"name": STREAM, "num_replicas": replicas, **MUST_BE}
        answer = await ask_api(client, f"STREAM.CREATE.{STREAM}", wanted, patience=10)
        trouble = refusal(answer)
    if trouble is not None:
        raise LogRefused(f"stream {STREAM} cannot be opened: {trouble[1]} (code {trouble[0]})")
    found = answer["config"]
    for name, value in MUST_BE.items():
        if found.get(name, value if value in (0, -1) else None) != value:
            raise LogRefused(
                f"stream {STREAM} has {name} = {found.get(name)!r} and must have {value!r}: somebody changed "
                f"it; what it lost meanwhile cannot be told, so compare it with a copy before you set it back"
            )
    if found.get("allow_msg_ttl"):
        raise LogRefused(f"stream {STREAM} allows message TTLs, which take messages out of it: recreate it")

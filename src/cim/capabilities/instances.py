"""Who provides what now: the instances, as they tell it by the protocol of the NATS services.

That protocol (``$SRV.PING``, ``$SRV.INFO``, ``$SRV.STATS``; ADR-32 of NATS) is
what ``nats micro ls`` asks by.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import TimeoutError as NothingCame

PREFIX = "$SRV"
VERBS = ("PING", "INFO", "STATS")

QUIET = 0.3
"""Seconds after which nobody else is taken to answer."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Instance:
    """One provider that serves a binding: ``provider`` is its class, ``since`` when it began (ISO 8601, UTC),
    ``working`` of ``at_once`` calls are under way, ``done`` were answered and ``failed`` were not."""

    id: str
    contract: str
    version: int
    binding: str
    provider: str
    host: str
    pid: int
    since: str
    working: int
    at_once: int
    done: int
    failed: int
    draining: bool = False


async def find_instances(client: Client, service: str | None = None, quiet: float = QUIET) -> list[Instance]:
    """The instances of a service, or of all, that answer before it was ``quiet`` for so many seconds."""
    subject = f"{PREFIX}.STATS" if service is None else f"{PREFIX}.STATS.{service}"
    found: list[Instance] = []
    inbox = client.new_inbox()
    heard = await client.subscribe(inbox)
    await client.publish(subject, b"", reply=inbox)
    with suppress(NothingCame):
        while True:
            message = await heard.next_msg(timeout=quiet)
            if not message.data:  # the server's own word that nobody serves it
                break
            one = _instance(message.data)
            if one is not None:
                found.append(one)
    await heard.unsubscribe()
    return sorted(found, key=lambda one: (one.contract, one.version, one.binding, one.since))


def _instance(body: bytes) -> Instance | None:
    """An instance as it tells of itself; None for a service that is none of ours."""
    try:
        told: Mapping[str, Any] = msgspec.json.decode(body)
        data = told["endpoints"][0]["data"]
        return msgspec.convert(data | {"id": told["id"], "since": told["started"]}, Instance)
    except (msgspec.MsgspecError, LookupError, TypeError):
        return None

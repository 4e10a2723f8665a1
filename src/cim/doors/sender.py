"""Sending a command from outside: repeated under its id until an answer comes or the deadline passes."""

from collections.abc import Mapping
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import NoRespondersError

from cim.adapters.nats.link import ask
from cim.contract import codec
from cim.contract.entity import EntityType, key_of
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.domain.message import Command
from cim.log.append import OutcomeUnknown
from cim.log.backoff import delays
from cim.ports.clock import Clock
from cim.ports.log import LinkLost

ONE_TRY = 3.0
"""Seconds that one request waits: one that was lost with its server is asked again."""


class NoHandler(CimError):
    """Nobody takes this command now."""


async def send(
    client: Client,
    clock: Clock,
    kind: EntityType,
    command: Command,
    origin: Origin,
    sender: str,
    patience: float,
) -> Mapping[str, Any]:
    """The receipt or rejection of a command, as plain data.

    Raises :class:`NoHandler` when no leaf takes it, :class:`OutcomeUnknown` with its id when no
    answer came within ``patience`` seconds, :class:`CimError` with the door's own words.
    """
    name = type(command).__name__
    subject = Ref(kind.context, kind.name, key_of(kind, command)).command(name, sender)
    body = codec.encode([codec.item(command)])
    deadline = clock.monotonic() + patience
    heard_of = False
    for delay in delays():
        left = max(0.1, deadline - clock.monotonic())
        try:
            return await _try(client, subject, body, min(ONE_TRY, left), origin)
        except LinkLost as lost:
            heard_of = heard_of or not isinstance(lost.__cause__, NoRespondersError)
            if clock.monotonic() + delay > deadline:
                what = f"{kind.context}.{name}"
                raise _given_up(what, origin.id, patience, lost, heard_of=heard_of) from lost
            await clock.sleep(delay)
    raise AssertionError("delays never end")


def _given_up(what: str, id: str, patience: float, lost: LinkLost, *, heard_of: bool) -> CimError:
    if not heard_of:
        return NoHandler(f"{what}: no running leaf takes it; start one with `cim up`")
    return OutcomeUnknown(
        f"{what}: outcome unknown after {patience:g} s ({lost}); send it again with --id {id}"
    )


async def _try(client: Client, subject: str, body: bytes, patience: float, origin: Origin) -> dict[str, Any]:
    message = await ask(client, subject, body, patience, headers=origin.headers())
    answer: dict[str, Any] = msgspec.json.decode(message.data)
    if answer.get("again"):
        raise LinkLost(str(answer["error"]))
    if "error" in answer:
        raise CimError(str(answer["error"]))
    return answer

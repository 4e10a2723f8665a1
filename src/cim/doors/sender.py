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
    for delay in delays():
        try:
            left = max(0.1, deadline - clock.monotonic())
            message = await ask(client, subject, body, left, headers=origin.headers())
            break
        except LinkLost as lost:
            if clock.monotonic() + delay > deadline:
                if isinstance(lost.__cause__, NoRespondersError):
                    raise NoHandler(
                        f"{kind.context}.{name}: no running leaf takes it; start one with `cim up`"
                    ) from lost
                raise OutcomeUnknown(
                    f"{kind.context}.{name}: outcome unknown after {patience:g} s; "
                    f"send it again with --id {origin.id}"
                ) from lost
            await clock.sleep(delay)
    answer: dict[str, Any] = msgspec.json.decode(message.data)
    if "error" in answer:
        raise CimError(str(answer["error"]))
    return answer

"""Sending a command from outside: repeated under its id until an answer comes or the deadline passes."""

from collections.abc import Mapping
from typing import Any

from nats.aio.client import Client

from cim.contract import codec
from cim.contract.entity import EntityType, key_of
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.domain.message import Command
from cim.doors.repeating import Unheard, repeat
from cim.log.append import OutcomeUnknown
from cim.ports.clock import Clock


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
    try:
        return await repeat(client, clock, subject, body, patience, headers=origin.headers())
    except Unheard as unheard:
        what = f"{kind.context}.{name}"
        if not unheard.taken:
            raise NoHandler(f"{what}: no running leaf takes it; start one with `cim up`") from unheard
        raise OutcomeUnknown(
            f"{what}: outcome unknown after {patience:g} s ({unheard}); send it again with --id {origin.id}"
        ) from unheard

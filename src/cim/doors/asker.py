"""Asking a query from outside, and waiting until its rows hold what was written."""

from collections.abc import Mapping
from typing import Any

from nats.aio.client import Client

from cim.contract import codec
from cim.contract.subjects import query
from cim.domain.errors import CimError
from cim.doors.repeating import ONE_TRY, Unheard, repeat
from cim.ports.clock import Clock


class Unanswered(CimError):
    """Nobody answers this query now."""


async def ask_query(
    client: Client, clock: Clock, name: str, asked: Mapping[str, Any], sender: str, patience: float = 10.0
) -> Mapping[str, Any]:
    """The answer to the query ``context.name``, as plain data.

    ``asked`` is the question; its ``patience`` is how long the other side waits for the rows to reach what
    it names, ``patience`` how long we wait for an answer on top. Raises :class:`Unanswered` where none came,
    :class:`CimError` with the door's own words.
    """
    context, _, plain = name.partition(".")
    waits = float(asked.get("patience", 0.0))
    subject, body = query(context, plain, sender), codec.json_bytes(asked)
    try:
        return await repeat(client, clock, subject, body, patience + waits, one_try=ONE_TRY + waits)
    except Unheard as unheard:
        if not unheard.taken:
            raise Unanswered(f"{name}: nobody answers it; start a leaf with `cim up`") from unheard
        raise Unanswered(f"{name}: no answer in {patience + waits:g} s ({unheard})") from unheard

"""A request that is repeated until an answer comes or the deadline passes: the other side of every door."""

from collections.abc import Mapping
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import NoRespondersError

from cim.adapters.nats.link import ask
from cim.domain.errors import CimError
from cim.log.backoff import delays
from cim.ports.clock import Clock
from cim.ports.log import LinkLost

ONE_TRY = 3.0
"""Seconds that one request waits: one that was lost with its server is asked again."""


class Unheard(CimError):
    """No answer came in time. ``taken`` says whether anybody took the request at all."""

    def __init__(self, lost: LinkLost, *, taken: bool) -> None:
        super().__init__(str(lost))
        self.taken = taken


async def repeat(
    client: Client,
    clock: Clock,
    subject: str,
    body: bytes,
    patience: float,
    *,
    headers: Mapping[str, str] | None = None,
    one_try: float = ONE_TRY,
) -> Mapping[str, Any]:
    """The answer to a request, asked again under the same words for ``patience`` seconds.

    Raises :class:`Unheard` where none came, :class:`CimError` with the door's own words.
    """
    deadline = clock.monotonic() + patience
    taken = False
    for delay in delays():
        left = max(0.1, deadline - clock.monotonic())
        try:
            return await _try(client, subject, body, min(one_try, left), headers)
        except LinkLost as lost:
            taken = taken or not isinstance(lost.__cause__, NoRespondersError)
            if clock.monotonic() + delay > deadline:
                raise Unheard(lost, taken=taken) from lost
            await clock.sleep(delay)
    raise AssertionError("delays never end")


async def _try(
    client: Client, subject: str, body: bytes, patience: float, headers: Mapping[str, str] | None
) -> dict[str, Any]:
    message = await ask(client, subject, body, patience, headers=headers)
    answer: dict[str, Any] = msgspec.json.decode(message.data)
    if answer.get("again"):
        raise LinkLost(str(answer["error"]))
    if "error" in answer:
        raise CimError(str(answer["error"]))
    return answer

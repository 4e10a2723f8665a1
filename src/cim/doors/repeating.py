"""A request that is repeated until an answer comes or the deadline passes: the other side of every door."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from nats.aio.client import Client

from cim.adapters.nats.lean import Lean, lean_of
from cim.adapters.nats.wire import NobodyThere
from cim.contract.envelope import header_block
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
    lean, deadline = lean_of(client), clock.monotonic() + patience
    taken = False
    for delay in delays():
        left = max(0.1, deadline - clock.monotonic())
        try:
            return await _try(lean, subject, body, min(one_try, left), headers)
        except LinkLost as lost:
            taken = taken or not isinstance(lost, NobodyThere)
            if clock.monotonic() + delay > deadline:
                raise Unheard(lost, taken=taken) from lost
            await clock.sleep(delay)
    raise AssertionError("delays never end")


async def _try(
    lean: Lean, subject: str, body: bytes, patience: float, headers: Mapping[str, str] | None
) -> dict[str, Any]:
    try:
        async with asyncio.timeout(patience):
            wire = await lean.wire()
    except TimeoutError as late:
        raise LinkLost(f"no connection to the leaf in {patience:g} s") from late
    _, told = await wire.ask(subject, header_block(headers) if headers else b"", body, patience)
    answer: dict[str, Any] = msgspec.json.decode(told)
    if answer.get("again"):
        raise LinkLost(str(answer["error"]))
    if "error" in answer:
        raise CimError(str(answer["error"]))
    return answer

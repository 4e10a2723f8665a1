"""The lean connections of a process, beside its general one: to where that leads, and as the same user.

Everything that is asked of log and contents goes over them. They heal by being made anew, to whichever node
of the leaf answers first, and do not wait for the general client, which may stay at a node that stands still.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from nats.aio.client import Client

from cim.adapters.nats.link import is_open, place_of, replicas_of, ways_of
from cim.adapters.nats.wire import PATIENCE, Wire
from cim.contract.envelope import header_block
from cim.ports.log import LinkLost

_MOMENT = 0.25
"""Seconds that a node has for itself, before another one is tried beside it."""

Way = Callable[[], Coroutine[Any, Any, Wire]]


class Lean:
    """Opens a connection when it is first needed, anew after it was lost; closes it with ``client``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()
        self.opened = 0
        """How many connections there have been that all share: one more says that something may be lost."""

    @property
    def over(self) -> bool:
        """Whether the general connection is closed: then there will be none again."""
        return not is_open(self._client)

    @property
    def room(self) -> int:
        """How many bytes a message may have."""
        return self._client.max_payload

    @property
    def replicas(self) -> int:
        """How many copies a stream of this leaf has."""
        return replicas_of(self._client)

    async def wire(self) -> Wire:
        """The connection that all who ask share; raises :class:`LinkLost` where there is none."""
        wire = self._wire
        return wire if wire is not None and not wire.closed else await self._connected()

    async def ask_api(self, call: str, body: Any, patience: float = PATIENCE) -> dict[str, Any]:
        """One call of the JetStream API, as :meth:`Wire.ask_api` does it."""
        wire = await self.wire()
        return await wire.ask_api(call, body, patience)

    async def own(self, purpose: str) -> Wire:
        """Another one, to the node where the client is, or to another where that one does not answer; whoever
        asks closes it. Raises :class:`LinkLost`."""
        place = place_of(self._client)
        name, user = f"{place.name}, {purpose}", place.credentials
        urls = ways_of(self._client)
        return await _first([partial(Wire.open, url, user, name, place.trouble) for url in urls])

    async def _connected(self) -> Wire:
        async with self._opening:
            wire = self._wire
            if wire is not None and not wire.closed:
                return wire
            place = place_of(self._client)
            if wire is not None:
                self._wire = None
                if wire.close in place.closing:
                    place.closing.remove(wire.close)
            self._wire = wire = await self.own("lean")
            self.opened += 1
            place.closing.append(wire.close)
            return wire


async def _first(ways: Sequence[Way]) -> Wire:
    """The connection that is there first: a way is tried where the one before it has failed, or has not led
    anywhere for a moment. Raises :class:`LinkLost` of the last one."""
    left, trying = list(ways), set[asyncio.Task[Wire]]()
    try:
        while True:
            if left:
                trying.add(asyncio.ensure_future(left.pop(0)()))
            patience = _MOMENT if left else None
            await asyncio.wait(trying, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in [one for one in trying if one.done()]:
                trying.discard(task)
                error = task.exception()
                if error is None:
                    return task.result()
                if not isinstance(error, LinkLost) or not (left or trying):
                    raise error
    finally:
        await _close_all(trying)


async def _close_all(trying: set[asyncio.Task[Wire]]) -> None:
    for task in trying:
        task.cancel()
    for found in await asyncio.gather(*trying, return_exceptions=True):
        if isinstance(found, Wire):
            found.close()


_LEANS: "WeakKeyDictionary[Client, Lean]" = WeakKeyDictionary()


def lean_of(client: Client) -> Lean:
    """The lean connections beside a general one; raises :class:`LinkLost` where that is closed."""
    found = _LEANS.get(client)
    if found is None:
        place_of(client).closing.append(partial(_LEANS.__delitem__, client))
        found = _LEANS[client] = Lean(client)
    return found


async def ask(
    client: Client,
    subject: str,
    body: bytes,
    patience: float = PATIENCE,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The body of the answer to one request, beside a general connection; raises as :meth:`Wire.ask` does."""
    wire = await lean_of(client).wire()
    _, answer = await wire.ask(subject, header_block(headers) if headers else b"", body, patience)
    return answer


async def ask_api(client: Client, call: str, body: Any, patience: float = PATIENCE) -> dict[str, Any]:
    """One call of the JetStream API beside a general connection; raises as :meth:`Wire.ask` does."""
    return await lean_of(client).ask_api(call, body, patience)

"""The lean connections of a process, beside its general one: to where that leads, and as the same user."""

import asyncio
from functools import partial
from weakref import WeakKeyDictionary

from nats.aio.client import Client

from cim.adapters.nats.link import is_open, place_of, ways_of
from cim.adapters.nats.wire import Wire
from cim.ports.log import LinkLost


class Lean:
    """Opens a connection when it is first needed, anew after it was lost; closes it with ``client``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()

    @property
    def over(self) -> bool:
        """Whether the general connection is closed: then there will be none again."""
        return not is_open(self._client)

    @property
    def room(self) -> int:
        """How many bytes a message may have."""
        return self._client.max_payload

    async def wire(self) -> Wire:
        """The connection that all who ask share; raises :class:`LinkLost` where there is none."""
        wire = self._wire
        return wire if wire is not None and not wire.closed else await self._connected()

    async def own(self, purpose: str) -> Wire:
        """Another one, to the node where the client is, or to another where that one does not answer; whoever
        asks closes it. Raises :class:`LinkLost`."""
        place, *ways = place_of(self._client), *ways_of(self._client)
        while True:
            url = ways.pop(0)
            try:
                return await Wire.open(url, place.credentials, f"{place.name}, {purpose}", place.trouble)
            except LinkLost:
                if not ways:
                    raise

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
            place.closing.append(wire.close)
            return wire


_LEANS: "WeakKeyDictionary[Client, Lean]" = WeakKeyDictionary()


def lean_of(client: Client) -> Lean:
    """The lean connections beside a general one; raises :class:`LinkLost` where that is closed."""
    found = _LEANS.get(client)
    if found is None:
        place_of(client).closing.append(partial(_LEANS.__delitem__, client))
        found = _LEANS[client] = Lean(client)
    return found

"""The doors as agents go through them: over NATS as anybody does, so from each process that runs agents."""

from collections.abc import Mapping
from typing import Any

from nats.aio.client import Client

from cim.contract.entity import EntityType
from cim.contract.envelope import Origin
from cim.domain.errors import Unavailable
from cim.domain.message import Command
from cim.doors.asker import Unanswered, ask_query
from cim.doors.sender import NoHandler, send
from cim.log.append import OutcomeUnknown
from cim.ports.clock import Clock

SENDER = "agent"
"""The sender that an agent's commands and questions name in their subjects."""

PATIENCE = 10.0
"""Seconds that an answer may take, until the run is made again later."""


class AgentDoors:
    """Fulfils :class:`cim.agents.acting.Doors`."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock

    async def send(self, kind: EntityType, command: Command, origin: Origin) -> Mapping[str, Any]:
        """See :class:`cim.agents.acting.Doors`."""
        try:
            return await send(self._client, self._clock, kind, command, origin, SENDER, PATIENCE)
        except (NoHandler, OutcomeUnknown) as unknown:
            raise Unavailable(str(unknown)) from unknown

    async def ask(self, name: str, question: Mapping[str, Any]) -> Any:
        """See :class:`cim.agents.acting.Doors`."""
        try:
            return await ask_query(self._client, self._clock, name, question, SENDER, PATIENCE)
        except Unanswered as lost:
            raise Unavailable(str(lost)) from lost

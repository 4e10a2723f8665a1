"""Updates of resources for clients of the Model Context Protocol, as long as they listen: by live queries."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import anyio
import mcp_types as types
from anyio.abc import TaskStatus
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError
from nats.aio.client import Client

from cim.contract.live import Place
from cim.domain.errors import CimError
from cim.doors.watcher import live
from cim.ports.clock import Clock, Entropy


class Updates:
    """Tells a client which of the resources that it names changed, each a live query by its URI in
    ``questions``; what changed it reads again. ``trouble`` is told what cannot be followed."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        entropy: Entropy,
        questions: Mapping[str, Mapping[str, Any]],
        sender: str,
        trouble: Callable[[str], None],
    ) -> None:
        self._client, self._clock, self._entropy = client, clock, entropy
        self._questions, self._sender, self._trouble = questions, sender, trouble

    async def listen(
        self, context: Any, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """One stream of updates, until the client ends it, or one of them cannot be followed any more. Raises
        :class:`MCPError` where one cannot be followed to begin with."""
        bus = InMemorySubscriptionBus()
        handler = ListenHandler(bus)
        named = dict.fromkeys(params.notifications.resource_subscriptions or ())
        async with anyio.create_task_group() as following:
            # A client is told that it listens once each is followed: from then on no change is missed.
            try:
                for uri in named:
                    if uri in self._questions:
                        await following.start(self._follow, uri, bus, handler)
                return await handler(context, params)
            except CimError as error:
                refused = error
            finally:
                following.cancel_scope.cancel()
        raise MCPError(types.INTERNAL_ERROR, str(refused)) from refused

    async def _follow(
        self,
        uri: str,
        bus: InMemorySubscriptionBus,
        handler: ListenHandler,
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        is_known = has_changed = False
        question = self._questions[uri]
        following = live(
            self._client, self._clock, self._entropy, question, self._sender, trouble=self._trouble
        )
        try:
            async with aclosing(following) as told:
                async for one in told:
                    if not isinstance(one, Place):
                        has_changed = True
                        continue
                    if not is_known:
                        task_status.started()
                    elif has_changed:
                        await bus.publish(ResourceUpdated(uri=uri))
                    is_known, has_changed = True, False
        except CimError as error:
            if not is_known:
                raise CimError(f"{uri}: {error}") from error
            self._trouble(f"{uri}: {error}")
            handler.close()

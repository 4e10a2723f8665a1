"""The door for queries: a projection's rows, declared queries, views, and the machine's own ``cim.world``,
``cim.live`` and ``cim.taken``."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from nats.aio.client import Client

from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.query import rows_question
from cim.contract.subjects import MACHINE, parse_query
from cim.domain.errors import CimError
from cim.doors.live import LiveDoor
from cim.doors.serving import Request, serve
from cim.projections.answers import Answers
from cim.views.live import LiveQueries
from cim.world.world import World


class QueryDoor:
    """Answers questions by name. A view's name is a live query, whose session is the sender."""

    def __init__(
        self,
        composition: Composition,
        world: World,
        answers: Answers,
        live: LiveQueries | None = None,
        watched: LiveDoor | None = None,
    ) -> None:
        self._world, self._answers, self._live, self._watched = world, answers, live, watched
        self._projections = {str(kind): kind for kind in composition.projections}
        self._queries = {str(kind): kind for kind in composition.queries}

    @asynccontextmanager
    async def serve(
        self, client: Client, contexts: Iterable[str], trouble: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Answer requests on ``qry.<context>.>``, for each of these contexts, until the block ends.

        Who asks another context hears at once that nobody answers; so each process answers for its own.
        """

        async def answer(request: Request) -> dict[str, Any]:
            return await self._answer(request.subject, request.body, client.max_payload)

        async with AsyncExitStack() as doors:
            for context in contexts:
                await doors.enter_async_context(serve(client, f"qry.{context}.>", answer, trouble))
            yield

    async def _answer(self, subject: str, body: bytes, room: int) -> dict[str, Any]:
        name, sender = parse_query(subject)
        if name == f"{MACHINE}.world":
            return await self._told_of_world()
        if self._watched is not None and name in self._watched.names:
            return self._watched.answer(name, sender, body, room)
        if name in self._projections:
            return await self._answers.rows(self._projections[name], rows_question(body, name), room)
        if name in self._queries:
            kind = self._queries[name]
            return await self._answers.answer(kind, kind.asked(codec.question(body)))
        if self._live is not None and name in self._live.names:
            return await self._live.answer(name, sender, body)
        raise CimError(f"there is no query {name} here; there are: {', '.join(self._known()) or 'none'}")

    def _known(self) -> list[str]:
        live = () if self._live is None else self._live.names
        return sorted([*self._projections, *self._queries, *live])

    async def _told_of_world(self) -> dict[str, Any]:
        world = self._world
        await world.until_caught_up()
        return {"sequence": world.sequence, "digest": world.digest, "fingerprint": await world.fingerprint()}

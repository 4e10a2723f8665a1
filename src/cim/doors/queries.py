"""The door for queries: live queries by name, and the machine's own ``cim.world``."""

from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.contract.subjects import BadToken
from cim.domain.errors import CimError
from cim.doors.serving import serve
from cim.views.live import LiveQueries
from cim.world.world import World

WORLD = "cim.world"


async def serve_queries(
    client: Client, world: World, live: LiveQueries | None, trouble: Callable[[str], None]
) -> None:
    """Answer requests on ``qry.>`` from now on."""

    async def answer(message: Msg) -> dict[str, Any]:
        return await _answer(message.subject, message.data, world, live)

    await serve(client, "qry.>", answer, trouble)


async def _answer(subject: str, body: bytes, world: World, live: LiveQueries | None) -> dict[str, Any]:
    parts = subject.split(".")
    if len(parts) != 4:
        raise BadToken(f"subject {subject!r} is not qry.<context>.<name>.<sender>")
    name, session = f"{parts[1]}.{parts[2]}", parts[3]
    if name == WORLD:
        await world.until_caught_up()
        return {"sequence": world.sequence, "digest": world.digest, "fingerprint": world.fingerprint()}
    if live is None:
        raise CimError(f"this leaf shows no page, so it answers no {name}")
    return await live.answer(name, session, body)

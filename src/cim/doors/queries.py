"""The door for queries: live queries by name, and the machine's own ``cim.world``."""

from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.contract import codec
from cim.contract.subjects import BadToken
from cim.domain.errors import CimError
from cim.doors.serving import concurrently
from cim.views.live import LiveQueries
from cim.world.world import World

WORLD = "cim.world"


async def serve_queries(
    client: Client, world: World, live: LiveQueries | None, trouble: Callable[[str], None]
) -> None:
    """Answer requests on ``qry.>`` from now on."""

    async def take(message: Msg) -> None:
        try:
            answer = await _answer(message.subject, message.data, world, live)
        except CimError as error:
            answer = {"error": str(error)}
        except Exception as error:
            answer = {"error": f"the machine failed on it: {type(error).__name__}: {error}"}
            trouble(f"{message.subject}: {type(error).__name__}: {error}")
        if message.reply:
            await message.respond(codec.json_bytes(answer))

    await client.subscribe("qry.>", queue="door", cb=concurrently(take))


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

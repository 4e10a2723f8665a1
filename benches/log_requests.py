"""Commands by request from another process, and the bare request/reply of the general client beside them.

Run as a program it is the other side: ``python benches/log_requests.py ours|bare FOLDER URL`` answers until
its input ends.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.actors.actors import Actors
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.entity import EntityType
from cim.contract.envelope import Origin
from cim.domain.message import Command
from cim.doors.commands import CommandDoor
from cim.doors.sender import send
from cim.leaf.accounts import Credentials, Keys, machine_credentials
from cim.leaf.garbage import collect_seldom
from cim.log.consumer import consume
from cim.world.world import World
from costs import Cost, timed
from log_orders import ARTICLE, TITLE, Add, Place, orders
from log_sides import SOURCE, Sizes

IN_FLIGHT = 64
PATIENCE = 20.0


def user_of(folder: Path) -> Credentials:
    """The machine's user, by the keys in its folder."""
    return machine_credentials(Keys.load_or_make(folder / "keys.json", now=int(time.time())))


@asynccontextmanager
async def answering(side: str, folder: Path, url: str) -> AsyncIterator[int]:
    """The other process, by its id, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        side,
        str(folder),
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n", "the other side did not come up"
        yield process.pid
    finally:
        process.stdin.close()
        await process.wait()


async def by_request(client: Client, sizes: Sizes, name: str) -> Cost:
    """Updates of many entities, sent as ``cim send`` does, their ids their own."""
    kind, ids = compose([orders]).entity("orders", "Order"), count()

    def sending(command: Place | Add) -> Callable[[], Awaitable[int]]:
        return partial(sent, client, kind, command, f"{name}-{next(ids)}")

    made = [Place(f"{name}{n}", "customer-000431", "EUR") for n in range(sizes.entities)]
    await timed([sending(one) for one in made], IN_FLIGHT)
    given = [Add(one.order, ARTICLE, TITLE, 3, 249) for _ in range(sizes.updates) for one in made]
    return await timed([sending(one) for one in given], IN_FLIGHT)


async def sent(client: Client, kind: EntityType, command: Command, id: str) -> int:
    """Send a command as ``cim send`` does, which must be granted; its receipt's sequence."""
    origin = Origin.root(id, "person:bench")
    answer = await send(client, SystemClock(), kind, command, origin, "bench", PATIENCE)
    assert "sequence" in answer, answer
    return int(answer["sequence"])


async def bare_requests(
    client: Client, number: int, in_flight: int = IN_FLIGHT, other: int | None = None
) -> Cost:
    """Requests of the same size that the other side answers at once."""
    body, headers = bytes(150), Origin.root("bare-1", "person:bench").headers()

    async def ask() -> None:
        await client.request("bench.bare", body, headers=headers, timeout=PATIENCE)

    return await timed([ask] * number, in_flight, other)


async def ours(client: Client) -> None:
    """A leaf's door, its actors and its world, on the log."""
    log, clock, composition = await NatsLog.open(client), SystemClock(), compose([orders])
    world = World(composition)
    door = CommandDoor(composition, Actors(composition, log, clock, SOURCE), world)
    following = asyncio.create_task(consume(log, clock, 0, world.take))
    async with door.serve(client, print):
        await until_told()
    following.cancel()


async def bare(client: Client) -> None:
    """Whatever is asked is answered by as many bytes as a receipt has."""

    async def answer(message: Msg) -> None:
        await message.respond(bytes(100))

    await client.subscribe("bench.bare", cb=answer)
    await client.flush()
    await until_told()


async def until_told() -> None:
    """Say that all is ready, and wait until the other side closes our input."""
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


SIDES: dict[str, Callable[[Client], Coroutine[Any, Any, None]]] = {"ours": ours, "bare": bare}


async def main(side: str, folder: Path, url: str) -> None:
    """The other process."""
    async with connect(url, user_of(folder), side) as client:
        await SIDES[side](client)


if __name__ == "__main__":
    collect_seldom()
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))

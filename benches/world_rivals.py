"""What a Python user would write instead of a system: a pipeline by hand on nats-py, and one on FastStream.

Run as a program, ``python benches/world_rivals.py hand|faststream FOLDER URL`` judges readings until
its input ends. Both read a stream by a durable consumer, write one output for
each reading under an id made from it, so that the server drops what is written twice, and acknowledge what
was written.
"""

import asyncio
import logging
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js.api import ConsumerConfig, StreamConfig

from cim.adapters.nats.link import connect
from cim.leaf.accounts import Credentials
from log_requests import until_told, user_of

READINGS, JUDGEMENTS = "BENCH_READINGS", "BENCH_JUDGEMENTS"
BATCH = 256


class Reading(msgspec.Struct):
    """What came in."""

    sensor: str
    celsius: float
    sent: float


class Judgement(msgspec.Struct):
    """What goes out."""

    sensor: str
    too_warm: bool
    sent: float
    called: float


async def by_hand(url: str, user: Credentials) -> None:
    """nats-py's pull consumer: a batch is judged, all of it is written at once, and acknowledged."""
    async with connect(url, user, "hand") as client:
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(JUDGEMENTS, subjects=["bench.judgements.*"]))
        readings = await stream.pull_subscribe(
            "bench.readings.*", "judge", READINGS, ConsumerConfig(max_ack_pending=4 * BATCH)
        )

        async def one(message: Msg) -> None:
            reading = msgspec.json.decode(message.data, type=Reading)
            judged = Judgement(reading.sensor, reading.celsius > 30.0, reading.sent, time.time())
            await stream.publish(
                f"bench.judgements.{reading.sensor}",
                msgspec.json.encode(judged),
                headers={"Nats-Msg-Id": f"judge-{message.metadata.sequence.stream}"},
            )
            await message.ack()

        async def judging() -> None:
            while True:
                with suppress(NothingCame):
                    await asyncio.gather(*map(one, await readings.fetch(BATCH, timeout=1)))

        await _until_told(judging)


async def on_faststream(url: str, user: Credentials) -> None:
    """FastStream's subscriber with a publisher; its messages are what pydantic makes of them."""
    from faststream.nats import JStream, NatsBroker, PullSub
    from faststream.nats.annotations import NatsMessage
    from pydantic import BaseModel

    class Measured(BaseModel):
        sensor: str
        celsius: float
        sent: float

    class Judged(BaseModel):
        sensor: str
        too_warm: bool
        sent: float
        called: float

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a token and a signature have no other way in
        broker = NatsBroker(
            url, user_jwt_cb=user.present, signature_cb=user.sign, logger=None, log_level=logging.ERROR
        )
    judgements = broker.publisher(
        "bench.judgements.any",
        stream=JStream(JUDGEMENTS, subjects=["bench.judgements.*"]),
    )

    @broker.subscriber(
        "bench.readings.*",
        stream=JStream(READINGS, declare=False),
        durable="judge",
        pull_sub=PullSub(batch_size=BATCH),
        max_workers=64,
    )
    async def judge(reading: Measured, message: NatsMessage) -> None:
        judged = Judged(
            sensor=reading.sensor, too_warm=reading.celsius > 30.0, sent=reading.sent, called=time.time()
        )
        number = message.raw_message.metadata.sequence.stream
        await judgements.publish(
            judged,
            f"bench.judgements.{reading.sensor}",
            headers={"Nats-Msg-Id": f"judge-{number}"},
        )

    async with broker:
        await broker.start()
        await until_told()


async def _until_told(work: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(work())
    told = asyncio.ensure_future(until_told())
    await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        raise RuntimeError("the pipeline ended by itself") from task.exception()
    task.cancel()
    await asyncio.wait((task,))


SIDES = {"hand": by_hand, "faststream": on_faststream}


if __name__ == "__main__":
    asyncio.run(SIDES[sys.argv[1]](sys.argv[3], user_of(Path(sys.argv[2]))))

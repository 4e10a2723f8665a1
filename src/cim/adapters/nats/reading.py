"""Reading the stream in bulk over a lean connection: pages by direct gets, following by a pull consumer.

The server sends a heartbeat every quarter of a second while nothing else comes. Three missed in a row,
a gap in the consumer's numbers, a consumer that is gone, or a connection that broke is a lost link:
the loop in :mod:`cim.log.consumer` opens the log again behind the last commit that it handed on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import msgspec

from cim.adapters.nats.arrivals import UNHEARD_FOR, Batch, Page, Pull
from cim.adapters.nats.direct import newest_of_all
from cim.adapters.nats.link import refusal
from cim.adapters.nats.stream import STREAM
from cim.adapters.nats.wire import Wire
from cim.contract.envelope import Commit
from cim.ports.log import LinkLost

T = TypeVar("T")

_PAGE = 1024
_PAGE_BYTES = 8 << 20
_PAGE_SILENCE = 2.0
_BATCH = 1024
_SECOND = 1_000_000_000
_SILENCE = 0.8

_CONSUMER = {
    "deliver_policy": "by_start_sequence",
    "ack_policy": "none",
    "replay_policy": "instant",
    "inactive_threshold": 10 * _SECOND,
    "mem_storage": True,
    "num_replicas": 1,
    "max_waiting": 8,
}
_NEXT_BYTES = 16 << 20
"""Bytes that one request may bring: twice what the largest message has. Two requests are open at most, so a
reader that is slow holds no more than that, and the server, which cuts a connection for which 64 MB wait,
never has a reason to."""

_NEXT = msgspec.json.encode(
    {"batch": _BATCH, "max_bytes": _NEXT_BYTES, "expires": 30 * _SECOND, "idle_heartbeat": _SECOND // 4}
)


def read(wire: Wire, subject: str, after: int) -> AsyncIterator[Commit]:
    """See :meth:`cim.ports.log.Log.read`."""
    return batches(wire, STREAM, subject, after, Page)


async def batches(
    wire: Wire, stream: str, subject: str, after: int, kind: Callable[[Wire], Batch[T]]
) -> AsyncIterator[T]:
    """What stands on a stream's subject past ``after``, in order, as batches of a kind; ends at the newest.

    What came is handed on while the server still sends the rest. Raises :class:`LinkLost`.
    """
    more = True
    while more:
        batch, what = kind(wire), f"{subject} behind sequence {after}"
        query = {"seq": after + 1, "next_by_subj": subject, "batch": _PAGE, "max_bytes": _PAGE_BYTES}
        try:
            wire.publish(f"$JS.API.DIRECT.GET.{stream}", batch.inbox, b"", msgspec.json.encode(query))
            while not batch.over:
                for one in await batch.came(_PAGE_SILENCE, f"{what}: a read was not answered"):
                    yield one
        finally:
            wire.hush(batch.number)
        more, after = batch.more, batch.last


async def follow(wire: Wire, after: int, *, in_cluster: bool) -> AsyncIterator[list[Commit]]:
    """See :meth:`cim.ports.log.Log.follow`."""
    # In a cluster the consumer may be at a node that lags behind, whose end is not the log's.
    newest = await newest_of_all(wire, STREAM) if in_cluster else 0
    wanted = {"stream_name": STREAM, "config": {**_CONSUMER, "opt_start_seq": after + 1}}
    answer = await wire.ask_api(f"CONSUMER.CREATE.{STREAM}", wanted)
    trouble = refusal(answer)
    if trouble is not None:
        raise LinkLost(f"the log cannot be followed: {trouble[1]} (code {trouble[0]})")
    consumer, pull = str(answer["name"]), Pull(wire)
    try:
        if int(answer.get("num_pending", 0)) == 0 and after >= newest:
            yield []
        while True:
            if pull.wanted == 0 and pull.unheard:
                await asyncio.sleep(UNHEARD_FOR)
            if pull.wanted < _BATCH // 2:  # so that the server never waits for us
                wire.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}", pull.inbox, b"", _NEXT)
                pull.wanted += _BATCH
            commits = await pull.came(_SILENCE, f"the log was silent for {_SILENCE} s")
            at_end = bool(commits) and pull.at_end and commits[-1].sequence >= newest
            if commits:
                yield commits
            if at_end:
                yield []
    finally:
        wire.hush(pull.number)
        wire.publish(f"$JS.API.CONSUMER.DELETE.{STREAM}.{consumer}", pull.inbox, b"", b"")

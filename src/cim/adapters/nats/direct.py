"""Reading what a stream holds as its leader holds it: nothing is made on the server for it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from cim.adapters.nats.lean import Lean
from cim.adapters.nats.link import refusal
from cim.adapters.nats.wire import Wire
from cim.ports.log import LinkLost

_NO_MESSAGE = 10037
"""The server's code for: there is no such message."""

_SILENCE = 2.0
_GLANCE = 0.01

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """A stored message as it stands: its header block is empty where it has none."""

    sequence: int
    subject: str
    block: bytes
    body: bytes


async def whole(
    lean: Lean,
    stream: str,
    subject: str,
    after: int,
    read: Callable[[int], AsyncIterator[T]],
    place: Callable[[T], int],
) -> AsyncIterator[T]:
    """All that ``read`` gives past ``after``, up to what the stream's leader holds on the subject.

    A direct get is answered by any replica, and in a cluster it may lag behind: then it is asked again.
    Raises :class:`LinkLost` where none has caught up in two seconds.
    """
    newest = await newest_on(lean, stream, subject) if lean.replicas > 1 else 0
    glances = int(_SILENCE / _GLANCE)
    for _ in range(glances):
        async for one in read(after):
            yield one
            after = place(one)
        if after >= newest:
            return
        await asyncio.sleep(_GLANCE)
    raise LinkLost(f"{subject}: the replicas are behind: at {after}, the leader at {newest}")


async def newest_on(lean: Lean, stream: str, subject: str) -> int:
    """The sequence of the last message on a subject, as the stream's leader holds it; 0 for none.

    Raises :class:`LinkLost`.
    """
    found = await held(lean, stream, {"last_by_subj": subject})
    return 0 if found is None else found.sequence


async def held(asked: Lean | Wire, stream: str, wanted: dict[str, Any]) -> Found | None:
    """A message as the stream's leader holds it (``seq``, ``last_by_subj``, ``next_by_subj``), or None.

    A direct get may be answered by a replica that lags behind, this is not. Raises :class:`LinkLost`.
    """
    answer = await asked.ask_api(f"STREAM.MSG.GET.{stream}", wanted)
    trouble = refusal(answer)
    if trouble is None:
        told = answer["message"]
        block, body = (base64.b64decode(told.get(part, "")) for part in ("hdrs", "data"))
        return Found(int(told["seq"]), told["subject"], block, body)
    if trouble[0] == _NO_MESSAGE:
        return None
    raise LinkLost(f"stream {stream}: {wanted} was not read: {trouble[1]} (code {trouble[0]})")


async def newest_of_all(asked: Lean | Wire, stream: str) -> int:
    """The sequence of a stream's last message, as its leader holds it; raises :class:`LinkLost`."""
    answer = await asked.ask_api(f"STREAM.INFO.{stream}", {})
    trouble = refusal(answer)
    if trouble is not None:
        raise LinkLost(f"stream {stream}: {trouble[1]} (code {trouble[0]})")
    return int(answer["state"]["last_seq"])

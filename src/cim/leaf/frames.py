"""What leaf and worker process say to each other: frames of MessagePack behind their length.

| from | frame | answered by |
| --- | --- | --- |
| leaf | ``serve`` systems of a machine's folder | ``ready``, ``seed``, ``refused`` with why |
| leaf | ``run`` a system on plain values | ``done`` with outputs, ``failed``, ``unavailable`` with a cause |
|  | of an agent | ``ended``, since it was told to ``end`` |
| worker | ``load`` a content, ``keep`` a content | ``content``, ``kept``, ``missing`` |
| worker | ``ask`` a provider over NATS | ``answered``, ``missing``, ``unavailable`` with a cause |
| worker | ``step`` of some kind: it goes on | |
| worker | ``think``: an agent asks its model | |
| worker | ``recall`` the steps of an agent's run | ``recalled``, ``missing``, ``unavailable`` |
| worker | ``note`` a step of it | ``noted``, ``missing``, ``unavailable`` |
| worker | ``act``: use a tool that it was granted | ``acted``, ``missing``, ``unavailable`` |
|  | each of these three | ``end``: a person is asked first, or it may work no more |

One that was to be a seed (:mod:`cim.leaf.seed`) and cannot be one tells why with its ``ready``.
"""

from collections.abc import Callable
from typing import Any

import msgspec

LENGTH = 8
LARGEST = 1 << 31
"""Bytes of one frame."""


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One thing said: its kind, a name or text, and data (plain values and bytes)."""

    kind: str
    text: str = ""
    data: Any = None


class Serve(msgspec.Struct, frozen=True):
    """What a worker is for: systems by their full names, out of modules of a machine's folder, within so
    many megabytes of data."""

    folder: str
    modules: tuple[str, ...]
    systems: tuple[str, ...]
    memory_mb: int


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Frame)


def packed(frame: Frame) -> bytes:
    """A frame as it travels."""
    body = _ENCODER.encode(frame)
    return len(body).to_bytes(LENGTH, "big") + body


def unpacked(body: bytes) -> Frame:
    """The frame in a body; raises :class:`msgspec.MsgspecError`."""
    return _DECODER.decode(body)


def read_frame(read: Callable[[int], bytes]) -> Frame | None:
    """The next frame of a blocking reader; None at its end."""
    head = read(LENGTH)
    if len(head) < LENGTH:
        return None
    size = int.from_bytes(head, "big")
    body = read(size)
    return unpacked(body) if len(body) == size else None

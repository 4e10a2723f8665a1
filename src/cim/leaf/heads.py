"""Where the log stood, written down outside of it, so that a cut tail or a rewritten history shows."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from cim.leaf.private import write_private
from cim.ports.clock import Clock
from cim.world.world import World

FILE = "head.json"
EVERY = 1.0


@dataclass(frozen=True, slots=True)
class KeptHead:
    """The log's newest sequence and the running digest over every commit up to it."""

    sequence: int
    digest: str


async def keep_head(world: World, folder: Path, clock: Clock) -> None:
    """Write the head down every second while it moves, and once more when cancelled."""
    kept = 0
    try:
        while True:
            kept = _write(world, folder, kept)
            await clock.sleep(EVERY)
    finally:
        _write(world, folder, kept)


def _write(world: World, folder: Path, kept: int) -> int:
    # Before it is caught up the world stands behind what an earlier run wrote down.
    if world.caught_up and world.sequence > kept:
        head = KeptHead(world.sequence, world.digest)
        write_private(folder / FILE, msgspec.json.encode(head).decode())
    return world.sequence if world.caught_up else kept


def read_head(folder: Path) -> KeptHead | None:
    """The head that was written down; None where none was."""
    path = folder / FILE
    return msgspec.json.decode(path.read_bytes(), type=KeptHead) if path.exists() else None

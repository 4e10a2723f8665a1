"""Where the log stood, written down outside of it, so that a cut tail or a rewritten history shows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cim.domain.errors import CimError
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


class HeadUnreadable(CimError):
    """The file of the kept head is there and cannot be read."""


async def keep_head(world: World, folder: Path, clock: Clock, tell: Callable[[str], None]) -> None:
    """Write the head down every second while it moves, and once more when cancelled.

    A log that ends before the head that an earlier run wrote down lost its tail, and one that passed it
    with another digest was rewritten: that is told, and the old head stays for ``cim verify`` to show,
    until a person removes it. The world's milestone must be the kept head.
    """
    await world.until_caught_up()
    kept = read_head(folder)
    if kept is not None and world.sequence < kept.sequence:
        tell(
            f"the log ends at {world.sequence}, it stood at {kept.sequence}: its tail was lost or cut; "
            f"`cim verify` tells more, and {folder / FILE} is not written until you have removed it"
        )
        return
    if kept is not None and world.passed not in (None, kept.digest):
        tell(
            f"the log up to {kept.sequence} is not the one that stood here: it was rewritten; "
            f"`cim verify` tells more, and {folder / FILE} is not written until you have removed it"
        )
        return
    written = 0
    try:
        while True:
            written = _write(world, folder, written)
            await clock.sleep(EVERY)
    finally:
        _write(world, folder, written)


def read_head(folder: Path) -> KeptHead | None:
    """The head that was written down; None where none was. Raises :class:`HeadUnreadable`."""
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeptHead) if path.exists() else None
    except msgspec.DecodeError as error:
        raise HeadUnreadable(
            f"{path}: {error}. It was changed by hand: put it back from a copy, or remove it"
        ) from error


def _write(world: World, folder: Path, written: int) -> int:
    if world.sequence > written:
        head = KeptHead(world.sequence, world.digest)
        write_private(folder / FILE, msgspec.json.encode(head).decode())
    return world.sequence

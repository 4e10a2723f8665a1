"""Whether a world can go on from an index: where it was folded from this very log, by this very code."""

from collections.abc import Callable

from cim.ports.index import UNKEPT, Index, Standing
from cim.ports.log import Log
from cim.world.indexed import APART, IndexedEntities
from cim.world.world import World


async def go_on(
    world: World,
    entities: IndexedEntities,
    index: Index,
    log: Log,
    milestone: int,
    tell: Callable[[str], None],
) -> None:
    """Let a world begin where the index of its ``entities`` stands; where that cannot be, the index is thrown
    away with a word, and the world begins at the log's beginning. Raises :class:`cim.ports.log.LinkLost`."""
    standing = index.standing()
    if standing is None:
        return
    why = await _doubt(standing, entities, log, milestone)
    if why is None and len(index.bodiless(APART + 1)) > APART:
        why = f"more than {APART:,} entities are not kept there, since they are personal"
    if why is None and any(body == UNKEPT for _, body in index.parts()):
        why = "what a process waits for could not be kept there"
    if why is not None:
        tell(f"the index of the world is made anew from the log: {why}")
        index.clear()
        return
    await world.go_on(standing, entities.begin(standing))


async def _doubt(standing: Standing, entities: IndexedEntities, log: Log, milestone: int) -> str | None:
    """Why an index is not believed; None where it is."""
    if standing.version != entities.version or entities.beside not in ("", standing.beside):
        return "other code folded it"
    if await log.last() < standing.sequence:
        return f"it holds a log up to {standing.sequence:,}, and this one ends before"
    newest = await log.next_on(standing.subject, standing.sequence - 1)
    if newest is None or (newest.sequence, newest.digest) != (standing.sequence, standing.commit):
        return f"it holds a log that has another entry at {standing.sequence:,}"
    if not is_known(standing, milestone):
        return f"what the log was at {milestone:,}, where its head was kept, is not known there"
    return None


def is_known(standing: Standing, milestone: int) -> bool:
    """Whether it can be told what the log was at a milestone: it is yet to be read, or was marked."""
    return milestone in (0, standing.milestone) or milestone >= standing.sequence

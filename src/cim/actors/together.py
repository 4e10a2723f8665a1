"""One command decided on several entities at once, and written to all of them or to none."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from cim.actors.actor import Actor
from cim.actors.request import Asked, Receipt, Rejection
from cim.contract.envelope import Commit
from cim.contract.rule import Decided, RuleType
from cim.domain.errors import Reject
from cim.domain.state import State
from cim.log.append import AppendedTogether, append_together
from cim.log.chain import BrokenChain, Head
from cim.ports.clock import Clock
from cim.ports.log import Log


async def handle_together(
    rule: RuleType, asked: Asked, actors: Sequence[Actor], log: Log, clock: Clock
) -> Receipt | Rejection:
    """Decide a command by a rule on its entities' newest states, and append what it leads to.

    ``actors`` are the rule's entities in its order. Each of them gets a commit, be it an empty one: so its
    state was the newest when the rule looked at it, and it knows the command's id. The first one's comes
    last, so that the receipt's sequence is the newest of all. Raises as :meth:`Actor.handle` does.
    """
    async with AsyncExitStack() as stack:
        # In one order everywhere: two rules that wait for each other's entities would wait for ever.
        for actor in sorted(actors, key=lambda one: one.ref):
            await stack.enter_async_context(actor.mailbox)
        fresh = any(actor.head.sequence == 0 for actor in actors)
        if fresh:
            await _catch_up(actors, log)
        while (earlier := await _earlier(asked, actors, log, fresh=fresh)) is None:
            try:
                decided = rule.decide(asked.command, [actor.state for actor in actors])
            except Reject as reject:
                if fresh:
                    return Rejection(str(asked.ref), str(reject))
            else:
                if await _written(asked, actors, decided, log, clock):
                    continue
            # Another process went ahead, or may have: no append checks a rejection.
            await _catch_up(actors, log)
            fresh = True
        return earlier


async def _catch_up(actors: Sequence[Actor], log: Log) -> None:
    """Take in what the log holds of all of them at one moment.

    They are read one after the other, and a write may come between. Where a whole round finds nothing new,
    nothing came between the reads of the round before.
    """
    before: list[Head] | None = None
    while before != (now := [actor.head for actor in actors]):
        before = now
        for actor in actors:
            await actor.catch_up(log)


async def _earlier(
    asked: Asked, actors: Sequence[Actor], log: Log, *, fresh: bool
) -> Receipt | Rejection | None:
    """The first receipt of this very command, or a rejection of another one under its id on any entity."""
    heads: list[Head] | None = None
    # To look an id up may read an entity anew: then all of them are read up to one moment again.
    while heads != (now := [actor.head for actor in actors]):
        if heads is not None:
            await _catch_up(actors, log)
            now = [actor.head for actor in actors]
        heads = now
        found = [await actor.earlier(asked, log) for actor in actors]
    rejections = [one for one in found if isinstance(one, Rejection)]
    if rejections:
        return rejections[0]
    there = [actor for actor, one in zip(actors, found, strict=True) if one is not None]
    if fresh and 0 < len(there) < len(actors):
        raise BrokenChain(
            f"{asked.origin.id} was written to {', '.join(str(one.ref) for one in there)} and not to the "
            f"others of its rule: part of one write is missing from the log"
        )
    return found[0] if len(there) == len(actors) else None


async def _written(asked: Asked, actors: Sequence[Actor], decided: Decided, log: Log, clock: Clock) -> bool:
    """Append what was decided; whether it is in the log, and taken in."""
    numbers = {actor.ref.events: actor.head.number + 1 for actor in actors}
    parts: list[tuple[Actor, Commit, State]] = []
    for actor, events in zip(actors, decided, strict=True):
        if actor.sealing is not None:
            await actor.sealing.prepare(actor.ref.events, events)
        others = {subject: number for subject, number in numbers.items() if subject != actor.ref.events}
        parts.append((actor, *actor.commit(asked, events, clock, others)))
    parts = [*parts[1:], parts[0]]
    outcome = await append_together(log, clock, [(commit, actor.head) for actor, commit, _ in parts])
    if not isinstance(outcome, AppendedTogether):
        return False
    for (actor, commit, state), stored in zip(parts, outcome.commits, strict=True):
        actor.written(stored, commit, state)
    return True

"""The one consumer loop: whatever reads the log in order and for ever reads it by this.

It hands on every commit exactly once and in order while it runs, and heals by opening the log
again behind the last commit that it handed on; it ends only by being cancelled or by an error that
its reader must see.
"""

from collections.abc import Awaitable, Callable

from cim.contract.envelope import Commit
from cim.log.backoff import delays
from cim.ports.clock import Clock
from cim.ports.log import LinkLost, Log

Handle = Callable[[list[Commit]], Awaitable[None]]


async def consume(
    log: Log,
    clock: Clock,
    after: int,
    handle: Handle,
    trouble: Callable[[str], None] = lambda reason: None,
) -> None:
    """Give ``handle`` every commit past ``after``, in batches; an empty batch says "at the end now".

    ``trouble`` is told why the link was lost, each time.
    """
    waits = delays()
    while True:
        try:
            async for batch in log.follow(after):
                await handle(batch)
                if batch:
                    after = batch[-1].sequence
                waits = delays()
        except LinkLost as lost:
            trouble(str(lost))
            await clock.sleep(next(waits))

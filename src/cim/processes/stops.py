"""Where processes stand still, as the log says."""

from contextlib import suppress

from cim.contract import codec
from cim.log.release import released
from cim.ports.log import Log
from cim.processes.step import Stopped, is_step, read_step


async def stands_still(log: Log, subject: str, sequence: int) -> bool:
    """Whether the commit at ``sequence`` on a process's subject is what it stands still at now."""
    stop, found, digest = None, 0, ""
    async for commit in log.read(subject):
        with suppress(codec.BadBody):
            said = released(commit)
            if said is not None and said.digest == digest:
                stop = None
            elif is_step(commit):
                cause = read_step(commit).cause
                if isinstance(cause, Stopped):
                    stop, found, digest = cause, commit.sequence, commit.digest
                elif stop is not None and stop.work == commit.id:
                    stop = None
    return stop is not None and found == sequence

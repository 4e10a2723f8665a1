"""What is true of a whole kind of process: from where on it takes which events, and what is settled."""

from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.schema import dataschema
from cim.log.append import append
from cim.ports.clock import Clock, stamp
from cim.ports.log import Log
from cim.processes.pending import Kind, Pending
from cim.processes.step import STEP, Settled, Takes, items_of, made_id


class Positions:
    """Writes on the subjects of the kinds themselves; returns the sequence that the fold must reach then."""

    def __init__(self, pending: Pending, log: Log, clock: Clock, source: str) -> None:
        self._pending, self._log, self._clock, self._source = pending, log, clock, source

    async def begin(self, kind: Kind) -> int:
        """Say from where on the kind takes its events, unless the log says so: 0."""
        wanted = frozenset(kind.type.takes)
        return 0 if kind.takes == wanted else await self._say(kind, Takes(tuple(sorted(wanted))))

    async def settle(self, kind: Kind) -> int:
        """Write down up to where nothing is left to do, so that nobody looks at it again; 0 for nowhere."""
        last = self._pending.settled(kind)
        return 0 if last is None else await self._say(kind, Settled(last.subject, last.number, last.id))

    async def _say(self, kind: Kind, said: Takes | Settled) -> int:
        commit = Commit(
            subject=kind.type.itself,
            number=0,
            origin=Origin.root(made_id(kind.type, kind.head.digest, said), self._source),
            source=self._source,
            type=f"{kind.type}.{STEP}",
            time=stamp(self._clock),
            schema=dataschema(()),
            body=codec.encode(items_of(said)),
        )
        return (await append(self._log, self._clock, commit, kind.head)).commit.sequence

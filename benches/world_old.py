"""A log with many entities in it, written beforehand: as their actors and the system of world_many would."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Derivation, Origin
from cim.contract.schema import dataschema
from cim.contract.subjects import Ref
from cim.log.chain import Head
from costs import Cost, metered
from log_history import frame
from log_raw import Raw
from log_sides import SOURCE, server_on
from world_many import Counted, components, many

CHUNK, WINDOW = 4_000, 512
LONG_AGO = "2026-01-01T00:00:00.000000Z"
"""When all of it was written: the same each time, so that the chain is."""
SYSTEM = compose([many]).systems[0]
EVENTS, WRITTEN = dataschema([Counted]), dataschema([kind.component for kind in SYSTEM.writes])


def article(number: int) -> Ref:
    """The entity of this number."""
    return Ref(many.name, "Article", f"a{number:07}")


def counted(ref: Ref, pieces: int, id: str, time: str = LONG_AGO) -> Commit:
    """A count as its actor would write it, not linked yet."""
    return Commit(
        subject=ref.events,
        number=0,
        origin=Origin.root(id, "person:bench"),
        source=SOURCE,
        type="world_many.Article.Committed",
        time=time,
        schema=EVENTS,
        body=codec.write([Counted(ref.id, pieces)]),
    )


def past(number: int) -> tuple[Commit, Commit]:
    """All that stands in the log of one entity: its count, and what the system made of that."""
    ref = article(number)
    first = Head().link(counted(ref, number, f"count-{number}"))
    second = Commit(
        subject=ref.components(many.name),
        number=0,
        origin=first.origin.child(f"describe-{number}"),
        source=SOURCE,
        type="world_many.Article.Composed",
        time=first.time,
        schema=WRITTEN,
        body=codec.encode(codec.item(one) for one in components(number, 0.0)),
        derivation=Derivation(str(SYSTEM), SYSTEM.version, {"state": 1}, 0.1, "done"),
    )
    return first, Head().link(second)


async def write(state: Path, entities: int) -> Cost:
    """Put so many entities into the empty log of a leaf's folder (``<machine>/.cim``)."""
    async with server_on(state, "dev") as (server, user), connect(server.url, user, "bench") as client:
        await NatsLog.open(client)
        with Raw(server, user) as raw, metered(entities) as meter:
            inbox, commits = raw.inbox(), _all(entities)
            while chunk := [frame(one, inbox) for one in islice(commits, CHUNK)]:
                raw.send(chunk, WINDOW)
    return meter.cost


def _all(entities: int) -> Iterator[Commit]:
    for number in range(entities):
        yield from past(number)

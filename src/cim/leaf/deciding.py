"""The entities of a leaf at their mailboxes, with their snapshots in a file beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from cim.actors.actors import Actors
from cim.actors.past import Keeping
from cim.adapters.sqlite.snapshots import FILE, SqliteSnapshots
from cim.adapters.system import SystemClock
from cim.leaf.node import Node, Tell
from cim.leaf.private import private_folder


@asynccontextmanager
async def deciding(node: Node, tell: Tell) -> AsyncIterator[Actors]:
    """Actors on a node's log, until the block ends."""
    path = private_folder(node.machine.state) / FILE
    with closing(SqliteSnapshots(path, tell)) as store:
        keeping = Keeping(store, tell)
        source = node.machine.source
        yield Actors(node.composition, node.log, SystemClock(), source, sealing=node.sealing, keeping=keeping)

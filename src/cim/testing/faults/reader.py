"""Writes the log, as the leaf of a folder holds it, to a file: ``reader FOLDER FILE``. To be run where that
leaf is, in its own network namespace."""

import asyncio
import pickle
import sys
from pathlib import Path

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.contract.envelope import Commit
from cim.leaf.accounts import Credentials
from cim.ports.log import LinkLost
from cim.testing.faults.reaching import address_of


async def read(folder: Path) -> list[Commit]:
    """The whole log. Raises :class:`LinkLost`."""
    address = address_of(folder)
    if address is None:
        raise LinkLost("the leaf is not up")
    async with connect(address.url, Credentials(address.jwt, address.seed), "the oracle") as client:
        return [commit async for commit in NatsLog(client).read(">")]


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(pickle.dumps(asyncio.run(read(Path(sys.argv[1])))))

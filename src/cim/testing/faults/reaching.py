"""How the processes of a fault run find the leaf: by its folder, however often it is started anew."""

import asyncio
from pathlib import Path

from cim.leaf.accounts import Credentials
from cim.leaf.lock import LeafAddress, LeafUnreadable, find_running
from cim.leaf.machine import STATE_FOLDER

GLANCE = 0.05


def address_of(folder: Path) -> LeafAddress | None:
    """Where the leaf of a machine's folder is; None while it is not up."""
    try:
        return find_running(folder / STATE_FOLDER)
    except (LeafUnreadable, OSError):
        return None


async def credentials_of(folder: Path) -> Credentials:
    """The machine's user, as the leaf tells it; waits until one is up."""
    while True:
        address = address_of(folder)
        if address is not None:
            return Credentials(address.jwt, address.seed)
        await asyncio.sleep(GLANCE)

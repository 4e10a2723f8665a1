"""The keys of persons: where a machine keeps them, and opening its log with them."""

from cim.adapters.sqlite.keys import SqliteKeys
from cim.leaf.machine import Machine
from cim.log.erasure import settle
from cim.log.sealing import Sealing
from cim.ports.log import Log

FOLDER, FILE = "persons", "keys.sqlite"
"""In the leaf's own folder, and apart from the log: a copy of the log is worth nothing without it."""


def person_keys(machine: Machine) -> SqliteKeys:
    """The machine's store of keys; its file is made with the first key."""
    return SqliteKeys(machine.state / FOLDER / FILE)


async def reading(machine: Machine, log: Log) -> Sealing:
    """What opens the machine's personal values for a command that reads: nothing of those whom the log says
    to be erased, whatever the store still holds."""
    sealing = Sealing(person_keys(machine))
    await settle(log, sealing)
    return sealing

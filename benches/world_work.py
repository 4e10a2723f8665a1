"""A module whose system computes: for its workers beside each other."""

from collections.abc import Iterable
from hashlib import sha256

from cim import Changed, Command, Component, Context, Event, State

work = Context("world_work")

ROUNDS = 40_000
"""Digests of digests: some twenty milliseconds of one processor."""


class Bring(Command):
    """Bring a lump."""

    lump: str


class Brought(Event):
    """It is here."""

    lump: str


@work.entity(key="lump")
class Lump(State):
    """Something to work on."""

    name: str = ""

    def decide(self, command: Bring) -> Iterable[Brought]:
        """Takes everything."""
        return [Brought(command.lump)]

    def evolve(self, event: Brought) -> "Lump":
        """Its name is all that it has."""
        return self.but(name=event.lump)


@work.component(of=Lump)
class Dug(Component):
    """What came out of it."""

    digest: str


@work.system
def dig(lump: Changed[Lump]) -> Dug:
    """Computes and waits for nothing."""
    found = lump.name.encode()
    for _ in range(ROUNDS):
        found = sha256(found).digest()
    return Dug(found.hex())

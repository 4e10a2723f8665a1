"""Snapshots of entities: where their state once stood, so that a long history need not be read again.

Never the truth: each is checked against the log before it is used, and all can be thrown away at any time.
Every adapter passes :mod:`cim.testing.snapshots_conformance`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An entity's state behind one of its commits: of that, the sequence, the number and the digest.

    ``version`` names the code that folded it, ``state`` holds it as JSON.
    """

    subject: str
    sequence: int
    number: int
    digest: str
    version: str
    state: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where the command of an id stands, as far as a snapshot tells: its commit's sequence, None where it
    is not before that snapshot; ``digest`` is the snapshot's, None where there is none."""

    sequence: int | None
    digest: str | None


class Snapshots(Protocol):
    """One snapshot an entity, with the ids of all commands before it, each with its commit's sequence.

    :meth:`load` and :meth:`find` stand on the way of a command: they answer at once and wait for no other.
    What a store cannot read is not there, and what it cannot keep is not kept: no error ends a command.
    """

    def load(self, subject: str) -> Snapshot | None:
        """The snapshot of the entity whose commits are on ``subject``."""
        ...

    def find(self, subject: str, id: str) -> Place:
        """Where the command of that id stands."""
        ...

    async def keep(
        self, make: Callable[[], Snapshot], ids: Sequence[tuple[str, int]], behind: str | None
    ) -> bool:
        """Keep a snapshot, and the ids with their sequences since the one whose digest is ``behind``, both
        or neither; whether they are kept. None: the ids are all there are.

        Nothing is kept where another snapshot stands there than ``behind`` names. ``make`` is called once,
        maybe in another thread; where it raises, nothing is kept.
        """
        ...

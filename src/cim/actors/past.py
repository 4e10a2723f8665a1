"""What lies behind an entity: the commands that it has seen, and its snapshots.

The ids since the newest snapshot are in memory. Those before it are looked up in the store, which tells where
in the log the commit of an id stands: what a receipt says is read there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cim.actors.request import Receipt
from cim.contract import codec
from cim.contract.entity import EntityType
from cim.contract.envelope import Commit
from cim.contract.subjects import Ref
from cim.domain.state import State
from cim.log.chain import Head
from cim.log.sealing import BadSeal, Sealing
from cim.ports.keys import KeyLost, PersonErased
from cim.ports.log import Log
from cim.ports.snapshots import Snapshot, Snapshots


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where snapshots are kept, and when: ``every`` so many commits, and with ``parting`` or more commits
    since the last one when a warm entity is let go. ``tell`` is told of states that cannot be kept."""

    store: Snapshots
    tell: Callable[[str], None]
    every: int = 50
    parting: int = 20


AT_MOST = 10
"""How many times ``every`` a loading entity may go ahead of a snapshot that is being written."""

Seen = tuple[str | None, Receipt]
"""The digest of what a command asked, and its receipt."""


@dataclass(frozen=True, slots=True)
class _Personal:
    """A state with personal fields as it is kept: sealed, with the persons whom it was folded from."""

    persons: tuple[str, ...]
    state: dict[str, Any]


class Forgotten(Exception):
    """The snapshot that this entity went on from is no longer there: its older ids cannot be looked up."""


@dataclass(slots=True)
class Past:
    """The ids of every command in an entity's history, and the snapshots of its states.

    ``recent`` and ``_leaving`` hold the ids in memory; the latter are those that the snapshot holds which
    is being written. Those before ``_behind``, the digest of the newest snapshot, are in the store.

    With ``sealing`` what is personal in a state is sealed in its snapshot. ``plain`` are the persons of whom
    the state was folded from values that could be read: what else in it comes of those nobody knows, so its
    snapshot names them, and is worth nothing once one of them is erased.
    """

    ref: Ref
    kind: EntityType
    keeping: Keeping | None
    sealing: Sealing | None = None
    plain: set[str] = field(default_factory=set)
    recent: dict[str, Seen] = field(default_factory=dict)
    _leaving: dict[str, Seen] = field(default_factory=dict)
    _behind: str | None = None
    _next: str | None = None
    _writing: asyncio.Task[None] | None = None
    _waits: tuple[Head, State] | None = None
    _due: int = 0

    def begin(self) -> tuple[Head, State] | None:
        """Where the entity's snapshot stands, unchecked; None where there is none that this code made.

        To be followed by :meth:`rely` once the log was seen to hold it.
        """
        found = None if self.keeping is None else self.keeping.store.load(self.ref.events)
        if found is None or found.version != self.kind.version:
            return None
        try:
            state = self._state(found.state)
        except (codec.BadBody, KeyLost, BadSeal):  # it is read from its beginning, which tells
            return None
        if state is None:
            return None
        return Head(found.sequence, found.number, found.digest), state

    def rely(self, head: Head) -> None:
        """Look up the ids before this head in the store."""
        self._behind = head.digest

    def take(self, commit: Commit) -> None:
        """Take in the id of the next commit."""
        receipt = Receipt(commit.id, self.ref.id, commit.sequence, commit.origin.correlation)
        self.recent[commit.id] = (commit.request, receipt)

    async def find(self, id: str, log: Log) -> Seen | None:
        """What was seen under an id; None for a new one. Raises :class:`Forgotten`."""
        found = self.recent.get(id) or self._leaving.get(id)
        if found is not None or self._behind is None or self.keeping is None:
            return found
        place = self.keeping.store.find(self.ref.events, id)
        if place.digest is None or place.digest not in (self._behind, self._next):
            raise Forgotten
        if place.sequence is None:
            return None
        commit = await log.next_on(self.ref.events, place.sequence - 1)
        if commit is None or (commit.sequence, commit.id) != (place.sequence, id):
            raise Forgotten
        return commit.request, Receipt(id, self.ref.id, commit.sequence, commit.origin.correlation)

    def went_on(self, head: Head, state: State) -> None:
        """The entity has this state now: keep it where it is time for that."""
        if self.keeping is not None and len(self.recent) >= max(self.keeping.every, self._due):
            if self._writing is None:
                self._keep(head, state)
            else:
                self._waits = head, state

    def part(self, head: Head, state: State) -> None:
        """The entity is let go."""
        parting = self.keeping is not None and len(self.recent) >= self.keeping.parting
        if parting and self._writing is None:
            self._keep(head, state)

    async def keep_up(self) -> None:
        """Wait for the snapshot that is being written, if the entity is far ahead of it."""
        if self.keeping is not None and len(self.recent) >= AT_MOST * self.keeping.every:
            await self.written()

    async def written(self) -> None:
        """Wait until no snapshot is being written."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def _keep(self, head: Head, state: State) -> None:
        self._leaving, self.recent, self._next = self.recent, {}, head.digest
        self._waits = None
        self._writing = asyncio.ensure_future(self._write(head, state))

    async def _write(self, head: Head, state: State) -> None:
        assert self.keeping is not None
        ids = [(id, receipt.sequence) for id, (_, receipt) in self._leaving.items()]
        trouble: list[str] = []
        persons = sorted(self.plain)

        def make() -> Snapshot:
            try:
                body = self._body(state, persons)
            except codec.BadBody as error:
                trouble.append(str(error))
                raise
            place = (head.sequence, head.number, head.digest)
            return Snapshot(self.ref.events, *place, self.kind.version, body)

        kept = False
        try:
            kept = await self.keeping.store.keep(make, ids, self._behind)
        finally:
            self._written(kept, head)
        if trouble:
            self.keeping.tell(f"{self.ref}: no snapshot is kept of its state: {trouble[0]}")

    def _body(self, state: State, persons: list[str]) -> bytes:
        """A state as it is kept; raises :class:`PersonErased` where it should be folded anew."""
        if self.sealing is None:
            return codec.whole(state)
        codec.check(state)
        for person in persons:
            if self.sealing.is_erased(person):
                raise PersonErased(person)
        sealed = self.sealing.sealed(self._place, state, self.ref, late=True)
        return codec.json_bytes(_Personal(tuple(persons), sealed))

    def _state(self, body: bytes) -> State | None:
        """The state in a snapshot; None where somebody was erased since."""
        if self.sealing is None:
            return codec.record(body, self.kind.state)
        kept = codec.record(body, _Personal)
        if any(map(self.sealing.is_erased, kept.persons)):
            return None
        self.plain = {*kept.persons}
        plain = self.sealing.opened(self._place, self.kind.state.__name__, kept.state)
        return codec.typed(plain, self.kind.state)

    @property
    def _place(self) -> str:
        """The place to which personal values of a snapshot are sealed."""
        return f"snapshot.{self.ref.events}"

    def _written(self, kept: bool, head: Head) -> None:
        self._writing = self._next = None
        if kept:
            self._behind, self._due = head.digest, 0
        else:
            self.recent = {**self._leaving, **self.recent}
            self._due = 2 * len(self.recent)
        self._leaving = {}
        if kept and self._waits is not None:
            self._keep(*self._waits)

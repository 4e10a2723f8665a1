"""One entity at work: its state, its head in the log, and the commands that it has seen."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from cim.actors.past import Forgotten, Keeping, Past, Seen
from cim.actors.request import Asked, Receipt, Rejection
from cim.contract import codec
from cim.contract.entity import EntityType
from cim.contract.envelope import Commit
from cim.contract.schema import dataschema
from cim.contract.shapes import UnknownShape
from cim.contract.subjects import Ref
from cim.domain.errors import CimError, Reject
from cim.domain.message import Event
from cim.domain.state import State
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.release import RELEASE, is_released
from cim.log.sealing import Sealing
from cim.ports.clock import Clock, stamp
from cim.ports.log import Log


class UnknownEvent(CimError):
    """A commit holds an event that this machine's module does not declare: the entity is stopped."""


@dataclass(slots=True)
class Actor:
    """An entity's mailbox: commands are decided one after the other, each on the newest state.

    ``past`` knows the id of every command in the entity's history, so that a command sent again, however
    late, has one effect. ``sealing`` is there where the entity's types have personal fields.
    """

    ref: Ref
    kind: EntityType
    source: str
    sealing: Sealing | None = None
    keeping: Keeping | None = None
    state: State = field(init=False)
    head: Head = field(default_factory=Head)
    past: Past = field(init=False)
    mailbox: asyncio.Lock = field(default_factory=asyncio.Lock)
    _subject: str = field(init=False)
    _type: str = field(init=False)

    def __post_init__(self) -> None:
        self._subject, self._type = self.ref.events, f"{self.kind}.Committed"
        self._begin()

    async def handle(self, asked: Asked, log: Log, clock: Clock) -> Receipt | Rejection:
        """Decide a command and append what it leads to.

        Raises :class:`cim.log.append.OutcomeUnknown` when the log gave no answer in time.
        """
        async with self.mailbox:
            fresh = self.head.sequence == 0
            if fresh:
                await self.catch_up(log)
            while (earlier := await self.earlier(asked, log)) is None:
                try:
                    events = tuple(self.state.decide(asked.command))
                    if self.sealing is not None:
                        await self.sealing.prepare(self._subject, (asked.command, *events))
                    commit, state = self.commit(asked, events, clock)
                except Reject as reject:
                    if fresh:
                        return Rejection(str(self.ref), str(reject))
                else:
                    outcome = await append(log, clock, commit, self.head)
                    if isinstance(outcome, Appended):
                        self.written(outcome.commit, commit, state)
                        continue
                # Another process went ahead, or may have: no append checks a rejection.
                await self.catch_up(log)
                fresh = True
            return earlier

    def apply(self, commit: Commit) -> None:
        """Take in the next commit of this entity; raises when it does not follow or is not known."""
        head = self.head.advance(commit)
        self._take(commit, head, self.state if commit.type == RELEASE else self._folded(commit))

    def written(self, stored: Commit, decided: Commit, state: State) -> None:
        """Take in the commit that is in the log, of which ``state`` comes if it is the one just decided."""
        # What a body leads to is known already, unless an earlier try wrote another.
        same = stored.body == decided.body
        self._take(stored, self.head.advance(stored), state if same else self._folded(stored))
        self.past.went_on(self.head, self.state)

    def _take(self, commit: Commit, head: Head, state: State) -> None:
        self.head, self.state = head, state
        self.past.take(commit)

    def _folded(self, commit: Commit) -> State:
        state = self.state
        body = commit.body if self.sealing is None else self.sealing.body(commit, self.past.plain)
        read = self.kind.shapes.read
        for item in codec.unread(body):
            try:
                events = read(item)
            except UnknownShape as error:
                raise self._unknown(item, commit, error) from error
            for event in events:
                state = state.evolve(event)
        return state

    def _unknown(self, item: codec.Unread, commit: Commit, error: UnknownShape) -> UnknownEvent:
        where = f"at sequence {commit.sequence}" if commit.sequence else "that was just decided"
        if item.type in self.kind.shapes.names:
            return UnknownEvent(f"{self.ref}: event {item.type} {where}: {error}")
        return UnknownEvent(
            f"{self.ref}: event {item.type} {where} is not declared by {self.kind}; "
            f"there are: {', '.join(self.kind.events)}"
        )

    async def earlier(self, asked: Asked, log: Log) -> Receipt | Rejection | None:
        """The first receipt of this very command, or a rejection of another one under its id."""
        found = await self._seen(asked.origin.id, log)
        if found is None:
            return None
        digest, receipt = found
        if self._is_same(digest, asked):
            return receipt
        return Rejection(
            str(self.ref),
            f"id {asked.origin.id} was used at sequence {receipt.sequence} for another command: "
            f"give this one an id of its own",
        )

    def _is_same(self, digest: str | None, asked: Asked) -> bool:
        if self.sealing is None:
            return digest == asked.digest
        return self.sealing.is_same(digest, self._subject, asked.command, asked.digest)

    async def _seen(self, id: str, log: Log) -> Seen | None:
        with suppress(Forgotten):
            return await self.past.find(id, log)
        # The snapshot that was relied on is gone, for a newer one or for none.
        self._begin()
        await self._load(log)
        with suppress(Forgotten):
            return await self.past.find(id, log)
        # Nothing there can be relied on: every id is held in memory.
        self._begin()
        await self._take_in(log.read(self._subject), log, snapshots=False)
        return await self.past.find(id, log)

    def _begin(self) -> None:
        self.state, self.head = self.kind.state(), Head()
        self.past = Past(self.ref, self.kind, self.keeping, self.sealing)

    async def _load(self, log: Log) -> None:
        """Go on from the snapshot, where the log holds the commit behind which it was made."""
        found = self.past.begin()
        if found is not None:
            head, state = found
            commits = log.read(self._subject, head.sequence - 1)
            first = await anext(commits, None)
            if first is not None and (first.sequence, first.digest) == (head.sequence, head.digest):
                self.head, self.state = head, state
                self.past.rely(head)
                return await self._take_in(commits, log)
        return await self._take_in(log.read(self._subject), log)

    async def catch_up(self, log: Log) -> None:
        """Take in what the log holds of this entity past its head."""
        if self.head.sequence == 0:
            return await self._load(log)
        return await self._take_in(log.read(self._subject, self.head.sequence), log)

    async def _take_in(self, commits: AsyncIterator[Commit], log: Log, *, snapshots: bool = True) -> None:
        async for commit in commits:
            try:
                self.apply(commit)
            except Exception:
                if not await is_released(log, commit):
                    raise
                self.head = self.head.past(commit)
            if snapshots:
                self.past.went_on(self.head, self.state)
                await self.past.keep_up()

    def commit(
        self,
        asked: Asked,
        events: tuple[Event, ...],
        clock: Clock,
        partners: Mapping[str, int] | None = None,
    ) -> tuple[Commit, State]:
        """The commit of events, unwritten, and the state behind it; ``partners`` are written with it.

        The state is folded from what will be written, so that nothing is written that cannot be read back.
        """
        if self.sealing is None:
            body, request = codec.write(events), asked.digest
        else:
            body = self.sealing.write(self._subject, events)
            request = self.sealing.request(self._subject, asked.command, asked.digest)
        commit = Commit(
            subject=self._subject,
            number=self.head.number + 1,
            origin=asked.origin,
            source=self.source,
            type=self._type,
            time=stamp(clock),
            schema=dataschema(map(type, events)),
            body=body,
            previous=self.head.digest,
            request=request,
            partners=partners,
        )
        return commit, self._folded(commit)

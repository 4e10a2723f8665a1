"""The door for live queries: each is told its snapshot, then what changes, no faster than it is taken.

Who asks ``cim.live`` names the query with an id of its own, and hears it on ``live.<id>.<sender>``. On
``cim.taken`` it says how many messages it has taken: that makes room for more, and says that it is there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.live import Change, LiveQuestion, Place, Told, live_query, read_question
from cim.contract.query import BadQuestion
from cim.contract.subjects import MACHINE, live, token
from cim.domain.errors import CimError
from cim.log.waking import sleep_or
from cim.ports.clock import Clock
from cim.world.live import MOST, Following, Part
from cim.world.world import World

OPEN, TAKEN = f"{MACHINE}.live", f"{MACHINE}.taken"
"""The names under which a live query is opened, and under which is said how much of it was taken."""

WINDOW = 16
"""Messages of one query that may be under way: who has not taken them is sent no more."""

ROOM = 256 * 1024
"""Bytes after which a message is full; an entity that has more has one of its own."""

BEAT = 2.0
"""Seconds after which a query in which nothing changes is told how far it is."""

LEASE = 30.0
"""Seconds after which a query is ended of which nothing was taken or heard."""

MOST_OPEN = 256
"""Live queries of one leaf: each change of an entity is held against all that are of its type."""

_HEAD = 1024
"""Bytes of a message beside its changes."""


class Opening(LiveQuestion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A live query's question, with the id that whoever asks gives it."""

    query: str


class Taken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many messages of a query were taken, and whether it is over."""

    query: str
    taken: int = 0
    over: bool = False


class _Ended(CimError):
    """Why a query ends; whether whoever asked may go on ``again`` from its last place."""

    def __init__(self, why: str, *, again: bool = True) -> None:
        super().__init__(why)
        self.again = again


@dataclass(slots=True)
class _Stream:
    """A query that is open: what was sent and taken of it, and until when it is believed to be heard."""

    subject: str
    following: Following
    page: int
    room: int
    until: float
    wake: asyncio.Event
    sent: int = 0
    taken: int = 0
    told_at: float = 0.0
    over: bool = field(default=False)


class LiveDoor:
    """Opens live queries and tells each what it asks for; ``publish`` sends bytes to a subject."""

    names = frozenset({OPEN, TAKEN})

    def __init__(
        self,
        composition: Composition,
        world: World,
        publish: Callable[[str, bytes], Awaitable[None]],
        clock: Clock,
        trouble: Callable[[str], None],
    ) -> None:
        self._composition, self._world, self._publish = composition, world, publish
        self._clock, self._trouble = clock, trouble
        self._open: dict[tuple[str, str], _Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """How many queries are open."""
        return len(self._open)

    async def ended(self) -> None:
        """Wait until all that are open now have ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run(self) -> None:
        """Keep what is open until cancelled, and end it then."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            for task in self._tasks:
                task.cancel()
            await self.ended()

    def answer(self, name: str, sender: str, body: bytes, room: int) -> dict[str, Any]:
        """The answer to one of :attr:`names`; ``room`` is what fits in a message. Raises :class:`CimError`
        naming what cannot be asked."""
        asked = codec.question(body)
        if name == TAKEN:
            return self._hear(sender, _converted(asked))
        opening = read_question(asked, Opening)
        key = (token(sender, "the sender"), token(opening.query, "the query's id"))
        # Who asks once more because no answer came has it open already.
        if key not in self._open:
            self._start(key, opening, room)
        return {"query": opening.query, "window": WINDOW, "beat": BEAT, "lease": LEASE}

    def _start(self, key: tuple[str, str], opening: Opening, room: int) -> None:
        query = live_query(opening, self._composition)
        if len(self._open) >= MOST_OPEN:
            raise CimError(f"{MOST_OPEN} live queries are open, no more at a time: end one of them")
        sender, id = key
        wake = asyncio.Event()
        following = Following(self._world, query, wake.set)
        until = self._clock.monotonic() + LEASE
        stream = _Stream(live(id, sender), following, opening.page, room - _HEAD, until, wake)
        self._open[key] = stream
        task = asyncio.create_task(self._run(key, stream, opening.since))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _hear(self, sender: str, said: Taken) -> dict[str, Any]:
        stream = self._open.get((sender, said.query))
        if stream is None:
            return {"known": False}
        if said.taken > stream.sent:
            raise CimError(f"live query {said.query}: {stream.sent} messages were sent, not {said.taken}")
        stream.taken = max(stream.taken, said.taken)
        stream.over = stream.over or said.over
        stream.until = self._clock.monotonic() + LEASE
        stream.wake.set()
        return {"known": True}

    async def _run(self, key: tuple[str, str], stream: _Stream, since: Place | None) -> None:
        try:
            why = await stream.following.begin(since)
            await self._send(stream, Told(number=0, began="resumed" if why is None else "anew", why=why))
            while True:
                part = await stream.following.more()
                await self._tell(stream, part)
                if part.reached is not None:
                    await self._rest(stream)
        except _Ended as ended:
            await self._end(stream, str(ended), again=ended.again)
        except Exception as error:  # of a module's own types, say: the leaf goes on
            self._trouble(f"{stream.subject}: {type(error).__name__}: {error}")
            await self._end(stream, f"the machine failed on it: {type(error).__name__}: {error}", again=False)
        finally:
            stream.following.close()
            del self._open[key]

    async def _tell(self, stream: _Stream, part: Part) -> None:
        """Send a part in as many messages as it takes, each when there is room for it."""
        silent = self._clock.monotonic() - stream.told_at < BEAT
        if not part.changes and part.reached is None and silent:
            return
        for changes, is_last in _messages(part.changes, stream):
            reached = part.reached if is_last else None
            # They are written already; what reads them finds changes.
            written = cast("tuple[Change, ...]", changes)
            await self._room(stream)
            await self._send(stream, Told(number=0, changes=written, reached=reached))

    async def _send(self, stream: _Stream, told: Told) -> None:
        self._check(stream)
        stream.sent += 1
        stream.told_at = self._clock.monotonic()
        body = codec.json_bytes(msgspec.structs.replace(told, number=stream.sent))
        await self._publish(stream.subject, body)

    async def _room(self, stream: _Stream) -> None:
        """Wait until there is room for one more message."""
        while stream.sent - stream.taken >= WINDOW:
            await self._wait(stream, stream.until)

    async def _rest(self, stream: _Stream) -> None:
        """Wait until there are news, or it is time to say how far it is."""
        beat = self._clock.monotonic() + BEAT
        while not stream.following.has_news and self._clock.monotonic() < beat:
            await self._wait(stream, beat)

    async def _wait(self, stream: _Stream, until: float) -> None:
        self._check(stream)
        stream.wake.clear()
        await sleep_or(self._clock, max(0.0, until - self._clock.monotonic()), stream.wake)

    def _check(self, stream: _Stream) -> None:
        """Raise where a query is to end."""
        if stream.over:
            raise _Ended("it was ended by who asked", again=False)
        if stream.following.behind:
            raise _Ended(f"more than {MOST:,} entities changed, and what was sent is not taken")
        if self._clock.monotonic() >= stream.until:
            raise _Ended(f"nothing was heard of who asked for {LEASE:g} s")

    async def _end(self, stream: _Stream, why: str, *, again: bool) -> None:
        stream.sent += 1
        await self._publish(
            stream.subject, codec.json_bytes(Told(number=stream.sent, ended=why, again=again))
        )


def _messages(changes: Sequence[Change], stream: _Stream) -> Iterator[tuple[tuple[msgspec.Raw, ...], bool]]:
    """Changes as JSON, as many in each message as fit, and whether it is the last. Raises :class:`_Ended` for
    one that fits in none."""
    lines: list[msgspec.Raw] = []
    size = 0
    for one in changes:
        line = codec.json_bytes(one)
        if len(line) > stream.room:
            raise _Ended(
                f"what is shown of {one.id} has {len(line):,} bytes, {stream.room:,} fit in a message: "
                f"show less of it",
                again=False,
            )
        if lines and (len(lines) == stream.page or size + len(line) > min(ROOM, stream.room)):
            yield tuple(lines), False
            lines, size = [], 0
        lines.append(msgspec.Raw(line))
        size += len(line) + 1
    yield tuple(lines), True


def _converted(asked: dict[str, Any]) -> Taken:
    try:
        return msgspec.convert(asked, Taken)
    except msgspec.ValidationError as error:
        raise BadQuestion(f"{TAKEN}: {error}; it says: query, taken, over") from error

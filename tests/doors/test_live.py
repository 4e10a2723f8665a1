"""The door for live queries on a real server: followed, read slowly, left alone, cut, refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cim.adapters.nats.link import connect
from cim.adapters.sqlite.rows import SqliteRows
from cim.adapters.system import SystemClock, SystemEntropy
from cim.contract import codec
from cim.contract.envelope import Origin
from cim.contract.live import Change, Place, Told
from cim.contract.subjects import MACHINE, Ref
from cim.domain.errors import CimError
from cim.doors.live import LEASE, WINDOW, LiveDoor
from cim.doors.queries import QueryDoor
from cim.doors.serving import publisher
from cim.doors.watcher import Anew, live
from cim.log.consumer import consume
from cim.ports.clock import Clock
from cim.projections.answers import Answers
from cim.testing.clock import HandClock
from cim.world.trail import history
from cim.world.world import World

from .conftest import Doors, running

NOTES = {"of": "notes.Note"}


@dataclass
class Leaf:
    """The door of one process, with a world of its own; what is ``lost`` is not sent, by its number."""

    doors: Doors
    door: LiveDoor
    lost: set[int] = field(default_factory=set)


@asynccontextmanager
async def opened(doors: Doors, clock: Clock | None = None) -> AsyncIterator[Leaf]:
    world = World(doors.composition, history=lambda ref: history(doors.log, ref))
    clock = clock or SystemClock()

    async def publish(subject: str, body: bytes) -> None:
        number = msgspec.json.decode(body, type=Told).number
        if number in found.lost:
            found.lost.discard(number)
        else:
            await publisher(client, doors.trouble.append)(subject, body)

    found = Leaf(doors, LiveDoor(doors.composition, world, publish, clock, doors.trouble.append))
    answers = Answers({}, SqliteRows(Path("nowhere")), doors.log.last, SystemClock(), 5.0)
    async with (
        connect(doors.leaf.server.url, doors.leaf.user, "the door") as client,
        running(asyncio.create_task(consume(doors.log, SystemClock(), 0, world.take))),
        running(asyncio.create_task(found.door.run())),
        QueryDoor(doors.composition, world, answers, None, found.door).serve(
            client, (MACHINE,), doors.trouble.append
        ),
    ):
        yield found


async def write(doors: Doors, note: str, text: str) -> int:
    """Put a text on a note; the sequence of that."""
    body = msgspec.json.encode([{"type": "Write", "version": 1, "data": {"note": note, "text": text}}])
    origin = Origin.root(SystemEntropy().new_id(), "tester")
    answer = await doors.commands.submit(Ref("notes", "Note", note), "Write", body, origin)
    return int(answer["sequence"])


async def ask(doors: Doors, name: str, asked: dict[str, Any], sender: str = "raw") -> dict[str, Any]:
    message = await doors.leaf.client.request(f"qry.cim.{name}.{sender}", codec.json_bytes(asked), timeout=10)
    return msgspec.json.decode(message.data, type=dict[str, Any])


def follow(
    doors: Doors,
    trouble: Callable[[str], None] = lambda text: None,
    since: Place | None = None,
    **asked: Any,
) -> Any:
    client, question = doors.leaf.client, {**NOTES, **asked}
    return live(client, SystemClock(), SystemEntropy(), question, "tester", since=since, trouble=trouble)


@dataclass
class Held:
    """What a reader holds, and how often it began anew."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    place: Place | None = None
    anew: int = 0

    async def until(self, told: Any, sequence: int) -> None:
        """Take in what is told until it is of a sequence; each change must say something new."""
        async with asyncio.timeout(30):
            while self.place is None or self.place.sequence < sequence:
                self.take(await anext(told))

    def take(self, one: Anew | Change | Place) -> None:
        match one:
            case Anew():
                self.texts, self.anew, self.place = {}, self.anew + 1, None
            case Place():
                self.place = one
            case Change(what="left"):
                del self.texts[one.id]
            case Change():
                assert one.values is not None
                assert (one.what == "changed") == (one.id in self.texts)
                assert self.texts.get(one.id) != one.values["state"]["texts"]
                self.texts[one.id] = one.values["state"]["texts"]


async def test_a_snapshot_comes_in_pages_and_then_what_changes(doors: Doors) -> None:
    for number in range(7):
        await write(doors, f"n{number}", "a")
    held = Held()
    async with opened(doors) as leaf, aclosing(follow(doors, page=3)) as told:
        assert await anext(told) == Anew("it was not asked to go on from anywhere")
        await held.until(told, 7)
        assert held.texts == {f"n{number}": ["a"] for number in range(7)}
        for number in range(5):
            await held.until(told, await write(doors, f"n{number}", "b"))
            assert held.texts[f"n{number}"] == ["a", "b"]
        await held.until(told, await write(doors, "late", "a"))
        assert held.texts["late"] == ["a"]
        await told.aclose()
        async with asyncio.timeout(10):
            await leaf.door.ended()
    assert doors.trouble == []


async def test_who_comes_back_with_its_place_is_told_what_changed_since(doors: Doors) -> None:
    await write(doors, "n1", "a")
    last = await write(doors, "n2", "a")
    held = Held()
    async with opened(doors):
        async with aclosing(follow(doors)) as told:
            await held.until(told, last)
        last = await write(doors, "n2", "b")
        async with aclosing(follow(doors, since=held.place)) as told:
            values = {"state": {"texts": ["a", "b"], "scan": None}}
            assert await anext(told) == Change("changed", "n2", last, values)


async def test_a_leaf_that_is_begun_anew_is_gone_on_with_nothing_lost_and_nothing_told_twice(
    doors: Doors,
) -> None:
    held, cuts = Held(), list[str]()
    await write(doors, "n1", "a")
    async with aclosing(follow(doors, cuts.append)) as told:
        async with opened(doors):
            await held.until(told, 1)
        await write(doors, "n1", "b")
        last = await write(doors, "n2", "a")
        async with opened(doors):
            await held.until(told, last)
            await held.until(told, await write(doors, "n1", "c"))
    assert held.texts == {"n1": ["a", "b", "c"], "n2": ["a"]}
    assert held.anew == 1
    assert cuts


@pytest.mark.parametrize("lost", [1, 3, 4])
async def test_a_message_that_is_lost_is_noticed_by_the_next(doors: Doors, lost: int) -> None:
    held, cuts = Held(), list[str]()
    last = await write(doors, "n1", "a")
    async with opened(doors) as leaf, aclosing(follow(doors, cuts.append)) as told:
        leaf.lost.add(lost)
        for text in "bcd":
            await held.until(told, last)
            last = await write(doors, "n1", text)
        await held.until(told, last)
    assert held.texts == {"n1": ["a", "b", "c", "d"]}
    (cut,) = cuts
    assert f"message {lost} of the live query did not come" in cut


async def test_of_what_changed_together_all_is_told_or_nothing(doors: Doors) -> None:
    held, cuts = Held(), list[str]()
    last = await write(doors, "n0", "a")
    async with opened(doors) as leaf:
        async with aclosing(follow(doors, page=1)) as told:
            await held.until(told, last)
        for number in range(5):
            last = await write(doors, f"n{number}", "b")
        leaf.lost.add(4)
        async with aclosing(follow(doors, cuts.append, page=1, since=held.place)) as told:
            await held.until(told, last)
    assert (len(held.texts), held.anew, len(cuts)) == (5, 1, 1)


async def test_a_leaf_that_looks_back_for_long_is_waited_for(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, cuts, heard = Held(), list[str](), asyncio.Semaphore(0)
    last = await write(doors, "n1", "a")
    async with opened(doors) as leaf:
        async with aclosing(follow(doors)) as told:
            await held.until(told, last)
        last = await write(doors, "n1", "b")
        await leaf.door.ended()
        as_of, answer = World.as_of, leaf.door.answer

        async def late(world: World, ref: Ref, sequence: int) -> Any:
            for _ in range(10):
                await heard.acquire()
            return await as_of(world, ref, sequence)

        def answered(*asked: Any) -> dict[str, Any]:
            heard.release()
            return answer(*asked)

        monkeypatch.setattr(World, "as_of", late)
        monkeypatch.setattr(leaf.door, "answer", answered)
        monkeypatch.setattr("cim.doors.watcher.BEAT", 0.02)
        monkeypatch.setattr("cim.doors.watcher.SILENCE", 0.04)
        async with aclosing(follow(doors, cuts.append, since=held.place)) as told:
            async with asyncio.timeout(30):
                held.take(await anext(told))
    assert (held.texts, cuts) == ({"n1": ["a", "b"]}, [])


async def raw(doors: Doors, asked: dict[str, Any]) -> tuple[list[Told], asyncio.Event]:
    """What an outside program hears that takes nothing; the event is set at each message."""
    heard, came = list[Told](), asyncio.Event()

    async def hear(message: Any) -> None:
        heard.append(msgspec.json.decode(message.data, type=Told))
        came.set()

    await doors.leaf.client.subscribe("live.q1.raw", cb=hear)
    answer = await ask(doors, "live", {**NOTES, "query": "q1", **asked})
    assert answer == {"query": "q1", "window": WINDOW, "beat": 2.0, "lease": LEASE}
    return heard, came


async def until(heard: list[Told], came: asyncio.Event, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            came.clear()
            await came.wait()


async def test_a_reader_that_takes_nothing_is_sent_so_much_told_and_cut_off_and_can_go_on(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.world.live.MOST", 5)
    await write(doors, "n0", "a")
    async with opened(doors) as leaf:
        heard, came = await raw(doors, {})
        await until(heard, came, lambda: bool(heard) and heard[-1].reached is not None)
        texts = iter(range(1000))
        while len(heard) < WINDOW:
            sent = len(heard)
            await write(doors, "n0", f"t{next(texts)}")
            await until(heard, came, lambda sent=sent: len(heard) > sent)  # type: ignore[misc]
        for number in range(8):
            last = await write(doors, f"more{number}", "a")
        await until(heard, came, lambda: heard[-1].ended is not None)
        assert len(heard) == WINDOW + 1
        assert heard[-1].again
        assert "entities changed, and what was sent is not taken" in (heard[-1].ended or "")
        assert leaf.door.open == 0
        place = next(one.reached for one in reversed(heard) if one.reached is not None)
        monkeypatch.undo()
        heard.clear()
        await ask(doors, "live", {**NOTES, "query": "q1", "page": 3, "since": msgspec.to_builtins(place)})
        await until(heard, came, lambda: bool(heard) and heard[-1].reached is not None)
        assert heard[0].began == "resumed"
        assert [len(one.changes) for one in heard] == [0, 3, 3, 2]
        told = {change.id for one in heard for change in one.changes}
        assert told == {f"more{number}" for number in range(8)}
        assert heard[-1].reached == msgspec.structs.replace(place, sequence=last)


async def test_a_program_that_takes_what_it_hears_is_sent_more_and_may_end_it(doors: Doors) -> None:
    for number in range(2 * WINDOW):
        await write(doors, f"n{number:02}", "a")
    async with opened(doors) as leaf:
        heard, came = await raw(doors, {"page": 1})
        await until(heard, came, lambda: len(heard) == WINDOW)
        error = (await ask(doors, "taken", {"query": "q1", "taken": 1000}))["error"]
        assert error == f"live query q1: {WINDOW} messages were sent, not 1000"
        while heard[-1].reached is None:
            sent = len(heard)
            assert await ask(doors, "taken", {"query": "q1", "taken": sent}) == {"known": True}
            await until(heard, came, lambda sent=sent: len(heard) > sent)  # type: ignore[misc]
        assert [one.id for told in heard for one in told.changes] == [f"n{n:02}" for n in range(2 * WINDOW)]
        assert max(len(told.changes) for told in heard) == 1
        await ask(doors, "taken", {"query": "q1", "over": True})
        await until(heard, came, lambda: heard[-1].ended is not None)
        assert await ask(doors, "taken", {"query": "q1"}) == {"known": False}
        assert leaf.door.open == 0


async def test_a_program_that_vanished_costs_nothing_after_its_lease(doors: Doors) -> None:
    clock = HandClock()
    await write(doors, "n1", "a")
    async with opened(doors, clock) as leaf:
        heard, came = await raw(doors, {})
        await until(heard, came, lambda: bool(heard) and heard[-1].reached is not None)
        await clock.until_asleep()
        clock.move(LEASE - 1)
        await until(heard, came, lambda: len(heard) == 4)  # how far it is, though nothing changed
        assert (heard[-1].changes, heard[-1].reached) == ((), heard[-2].reached)
        assert await ask(doors, "taken", {"query": "q1"}) == {"known": True}
        await clock.until_asleep()
        clock.move(2)
        await until(heard, came, lambda: len(heard) == 5)
        assert leaf.door.open == 1
        await clock.until_asleep()
        clock.move(LEASE)
        await until(heard, came, lambda: heard[-1].ended is not None)
        assert heard[-1].ended == "nothing was heard of who asked for 30 s"
        assert leaf.door.open == 0


async def test_the_same_query_asked_once_more_is_the_same_query(doors: Doors) -> None:
    await write(doors, "n1", "a")
    async with opened(doors) as leaf:
        heard, came = await raw(doors, {})
        await ask(doors, "live", {**NOTES, "query": "q1"})
        await until(heard, came, lambda: bool(heard) and heard[-1].reached is not None)
        assert [one.number for one in heard] == [1, 2, 3]
        assert leaf.door.open == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "live query: Object missing required field `of`; a question has: of, with"),
        ({"of": "notes.Note"}, "Object missing required field `query`"),
        ({"of": "notes.Note", "query": "a.b"}, "the query's id 'a.b' holds a character outside"),
        ({"of": "notes.Nite", "query": "q"}, "no module here declares the entity notes.Nite"),
        ({"of": "notes.Note", "query": "q", "with": ["Kind"]}, "it has no component Kind; there are: none"),
        (
            {"of": "notes.Note", "query": "q", "where": [{"field": "words", "operator": "==", "operand": 1}]},
            "has a field 'words'",
        ),
    ],
)
async def test_a_question_that_cannot_be_is_refused_by_name(
    doors: Doors, asked: dict[str, Any], said: str
) -> None:
    async with opened(doors) as leaf:
        assert said in (await ask(doors, "live", asked))["error"]
        assert leaf.door.open == 0
    assert doors.trouble == []


async def test_whoever_follows_hears_what_is_wrong_with_its_question(doors: Doors) -> None:
    async with opened(doors), aclosing(follow(doors, show=["Kind"])) as told:
        with pytest.raises(CimError, match="it has no component Kind"):
            await anext(told)


async def test_so_many_are_open_at_a_time(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cim.doors.live.MOST_OPEN", 1)
    async with opened(doors):
        await ask(doors, "live", {**NOTES, "query": "q1"})
        error = (await ask(doors, "live", {**NOTES, "query": "q2"}))["error"]
        assert error == "1 live queries are open, no more at a time: end one of them"


async def test_an_entity_that_fits_in_no_message_ends_its_query_by_name(doors: Doors) -> None:
    for number in range(3):
        await write(doors, "n1", "x" * (doors.leaf.client.max_payload // 2 - number))
    async with opened(doors), aclosing(follow(doors)) as told:
        with pytest.raises(CimError, match=r"what is shown of n1 has .* bytes, .* fit in a message"):
            await Held().until(told, 3)

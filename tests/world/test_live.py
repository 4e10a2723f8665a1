"""A live query on a world: what is told folds to what the query finds, however it is read."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.contract.live import Change, LiveQuery, Place, live_query, live_question
from cim.contract.subjects import Ref
from cim.ports.index import Kind
from cim.world import live
from cim.world.entities import PAGE, Entities
from cim.world.entity import Entity
from cim.world.live import MOST, Following
from cim.world.world import World

from .boxes import BROKEN, Pack, Reprice, boxes
from .conftest import Process, Start

COMPOSITION = compose([boxes])
Rows = dict[str, dict[str, Any]]
Shown = dict[str, Any]


def query(**asked: Any) -> LiveQuery:
    return live_query(live_question({"of": "boxes.Box", **asked}), COMPOSITION)


def where(field: str, operator: str, operand: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "operand": operand}


def value(entity: Entity, name: str) -> Any:
    shown = entity.shown()
    return shown["state"] if name == "state" else shown["components"].get(name, {}).get("value")


QUESTIONS: list[tuple[dict[str, Any], tuple[str, ...], Callable[[Entity], bool]]] = [
    ({}, ("state",), lambda box: True),
    ({"with": ["Price"]}, ("state", "Price"), lambda box: value(box, "Price") is not None),
    (
        {"with": ["Size"], "without": ["Price"], "show": ["Size", "Label"]},
        ("Size", "Label"),
        lambda box: value(box, "Size") is not None and value(box, "Price") is None,
    ),
    (
        {"where": [where("Price.cents", ">", 90), where("grams", "!=", 60)], "show": ["state"]},
        ("state",),
        lambda box: (
            value(box, "state")["grams"] != 60 and (value(box, "Price") or {"cents": 0})["cents"] > 90
        ),
    ),
]
"""Each question, what it shows, and what it asks for in other words."""


@pytest.fixture
async def history(start: Start) -> list[Commit]:
    """What a machine wrote that packed, priced and labelled boxes, and heard what people said of prices."""
    chance, log = random.Random(7), MemoryLog()
    process: Process = start(log, boxes)
    for number in range(90):
        box = f"b{chance.randrange(14)}"
        grams = chance.choice([0, 0, BROKEN, 60, *range(20, 200, 9)])
        command = Reprice(box, chance.randrange(200)) if chance.random() < 0.2 else Pack(box, grams)
        await process.send(command, f"c{number}")
        if chance.random() < 0.5:
            await process.idle()
    await process.idle()
    return await process.commits()


class Feed:
    """A world that is given a history little by little, and may be begun anew as after a restart."""

    def __init__(self, history: Iterable[Commit]) -> None:
        self.history = list(history)
        self.world = self._empty()

    def _empty(self) -> World:
        async def of(ref: Ref) -> list[Commit]:
            mine = (f"evt.{ref.context}.{ref.entity}.{ref.id}", f"cmp.{ref.context}.{ref.entity}.{ref.id}.")
            return [one for one in self.history if one.subject == mine[0] or one.subject.startswith(mine[1])]

        return World(COMPOSITION, history=of)

    @property
    def left(self) -> list[Commit]:
        return self.history[self.world.sequence :]

    def give(self, most: int) -> None:
        for commit in self.left[:most]:
            self.world.apply(commit)

    async def restart(self) -> None:
        """Another process: its world is folded from nothing, at least as far as the one before it."""
        last, self.world = self.world.sequence, self._empty()
        await self.world.take(self.history[:last])
        await self.world.take([])


@dataclass
class Reader:
    """Folds what it is told, and holds it against what the query finds at each place."""

    asked: int
    rows: Rows = field(default_factory=dict)
    place: Place | None = None
    kept: Rows = field(default_factory=dict)
    began: list[str | None] = field(default_factory=list)

    @property
    def query(self) -> LiveQuery:
        return query(**QUESTIONS[self.asked][0])

    async def begin(self, world: World) -> Following:
        """Begin or go on: what it was told behind its place it has not kept."""
        following = Following(world, self.query, lambda: None)
        why = await following.begin(self.place)
        self.rows = dict(self.kept) if why is None else {}
        self.began.append(why)
        return following

    async def take(self, following: Following, world: World) -> None:
        part = await following.more()
        for one in part.changes:
            self._take(one)
        if part.reached is not None:
            assert part.reached.sequence == world.sequence
            assert self.rows == await self.found(world)
            self.place, self.kept = part.reached, dict(self.rows)

    def _take(self, one: Change) -> None:
        """Take in a change that says something new, and nothing that was never told."""
        assert (one.id in self.rows) == (one.what != "entered"), one
        if one.what == "left":
            del self.rows[one.id]
            return
        assert one.values is not None
        assert self.rows.get(one.id) != one.values, one
        self.rows[one.id] = one.values

    async def found(self, world: World) -> Rows:
        _, shown, asks = QUESTIONS[self.asked]
        boxes = [one async for one in world.entities.each(("boxes", "Box"))]
        return {box.ref.id: {name: value(box, name) for name in shown} for box in boxes if asks(box)}


@pytest.mark.parametrize("asked", range(len(QUESTIONS)))
async def test_what_is_told_folds_to_what_the_query_finds_at_each_sequence(
    history: list[Commit], asked: int
) -> None:
    feed, reader = Feed(history), Reader(asked)
    await feed.world.take([])
    following = await reader.begin(feed.world)
    met = set()
    await reader.take(following, feed.world)
    for _ in feed.history:
        feed.give(1)
        before = following.has_news
        await reader.take(following, feed.world)
        assert reader.place is not None
        assert reader.place.sequence == feed.world.sequence
        met.add(before)
    assert met == {True, False}  # not every commit is something to tell


class Slow(Entities):
    """Entities that are fetched from far: others go on meanwhile, before they are read and after."""

    def __init__(self, others: Callable[[], None]) -> None:
        super().__init__()
        self._others = others

    async def page(
        self,
        of: Kind,
        after: str | None = None,
        most: int = PAGE,
        carrying: Collection[str] = (),
        lacking: Collection[str] = (),
    ) -> list[Entity]:
        self._others()
        found = await super().page(of, after, most, carrying, lacking)
        self._others()
        return found

    async def changed_since(self, of: Kind, sequence: int, most: int = PAGE) -> list[Entity]:
        self._others()
        found = await super().changed_since(of, sequence, most)
        self._others()
        return found


@pytest.mark.parametrize("seed", range(60))
async def test_however_it_is_read_cut_and_resumed_nothing_is_lost_and_nothing_told_twice(
    history: list[Commit], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAGE", 3)
    monkeypatch.setattr(live, "GLANCES", 2)
    chance = random.Random(seed)
    feed, reader = Feed(history), Reader(seed % len(QUESTIONS))

    def slow() -> World:
        found = Slow(lambda: feed.give(chance.choice([0, 0, 1, 4])))
        feed.world.entities = found
        return feed.world

    slow()
    await feed.world.take(feed.left[: chance.randrange(100)])
    await feed.world.take([])
    following, rounds = await reader.begin(feed.world), 0
    while feed.left or reader.place is None or reader.place.sequence < feed.world.sequence:
        rounds += 1
        feed.give(chance.choice([0, 1, 1, 7]))
        fate = chance.random()
        if fate < 0.7:
            await reader.take(following, feed.world)
        elif fate < 0.85 and rounds < 300:
            following.close()
            feed.give(chance.choice([0, 0, 5]))
            if fate < 0.8:
                await feed.restart()
            following = await reader.begin(feed.world)
    assert reader.rows == await reader.found(feed.world)
    resumed = [why for why in reader.began if why is None]
    anew = [why for why in reader.began if why is not None]
    assert resumed or seed, "the first seed is cut once it has a place"
    assert set(anew) <= {"it was not asked to go on from anywhere"}, anew


async def caught_up(history: list[Commit]) -> Feed:
    feed = Feed(history)
    await feed.world.take(history)
    await feed.world.take([])
    return feed


async def test_of_an_entity_that_changed_often_the_last_is_told(history: list[Commit]) -> None:
    feed, reader = Feed(history), Reader(0)
    feed.give(40)
    await feed.world.take([])
    following = await reader.begin(feed.world)
    while reader.place is None:
        await reader.take(following, feed.world)
    feed.give(len(feed.history))
    part = await following.more()
    assert len({one.id for one in part.changes}) == len(part.changes)
    assert [one.sequence for one in part.changes] == sorted(one.sequence for one in part.changes)
    assert not following.has_news
    assert (await following.more()).changes == ()


async def test_a_place_in_another_log_of_other_code_or_of_another_question_is_begun_anew(
    history: list[Commit],
) -> None:
    feed, reader = await caught_up(history), Reader(0)
    following = await reader.begin(feed.world)
    while reader.place is None:
        await reader.take(following, feed.world)
    other = Reader(1, place=reader.place)
    await other.begin(feed.world)
    another_log = await caught_up(history[1:])
    await reader.begin(another_log.world)
    another = "the log, the code that folds it or the question is another one"
    assert (other.began, reader.began[1:]) == ([another], [another])


async def test_a_place_behind_the_end_of_the_log_is_begun_anew(history: list[Commit]) -> None:
    feed, reader = await caught_up(history), Reader(0)
    following = await reader.begin(feed.world)
    while reader.place is None:
        await reader.take(following, feed.world)
    shorter = await caught_up(history[:-3])
    await reader.begin(shorter.world)
    assert reader.began[1] == f"the log ends at {len(history) - 3}, before {len(history)}"


async def test_after_more_changes_than_are_worth_it_a_new_snapshot_is_told(
    history: list[Commit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST", 3)
    feed, reader = Feed(history), Reader(0)
    feed.give(len(history) // 2)
    await feed.world.take([])
    following = await reader.begin(feed.world)
    while reader.place is None:
        await reader.take(following, feed.world)
    following.close()
    feed.give(len(history))
    following = await reader.begin(feed.world)
    assert reader.began[1] == "more than 3 entities changed since then"
    reader.place = None
    while reader.place is None:
        await reader.take(following, feed.world)
    assert reader.place == Place(len(history), reader.place.basis)


async def test_who_takes_nothing_is_let_go_of_before_much_is_kept(
    history: list[Commit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST", 3)
    feed, reader, news = Feed(history), Reader(0), []
    feed.give(len(history) // 2)
    await feed.world.take([])
    following = Following(feed.world, reader.query, lambda: news.append(following.behind))
    await following.begin(None)
    while (await following.more()).reached is None:
        pass
    feed.give(len(history))
    assert following.behind
    assert not following.has_news
    assert (news[0], news[-1]) == (False, True)  # nothing is told once it is let go of
    assert MOST >= 1000


async def test_a_world_that_still_folds_is_waited_for(history: list[Commit]) -> None:
    feed = Feed(history)
    following = Following(feed.world, query(), lambda: None)
    beginning = asyncio.ensure_future(following.begin(None))
    await feed.world.take(feed.left)
    assert not beginning.done()
    await feed.world.take([])
    assert await beginning == "it was not asked to go on from anywhere"
    assert len((await following.more()).changes) == len(await Reader(0).found(feed.world))


async def test_an_entity_that_stops_is_told_with_the_reason(history: list[Commit]) -> None:
    feed, reader = await caught_up(history), Reader(0)
    following = await reader.begin(feed.world)
    while (await following.more()).reached is None:
        pass
    box = Ref("boxes", "Box", "b1")
    alien = next(one for one in history if one.subject == box.events)
    feed.world.apply(alien)  # a second time: its chain is broken
    (told,) = (await following.more()).changes
    assert (told.what, told.id) == ("changed", "b1")
    assert told.stopped == (await feed.world.entities.get(box)).stopped
    assert told.stopped

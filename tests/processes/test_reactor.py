"""Events in, commands out: each reaction, delivery and refusal once, whatever ends in between."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from cim import Command, Context, Event, Process, Rejected, State
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.log.release import release
from cim.ports.log import LogRefused, Stored, Unclear
from cim.processes import reactor
from cim.processes.pending import Pending
from cim.testing.faulty_log import steps
from cim.testing.jars import Halved, Move, Pour, Put, jars

from .conftest import Running, Start
from .shop import Place, Withdraw, post, shop

ALL_THE_WAY = ["Placed o1", "Written o1-thanks", "Charged o1", "Sent o1"]


async def copied(log: MemoryLog, count: int) -> MemoryLog:
    """The first commits of a log, as another log."""
    made = MemoryLog()
    heads: dict[str, int] = {}
    async for commit in log.read(">"):
        if commit.sequence <= count:
            assert isinstance(await made.attempt(commit, heads.get(commit.subject, 0)), Stored)
            heads[commit.subject] = commit.sequence
    return made


async def test_one_order_goes_all_the_way(start: Start) -> None:
    one = await start(MemoryLog(), shop, post)
    await one.send(Place("o1", "book"))
    await one.idle()
    assert sorted(await one.events()) == sorted(ALL_THE_WAY)
    assert await one.said("evt.shop.Fulfilment.o1") == [
        "cim.Reacted Began cim.Asks Charge cim.Sets",
        "cim.Reacted cim.Asks Send",
        "cim.Reacted Ended cim.Cancels",
    ]
    assert await one.said("evt.shop.thank.o1") == ["cim.Reacted cim.Asks Write"]
    assert list(one.reactor.pending.instances()) == []


async def test_what_cannot_be_sent_is_paid_back(start: Start) -> None:
    one = await start(MemoryLog(), shop, post)
    await one.send(Place("o1", "piano"))
    await one.idle()
    assert [text for text in await one.events() if not text.startswith("Written")] == [
        "Placed o1",
        "Charged o1",
        "PaidBack o1",
    ]
    last = (await one.commits("evt.shop.Fulfilment.o1"))[-1]
    refused, ended, *_ = codec.decode(last.body)
    assert (refused.type, refused.data["reason"]) == ("cim.Refused", "too heavy")
    assert ended.data == {"how": "too heavy"}


async def test_everything_names_its_cause(start: Start) -> None:
    one = await start(MemoryLog(), shop, post)
    await one.send(Place("o1", "book"), "root")
    await one.idle()
    commits = {commit.id: commit for commit in await one.commits() if not commit.subject.endswith(".=")}
    assert {commit.origin.correlation for commit in commits.values()} == {"root"}
    assert {commit.origin.owner for commit in commits.values()} == {"person:ada"}
    way = []
    at = next(one for one in commits.values() if one.subject == "evt.post.Parcel.o1")
    while at.id != "root":
        way.append(at.subject)
        at = commits[at.origin.causation]
    assert way == [
        "evt.post.Parcel.o1",
        "evt.shop.Fulfilment.o1",
        "evt.shop.Payment.o1",
        "evt.shop.Fulfilment.o1",
    ]


@pytest.mark.parametrize("item", ["book", "piano"])
async def test_a_log_cut_at_any_commit_is_finished_to_the_same_history(start: Start, item: str) -> None:
    whole = await start(MemoryLog(), shop, post)
    for order in ("o1", "o2"):
        await whole.send(Place(order, item), f"place-{order}")
    await whole.send(Withdraw("o2"), "withdraw")
    await whole.idle()
    wanted = {(commit.subject, commit.id) for commit in await whole.commits()}
    people = {"place-o1", "place-o2", "withdraw"}
    for count in range(2, await whole.log.last() + 1):
        again = await start(await copied(whole.log, count), shop, post)
        await again.idle()
        for command, id in [(Place("o1", item), "place-o1"), (Place("o2", item), "place-o2")]:
            await again.send(command, id)
        await again.send(Withdraw("o2"), "withdraw")
        await again.idle()
        found = {(commit.subject, commit.id) for commit in await again.commits()}
        # Reactions to what people do may come in another order, and then say less or more.
        assert {one for one in found if one[1] in people} == {one for one in wanted if one[1] in people}
        assert sorted(await again.events()) == sorted(await whole.events())
        await again.stop()


async def test_two_workers_have_one_effect(start: Start) -> None:
    log = MemoryLog()
    one, two = await start(log, shop, post), await start(log, shop, post, delivers=False)
    for number in range(20):
        await one.send(Place(f"o{number}", "piano" if number % 3 else "book"))
    await one.idle()
    await two.reactor.settle()
    await one.idle()
    events = await one.events()
    assert len(events) == len(set(events))
    assert len([text for text in events if text.startswith("PaidBack")]) == 13
    assert list(one.reactor.pending.instances()) == list(two.reactor.pending.instances()) == []


async def test_old_events_are_nothing_to_a_module_that_joins_late(start: Start) -> None:
    log = MemoryLog()
    plain = Context("shop")
    plain.entities = list(shop.entities)
    before = await start(log, plain, post)
    await before.send(Place("o1", "book"))
    await before.stop()
    after = await start(log, shop, post)
    await after.idle()
    assert await after.events() == ["Placed o1"]
    await after.send(Place("o2", "book"))
    await after.idle()
    assert "Sent o2" in await after.events()
    assert [text for text in await after.events() if text.endswith("o1")] == ["Placed o1"]


async def test_nothing_is_done_before_the_end_of_the_log_was_reached(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, shop, post)
    await one.send(Place("o1", "book"))
    await one.stop()
    last = await log.last()

    class NeverAtEnd(MemoryLog):
        async def follow(self, after: int) -> Any:
            async for commit in log.read(">", after):
                yield [commit]
            await asyncio.Event().wait()

        async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
            raise AssertionError(f"{commit.subject} was written while the log was replayed")

    two = Running(NeverAtEnd(), (shop, post), one.clock, True)
    starting = asyncio.ensure_future(two.start())
    await two.reactor.reached(last)
    await steps(20)
    assert not starting.done()
    starting.cancel()
    await asyncio.wait([starting])
    await two.stop()


async def test_what_nothing_follows_from_costs_no_commit_each_and_is_settled_at_the_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactor, "SETTLE_AT", 10)
    log = MemoryLog()
    one = await start(log, shop, post)
    for number in range(25):
        await one.send(Withdraw(f"o{number}"))
        await one.idle()
    assert await one.said("evt.shop.Fulfilment.=") == ["cim.Takes", "cim.Settled", "cim.Settled"]
    assert len(list(one.reactor.pending.instances())) == 5
    await one.reactor.settle()
    assert list(one.reactor.pending.instances()) == []
    await one.stop()
    folded = Pending(one.composition.processes)
    for commit in await one.commits():
        folded.apply(commit)
    assert list(folded.instances()) == []


async def test_silent_triggers_are_settled_in_time(start: Start) -> None:
    one = await start(MemoryLog(), shop, post)
    await one.send(Withdraw("o1"))
    await one.idle()
    await one.clock.until_asleep()
    one.clock.move(reactor.SETTLE_AFTER)
    await one.until(one.reactor.reached(await one.log.last() + 1))
    assert list(one.reactor.pending.instances()) == []


async def test_an_instance_that_stands_still_is_not_settled(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, shop, post)
    await one.send(Place("o1", "nonsense"))
    await one.send(Withdraw("o2"))
    await one.idle()
    await one.reactor.settle()
    ((key, waiting),) = one.reactor.pending.instances()
    assert key == ("shop.Fulfilment", "o1")
    assert waiting.stop is not None
    assert waiting.stop.cause == "ValueError: o1 makes no sense"


async def test_code_that_raises_stops_its_instance_alone_until_it_is_released(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, shop, post)
    await one.send(Place("o1", "nonsense"))
    await one.send(Place("o1", "book"))
    await one.send(Place("o2", "book"))
    await one.idle()
    assert "Sent o2" in await one.events()
    assert "Charged o1" not in await one.events()
    assert one.troubles == ["shop.Fulfilment o1 is stopped: ValueError: o1 makes no sense"]
    await one.stop()
    # A new start tries once more, and says the same no second time.
    two = await start(log, shop, post)
    await two.idle()
    assert await two.said("evt.shop.Fulfilment.o1") == ["cim.Stopped"]
    stop = (await two.commits("evt.shop.Fulfilment.o1"))[-1]
    origin = Origin.root("freed", "person:bob")
    await release(log, two.clock, "cim:test", origin, stop.subject, stop.sequence, "it is nonsense")
    await two.idle()
    assert "Sent o1" in await two.events()
    assert list(two.reactor.pending.instances()) == []
    await two.stop()
    # What was passed over stays so.
    three = await start(log, shop, post)
    await three.idle()
    assert await three.events() == await two.events()


class Ask(Command):
    thing: str


class Asked(Event):
    thing: str


class Odd(Event):
    thing: str


class Noted(Event):
    thing: str


def things(*, cured: bool = False, odd: bool = False, each: int = 1, taken: Any = Asked) -> Context:
    """A module whose process asks a question of an entity that may not be able to answer."""
    made = Context("things")

    @made.entity(key="thing")
    class Thing(State):
        times: int = 0

        def decide(self, command: Ask) -> Iterable[Asked | Odd]:
            if self.times > 2:
                raise ZeroDivisionError("no more")
            return [Odd(command.thing) if odd else Asked(command.thing)] * each

        def evolve(self, event: Asked | Odd) -> Any:
            return self.but(times=self.times + 1)

    def react(self: Any, trigger: Any) -> Any:
        if not cured and self.times == 1:
            raise RuntimeError("cannot count to two")
        return [Noted(trigger.thing)]

    def evolve(self: Any, fact: Any) -> Any:
        return self.but(times=self.times + 1)

    react.__annotations__ = {"trigger": taken, "return": Iterable[Noted]}
    evolve.__annotations__ = {"fact": Noted}
    namespace = {"__annotations__": {"times": int}, "times": 0, "react": react, "evolve": evolve}
    made.process(key="thing")(type("Counting", (Process,), {**namespace, "__module__": __name__}))
    return made


async def test_changed_code_goes_on_where_the_old_one_stopped(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, things())
    for _ in range(3):
        await one.send(Ask("t1"))
    await one.idle()
    assert await one.said("evt.things.Counting.t1") == ["cim.Reacted Noted", "cim.Stopped"]
    await one.stop()
    two = await start(log, things(cured=True))
    await two.idle()
    assert await two.said("evt.things.Counting.t1") == [
        "cim.Reacted Noted",
        "cim.Stopped",
        "cim.Reacted Noted",
        "cim.Reacted Noted",
    ]


async def test_an_event_that_changed_code_takes_as_well_is_taken_from_then_on(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, things(cured=True, odd=True))
    await one.send(Ask("t1"))
    await one.idle()
    await one.stop()
    two = await start(log, things(cured=True, odd=True, taken=Asked | Odd))
    await two.idle()
    assert await two.said("evt.things.Counting.t1") == []
    await two.send(Ask("t1"))
    await two.idle()
    assert await two.said("evt.things.Counting.t1") == ["cim.Reacted Noted"]
    assert await two.said("evt.things.Counting.=") == ["cim.Takes", "cim.Takes"]


async def test_a_module_that_was_away_catches_up(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, shop, post)
    await one.send(Place("o1", "book"))
    await one.idle()
    await one.stop()
    away = Context("shop")
    away.entities = list(shop.entities)
    two = await start(log, away, post)
    await two.send(Place("o2", "book"))
    await two.stop()
    three = await start(log, shop, post)
    await three.idle()
    assert "Sent o2" in await three.events()


async def test_an_id_that_no_subject_can_hold_names_a_process_all_the_same(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, things(cured=True))
    kind = one.composition.processes[0]
    of = kind.ref("t1")
    ids = [kind.instance(of, {"thing": text}) for text in ("t1", "a b", "ü" * 300, "=t", "=", "")]
    assert ids[0] == "t1"
    assert len(set(ids)) == 6
    assert all(id.startswith("=") and len(id) == 33 for id in ids[1:])


async def test_a_command_that_gets_no_answer_stops_its_process_until_the_entity_answers(
    start: Start,
) -> None:
    log = MemoryLog()
    await log.intrude("evt.post.Parcel.o1", {}, b"junk")
    one = await start(log, shop, post)
    await one.send(Place("o1", "book"))
    await one.send(Withdraw("o1"))
    await one.send(Place("o2", "book"))
    await one.idle()
    assert "Sent o2" in await one.events()
    ((key, waiting),) = one.reactor.pending.instances()
    assert key == ("shop.Fulfilment", "o1")
    assert waiting.stop is not None
    assert "no machine wrote this message" in waiting.stop.cause
    origin = Origin.root("freed", "person:bob")
    await release(log, one.clock, "cim:test", origin, "evt.post.Parcel.o1", 1, "junk")
    await one.idle()
    assert "Sent o1" in await one.events()
    assert list(one.reactor.pending.instances()) == []


async def test_a_command_that_never_gets_an_answer_is_given_up_by_a_release(start: Start) -> None:
    log = MemoryLog()
    await log.intrude("evt.post.Parcel.o1", {}, b"junk")
    one = await start(log, shop, post)
    await one.send(Place("o1", "book"))
    await one.idle()
    stop = (await one.commits("evt.shop.Fulfilment.o1"))[-1]
    origin = Origin.root("freed", "person:bob")
    await release(log, one.clock, "cim:test", origin, stop.subject, stop.sequence, "never mind")
    await one.idle()
    assert "Sent o1" not in await one.events()
    ((_, waiting),) = one.reactor.pending.instances()
    assert (len(waiting.errands), waiting.stop, len(waiting.alarms)) == (0, None, 1)


async def test_junk_on_a_processs_own_subject_stops_that_one_until_it_is_released(start: Start) -> None:
    log = MemoryLog()
    junk = await log.intrude("evt.shop.Fulfilment.o1", {}, b"junk")
    one = await start(log, shop, post)
    await one.send(Place("o1", "book"))
    await one.send(Place("o2", "book"))
    await one.idle()
    assert "Charged o1" not in await one.events()
    assert "Sent o2" in await one.events()
    origin = Origin.root("freed", "person:bob")
    await release(log, one.clock, "cim:test", origin, "evt.shop.Fulfilment.o1", junk, "junk")
    await one.idle()
    assert "Sent o1" in await one.events()


async def test_a_process_remembers_nothing_of_what_is_over(start: Start) -> None:
    one = await start(MemoryLog(), shop, post)
    for number in range(200):
        await one.send(Place(f"o{number}", "piano" if number % 2 else "book"))
    await one.idle()
    await one.reactor.settle()
    pending = one.reactor.pending
    assert list(pending.instances()) == []
    assert pending._asked == {}
    assert dict(one.reactor._unanswered) == {}


async def test_a_commit_with_several_events_is_one_reaction_to_each_in_turn(start: Start) -> None:
    one = await start(MemoryLog(), things(cured=True, each=3))
    await one.send(Ask("t1"))
    await one.idle()
    assert await one.said("evt.things.Counting.t1") == ["cim.Reacted Noted Noted Noted"]
    # What one of them raises leaves nothing of the others.
    two = await start(MemoryLog(), things(each=3))
    await two.send(Ask("t1"))
    await two.idle()
    assert await two.said("evt.things.Counting.t1") == ["cim.Stopped"]


async def test_a_process_may_ask_for_what_a_rule_decides(start: Start) -> None:
    sorting = Context("sorting")

    @sorting.policy
    def save(event: Halved | Rejected[Move]) -> Move | None:
        """What was left of a jar is put into the one that is kept."""
        return Move(event.jar, "kept", 2) if isinstance(event, Halved) else None

    one = await start(MemoryLog(), jars, sorting)
    for jar, amount in (("j1", 8), ("j2", 9), ("j3", 1), ("j4", 8), ("j5", 10), ("j6", 7)):
        await one.send(Put(jar, amount))
        await one.send(Pour(jar))
        await one.idle()
    assert list(one.reactor.pending.instances()) == []
    events = await one.events()
    assert [text for text in events if text.startswith("Taken")] == [
        "Taken j1",
        "Taken j2",
        "Taken j4",
        "Taken j5",
        "Taken j6",
    ]
    assert (await one.said("evt.sorting.save.j3"))[-1] == "cim.Refused"


async def test_what_the_log_will_not_take_stops_its_process_alone(start: Start) -> None:
    class Narrow(MemoryLog):
        async def attempt(self, commit: Commit, expected: int) -> Stored | Unclear:
            if commit.subject.startswith("evt.shop.Fulfilment.") and len(commit.body) > 2_000:
                raise LogRefused(f"{commit.subject}: too large")
            return await super().attempt(commit, expected)

    one = await start(Narrow(), shop, post)
    await one.send(Place("o1", "book" * 1_000))
    await one.send(Place("o2", "book"))
    await one.idle()
    assert "Sent o2" in await one.events()
    ((key, waiting),) = one.reactor.pending.instances()
    assert (key, waiting.stop is not None) == (("shop.Fulfilment", "o1"), True)
    assert one.troubles == ["shop.Fulfilment o1 is stopped: evt.shop.Fulfilment.o1: too large"]

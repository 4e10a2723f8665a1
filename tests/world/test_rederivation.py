"""What other code wrote, made anew: shown beside the old, replaced once, and never over anything newer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cim import Changed, Component, Context, Expires, Failure, Personal, Unavailable
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.log.sealing import Sealing
from cim.testing.people import Customer, Greeting, Register, shop
from cim.testing.threads import Threads
from cim.world.allowance import Limit
from cim.world.due import REDERIVED
from cim.world.entity import Entity
from cim.world.provenance import Provenance, changes
from cim.world.rederivation import Rederivation, Rederived, is_by_other_code
from cim.world.trail import history
from cim.world.world import World
from cim.world.writer import Writer

from .boxes import Box, Pack, Price, Reprice, Size, boxes, label
from .boxes import price as first_price
from .conftest import Process, Start

B1 = Ref("boxes", "Box", "b1")


def price(box: Changed[Box]) -> tuple[Price | None, Size]:
    """Three cents a gram, and sizes as ever; what is light is free, and seven is no weight."""
    if box.grams == 7:
        raise Failure("seven is no weight")
    if box.grams == 13:
        return Price(39), Size("S")
    return Price(3 * box.grams) if box.grams > 10 else None, Size("L" if box.grams > 100 else "S")


def same(box: Changed[Box]) -> tuple[Price | None, Size]:
    """Two cents a gram, in other words."""
    cents = box.grams + box.grams
    return Price(cents) if box.grams else None, Size("S" if box.grams <= 100 else "L")


def of(context: Context, *systems: Callable[..., Any]) -> Context:
    """The context with other systems."""
    made = Context(context.name)
    made.entities, made.components = context.entities, context.components
    made.systems = list(systems)
    return made


def named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = name
    return function


OTHER, SAME = of(boxes, price, label), of(boxes, named("price", same), label)


class Anew:
    """Makes the runs of one system anew beside a process."""

    def __init__(self, process: Process, sealing: Sealing | None = None, limit: Limit | None = None) -> None:
        self.process = process
        system = process.composition.systems[0]
        sealing = sealing or Sealing()
        self.executor = ThreadPoolExecutor(4)
        runner = Threads([system], lambda _: {}, self.executor)
        writer = Writer(process.world, process.log, process.clock, "cim:test", pytest.fail, sealing)
        self.rederivation = Rederivation(
            system,
            process.world.entities.at_hand,
            runner,
            writer,
            sealing,
            process.clock,
            "person:ada",
            2,
            limit,
        )

    async def found(self) -> list[Rederived]:
        entities = self.process.world.entities.each(self.rederivation.system.of)
        return [one async for one in self.rederivation.each(entities)]

    async def replace(self, one: Rederived) -> int | None:
        return await self.rederivation.replace(one)


async def packed(start: Start, code: Context, *grams: int) -> tuple[Process, Anew]:
    """Boxes b1, b2, … that the first code looked at, in a process that has other code."""
    before = start(MemoryLog(), boxes)
    for number, one in enumerate(grams, 1):
        await before.send(Pack(f"b{number}", one), f"c{number}")
    await before.idle()
    await before.stop()
    process = start(before.log, code)
    await process.idle()
    return process, Anew(process)


def told(one: Rederived) -> dict[str, tuple[Any, Any]]:
    return {key: (found.old, found.new) for key, found in one.differences.items()}


async def test_differences_are_shown_and_nothing_is_written_before_it_is_said(start: Start) -> None:
    process, anew = await packed(start, OTHER, 20, 5)
    commits, values = await process.commits(), await process.values()
    first, second = await anew.found()
    assert (first.outcome, told(first)) == ("differs", {"Price": ({"cents": 40}, {"cents": 60})})
    assert (second.outcome, told(second)) == ("differs", {"Price": ({"cents": 10}, None)})
    await process.idle()
    assert (await process.commits(), await process.values()) == (commits, values)


async def test_what_is_replaced_says_by_which_code_and_who_asked_and_is_done_once(start: Start) -> None:
    process, anew = await packed(start, OTHER, 20)
    (one,) = await anew.found()
    old = one.entity.runs["boxes.price"]
    sequence = await anew.replace(one)
    await process.idle()
    assert (await process.values())["b1"] == {
        "Price": {"cents": 60},
        "Size": {"letters": "S"},
        "Label": {"text": "60 c"},  # what follows from it follows
    }
    new = one.entity.runs["boxes.price"]
    system = anew.rederivation.system
    assert (new.sequence, new.version, new.inputs) == (
        sequence,
        system.version,
        {"state": 1, REDERIVED: old.number},
    )
    assert new.version != old.version
    (written,) = [commit for commit in await process.commits() if commit.sequence == sequence]
    assert (written.origin.owner, written.origin.correlation) == ("person:ada", "c1")
    assert Provenance(await process.commits()).of(one.entity, "Price") == written.derivation
    assert await anew.found() == []
    assert await anew.replace(one) is None
    late = start(process.log, OTHER)
    await late.idle()
    assert await late.values() == await process.values()
    assert len(await late.commits()) == written.sequence + 1, "a start makes nothing again"


async def test_what_is_the_same_is_confirmed_and_wakes_nobody(start: Start) -> None:
    process, anew = await packed(start, SAME, 20, 200)
    found = await anew.found()
    assert [one.outcome for one in found] == ["same", "same"]
    before = await process.commits()
    for one in found:
        assert await anew.replace(one) is not None
    await process.idle()
    new = (await process.commits())[len(before) :]
    assert [(commit.body, commit.derivation.system) for commit in new if commit.derivation] == [
        (b"[]", "boxes.price")
    ] * 2
    assert await anew.found() == [], "it is not asked for again"
    life = list(changes(World(compose([boxes])), await history(process.log, B1), "Price"))
    assert [(one.what, one.version) for one in life] == [
        ("written", compose([boxes]).systems[0].version),
        ("confirmed", anew.rederivation.system.version),
    ]


async def test_of_several_components_only_those_that_differ_are_written(start: Start) -> None:
    _, anew = await packed(start, OTHER, 20)
    (one,) = await anew.found()
    size = one.entity.cells["Size"]
    await anew.replace(one)
    assert one.entity.cells["Size"] is size
    assert one.entity.cells["Price"].value == {"cents": 60}


async def test_what_a_person_put_right_stays(start: Start) -> None:
    before = start(MemoryLog(), boxes)
    await before.send(Pack("b1", 20), "c1")
    await before.idle()
    await before.send(Reprice("b1", 99), "c2")
    await before.idle()
    await before.stop()
    process = start(before.log, OTHER)
    await process.idle()
    anew = Anew(process)
    (one,) = await anew.found()
    assert told(one) == {"Price": ({"cents": 40}, {"cents": 60})}, "beside what was derived"
    await anew.replace(one)
    await process.idle()
    cell = one.entity.cells["Price"]
    assert cell.value == {"cents": 99}
    assert cell.derived is not None
    assert cell.derived.value == {"cents": 60}
    assert (await process.values())["b1"]["Label"] == {"text": "99 c"}


async def test_where_the_new_code_fails_the_old_stands_and_what_failed_before_is_mended(start: Start) -> None:
    process, anew = await packed(start, OTHER, 7, 13)
    values = await process.values()
    seven, thirteen = await anew.found()
    assert (seven.outcome, seven.cause, seven.call) == ("failed", "seven is no weight", None)
    assert told(thirteen) == {"Price": (None, {"cents": 39}), "Size": (None, {"letters": "S"})}
    await anew.replace(thirteen)
    await process.idle()
    after = await process.values()
    assert after["b1"] == values["b1"]
    assert (set(values["b2"]), set(after["b2"])) == ({"Failed"}, {"Price", "Size", "Label"})


async def test_what_was_replaced_or_made_meanwhile_is_not_written_over(start: Start) -> None:
    process, anew = await packed(start, OTHER, 20, 30)
    first, second = await anew.found()
    await process.send(Pack("b1", 50), "d1")  # its own run, by the code of now
    await process.idle()
    await process.send(Reprice("b2", 7), "d2")  # no input of the run
    await process.idle()
    commits = await process.commits()
    assert await anew.replace(first) is None
    assert await process.commits() == commits
    assert (await process.values())["b1"]["Price"] == {"cents": 150}
    assert await anew.replace(second) is not None


async def test_an_input_that_is_replaced_before_its_own_run_is_not_written_over(start: Start) -> None:
    process, anew = await packed(start, of(boxes, price), 20)
    (one,) = await anew.found()
    process.schedule._runner = Never()
    await process.send(Pack("b1", 50), "d1")
    await process.until(process.world.reached(await process.log.last()))
    assert await anew.replace(one) is None
    (left,) = await anew.found()
    assert (left.outcome, left.cause) == ("left", "a run of its own is due")


class Never:
    """A runner that makes no run."""

    async def run(self, *_: object) -> object:
        return await asyncio.get_running_loop().create_future()


async def test_two_that_replace_at_once_write_it_once(start: Start) -> None:
    process, here = await packed(start, OTHER, 20, 30)
    other = start(process.log, OTHER)
    await other.idle()
    there = Anew(other)
    mine, theirs = await here.found(), await there.found()
    sequences = await asyncio.gather(
        *(here.replace(one) for one in mine), *(there.replace(one) for one in theirs)
    )
    await process.idle()
    runs = [one for one in await process.commits() if one.derivation and REDERIVED in one.derivation.inputs]
    assert len(runs) == 2
    assert {one.sequence for one in runs} == {one for one in sequences if one is not None}
    await other.idle()
    assert await other.values() == await process.values()


async def test_what_another_made_anew_before_its_turn_came_is_not_made_again(start: Start) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def price(box: Changed[Box]) -> tuple[Price | None, Size]:
        if box.grams == 20:
            begun.set()
            goes_on.wait(10)
        return Price(3 * box.grams), Size("S")

    process, other = await packed(start, of(boxes, price, label), 20, 30)
    waits = Anew(process, limit=Limit(at_once=1))
    looking = asyncio.create_task(waits.found())
    await asyncio.to_thread(begun.wait, 10)  # the second one waits for its turn
    second = await process.world.entities.page((B1.context, B1.entity), "b1")
    (theirs,) = [one async for one in other.rederivation.each(each(second))]
    assert await other.replace(theirs) is not None
    goes_on.set()
    found = [(one.outcome, one.cause) for one in await looking]
    assert found == [("differs", ""), ("left", "it was made anew meanwhile")]


async def each(entities: list[Entity]) -> AsyncIterator[Entity]:
    for entity in entities:
        yield entity


async def test_where_it_was_cut_off_it_goes_on(start: Start) -> None:
    process, anew = await packed(start, OTHER, 20, 30, 40)
    first, *_ = await anew.found()
    await anew.replace(first)
    await process.stop()
    again = start(process.log, OTHER)
    await again.idle()
    assert [str(one.entity.ref.id) for one in await Anew(again).found()] == ["b2", "b3"]


async def test_what_is_of_a_person_who_was_erased_is_told_and_neither_shown_nor_written(start: Start) -> None:
    seen: list[str] = []

    def greet(customer: Changed[Customer]) -> Greeting:
        seen.append(customer.name)
        return Greeting(f"Hello {customer.name}")

    keys = MemoryKeys()
    before = start(MemoryLog(), shop, sealing=Sealing(keys))
    for name in ("ada", "bob"):
        await before.send(Register(name, name.capitalize()), f"c-{name}")
    await before.idle()
    await before.stop()
    keys.destroy("shop.Customer.ada")
    sealing = Sealing(keys)
    process = start(before.log, of(shop, greet), sealing=sealing)
    await process.idle()
    ada, bob = await Anew(process, sealing).found()
    assert (ada.outcome, ada.call, told(ada)) == ("erased", None, {})
    assert ada.cause == "what it is made from was erased: it is of shop.Customer.ada"
    assert seen == ["Bob"]
    assert bob.outcome == "differs"


async def test_what_has_no_run_to_be_made_is_left_alone_by_name(start: Start) -> None:
    process, anew = await packed(start, OTHER, 20, 30)
    one, other = [entity async for entity in process.world.entities.each(("boxes", "Box"))]
    one.stopped = "sequence 9: nobody can read it"
    other.cells.pop("state")
    assert [(found.outcome, found.cause) for found in await anew.found()] == [
        ("left", "it is stopped: sequence 9: nobody can read it"),
        ("left", "it no longer has what the system reads"),
    ]


async def test_what_it_needs_is_away_ends_it_by_name_after_a_few(start: Start) -> None:
    tried: list[int] = []

    def away(box: Changed[Box]) -> tuple[Price | None, Size]:
        tried.append(box.grams)
        raise Unavailable("nobody weighs")

    process, anew = await packed(start, of(boxes, named("price", away)), *range(20, 40))
    commits, found = await process.commits(), list[Rederived]()

    async def all_of_them() -> None:
        async for one in anew.rederivation.each(process.world.entities.each()):
            found.append(one)

    with pytest.raises(CimError, match=r"what boxes\.price needs is away"):
        await all_of_them()
    assert [one.cause for one in found[:3]] == ["it cannot be made now: nobody weighs"] * 3
    assert len(tried) < 6
    assert await process.commits() == commits


async def test_no_more_run_at_once_and_in_a_second_than_the_limit_of_the_system_says(start: Start) -> None:
    process, _ = await packed(start, OTHER, *range(20, 26))
    anew, began = Anew(process, limit=Limit(at_once=1, per_second=2)), process.clock.monotonic()
    assert len(await anew.found()) == 6
    assert process.clock.monotonic() - began >= 2.0


reservations = Context("reservations")


@reservations.component(of=Box)
class Claim(Component):
    """Somebody wants it, for a while."""

    grams: int
    until: Expires = None


def claim(box: Changed[Box]) -> Claim:
    return Claim(box.grams, datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=box.grams))


def claim_more(box: Changed[Box]) -> Claim:
    return Claim(box.grams + 1, datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=box.grams))


async def test_what_has_ended_is_not_brought_back(start: Start) -> None:
    of_now, of_then = of(reservations, named("claim", claim_more)), of(reservations, claim)
    before = start(MemoryLog(), of(boxes), of_then)
    await before.send(Pack("b1", 1), "c1")
    await before.idle()
    await before.stop()
    process = start(before.log, of(boxes), of_now)
    await process.idle()
    (entity,) = [one async for one in process.world.entities.each()]
    assert await _outcome(process) == "differs", "while it stands it is looked at"
    entity.cells.pop("reservations.Claim")  # as its end takes it away
    assert await _outcome(process) == "same"


async def _outcome(process: Process) -> str:
    (one,) = await Anew(process).found()
    return one.outcome


async def test_what_the_code_of_now_made_is_not_looked_at(start: Start) -> None:
    process, anew = await packed(start, of(boxes, first_price, label), 20)
    assert await anew.found() == []
    entity = await process.world.entities.get(B1)
    assert not is_by_other_code(anew.rederivation.system, entity)


async def test_whoever_stops_in_the_middle_leaves_nothing_under_way(start: Start) -> None:
    process, anew = await packed(start, OTHER, *range(20, 40))
    looked: list[Ref] = []

    async def entities() -> AsyncIterator[Entity]:
        async for one in process.world.entities.each():
            looked.append(one.ref)
            yield one

    found = anew.rederivation.each(entities())
    await anext(found)
    tasks = asyncio.all_tasks()
    await found.aclose()  # type: ignore[attr-defined]
    assert len(asyncio.all_tasks()) < len(tasks)
    assert len(looked) < 20, "what is far ahead is not begun"


async def test_what_stops_between_the_showing_and_the_replacing_is_left_alone(start: Start) -> None:
    process, anew = await packed(start, OTHER, 20)
    (one,) = await anew.found()
    commits, one.entity.stopped = await process.commits(), "sequence 9: nobody can read it"
    assert await anew.replace(one) is None
    assert await process.commits() == commits


async def test_two_codes_that_replace_the_same_run_are_two_runs(start: Start) -> None:
    process, anew = await packed(start, OTHER, 20)
    (one,) = await anew.found()
    third = start(process.log, SAME)
    await third.idle()
    (other,) = await Anew(third).found()
    assert one.call is not None
    assert other.call is not None
    assert one.call.inputs == other.call.inputs
    assert one.call.id != other.call.id


parcels = Context("parcels")


@parcels.component(of=Box)
class Addressee(Component):
    """Who gets it."""

    name: Personal[str]


def address(box: Changed[Box]) -> Addressee:
    return Addressee(f"the one with {box.grams} g")


def address_anew(box: Changed[Box]) -> Addressee:
    return Addressee(f"whoever has {box.grams} g")


async def test_what_would_be_written_of_a_person_who_was_erased_is_not_shown_either(start: Start) -> None:
    keys = MemoryKeys()
    before = start(MemoryLog(), of(boxes), of(parcels, address), sealing=Sealing(keys))
    await before.send(Pack("b1", 20), "c1")
    await before.idle()
    await before.stop()
    keys.destroy("boxes.Box.b1")
    sealing = Sealing(keys)
    process = start(before.log, of(boxes), of(parcels, named("address", address_anew)), sealing=sealing)
    await process.idle()
    (one,) = await Anew(process, sealing).found()
    assert (one.outcome, one.call, told(one)) == ("erased", None, {})
    assert one.cause == "what it writes was erased: it is of boxes.Box.b1"

"""What a system reads of the entity to which another one refers: new when either changes, each once."""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytest

from cim import Changed, Command, Component, Context, Event, Maybe, Refers, State, Where, With, Without
from cim.adapters.memory.index import MemoryIndex
from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.contract.system import STATE, read_system
from cim.world.due import arguments, call, is_due
from cim.world.entity import Cell, Entity, Run
from cim.world.indexed import IndexedEntities
from cim.world.looking import GLANCE, Looking
from cim.world.relations import Relations
from cim.world.standing import go_on
from cim.world.trail import history
from cim.world.world import World

Start = Callable[..., Any]


class Register(Command):
    customer: str
    name: str
    limit: int | None


class Registered(Event):
    customer: str
    name: str
    limit: int | None


class Buy(Command):
    order: str
    customer: str | None


class Bought(Event):
    order: str
    customer: str | None


people, shop, late = Context("people"), Context("shop"), Context("late")


@people.entity(key="customer")
class Customer(State):
    name: str = ""
    limit: int | None = None

    def decide(self, command: Register) -> Iterable[Registered]:
        return [Registered(command.customer, command.name, command.limit)]

    def evolve(self, event: Registered) -> "Customer":
        return self.but(name=event.name, limit=event.limit)


@people.component(of=Customer)
class Credit(Component):
    limit: int


@shop.entity(key="order")
class Order(State):
    customer: Annotated[str | None, Refers(Customer)] = None

    def decide(self, command: Buy) -> Iterable[Bought]:
        return [Bought(command.order, command.customer)]

    def evolve(self, event: Bought) -> "Order":
        return self.but(customer=event.customer)


@shop.component(of=Order)
class Terms(Component):
    limit: int


@shop.component(of=Order)
class Greeting(Component):
    name: str


@shop.component(of=Order)
class Parties(Component):
    payer: Annotated[str, Refers(Customer)]


@shop.component(of=Order)
class Other(Component):
    """What the systems of single tests write."""


@late.component(of=Order)
class Rich(Component):
    pass


@people.system
def rate(customer: Changed[Customer]) -> Credit | None:
    return None if customer.limit is None else Credit(customer.limit)


@shop.system
def terms(order: Changed[Order], credit: Changed[Credit | None]) -> Terms | None:
    return None if credit is None else Terms(credit.limit)


@shop.system
def greet(order: Order, customer: Changed[Customer]) -> Greeting:
    return Greeting(customer.name)


@late.system
def weigh(order: Order, credit: Annotated[Changed[Credit | None], Where("limit", ">", 50)]) -> Rich | None:
    return None if credit is None else Rich()


# One question, asked of entities that are built by hand


def changed(order: Changed[Order], credit: Changed[Credit]) -> Other:
    return Other()


def has(order: Changed[Order], credit: Credit) -> Other:
    return Other()


def carries(order: Changed[Order], credit: With[Credit]) -> Other:
    return Other()


def lacks(order: Changed[Order], credit: Without[Credit]) -> Other:
    return Other()


def perhaps(order: Changed[Order], credit: Maybe[Credit]) -> Other:
    return Other()


def follows(order: Order, credit: Changed[Credit | None]) -> Other:
    return Other()


def filtered(order: Changed[Order], credit: Annotated[Changed[Credit], Where("limit", ">", 50)]) -> Other:
    return Other()


def through_a_component(parties: Maybe[Parties], credit: Changed[Credit | None]) -> Other:
    return Other()


def entity(ref: Ref, state: State, values: dict[str, Any], number: int = 1) -> Entity:
    made = Entity(ref, state)
    for sequence, (name, value) in enumerate(values.items(), start=number):
        made.cells[name] = Cell(value, Origin.root(f"{ref.id}{name}", "tester"), sequence, number, "x", "t")
    return made


A, B, ORDER = Ref("people", "Customer", "a"), Ref("people", "Customer", "b"), Ref("shop", "Order", "o")
AT_A, AT_B, AT_NONE = "state.customer>Credit@a", "state.customer>Credit@b", "state.customer>Credit@"


@pytest.mark.parametrize(
    ("function", "customer", "run", "inputs"),
    [
        (changed, "a", None, {STATE: 1, AT_A: 3}),
        (changed, "a", {STATE: 1, AT_A: 3}, None),
        (changed, "a", {STATE: 1, AT_A: 2}, {STATE: 1, AT_A: 3}),
        (changed, "a", {STATE: 1, AT_B: 3}, {STATE: 1, AT_A: 3}),  # it refers to another one now
        (changed, "b", None, None),  # there, and carries none
        (changed, "nobody", None, None),
        (changed, None, None, None),
        (has, "a", None, {STATE: 1, AT_A: 3}),
        (has, "a", {STATE: 1, AT_A: 2}, None),
        (has, "b", None, None),
        (carries, "a", None, {STATE: 1, AT_A: 3}),
        (carries, "nobody", None, None),
        (lacks, "a", None, None),
        (lacks, "b", None, {STATE: 1}),
        (lacks, "nobody", None, {STATE: 1}),
        (lacks, None, None, {STATE: 1}),
        (perhaps, "a", None, {STATE: 1, AT_A: 3}),
        (perhaps, "b", None, {STATE: 1}),
        (perhaps, None, None, {STATE: 1}),
        (perhaps, "a", {STATE: 1}, None),
        (follows, "b", None, None),
        (follows, "a", None, {STATE: 1, AT_A: 3}),
        (follows, "b", {STATE: 1, AT_A: 3}, {STATE: 1, AT_NONE: 0}),
        (follows, None, {STATE: 1, AT_A: 3}, {STATE: 1, AT_NONE: 0}),
        (follows, "b", {STATE: 1, AT_NONE: 0}, None),
        (follows, "a", {STATE: 1, AT_NONE: 0}, {STATE: 1, AT_A: 3}),
        (filtered, "a", None, None),
    ],
)
def test_a_system_is_due_by_what_the_other_entity_is(
    function: Callable[..., Any],
    customer: str | None,
    run: dict[str, int] | None,
    inputs: dict[str, int] | None,
) -> None:
    system = read_system("shop", function)
    order = entity(ORDER, Order(customer), {STATE: None})
    others = {
        A: entity(A, Customer("Ada", 7), {STATE: None, "Credit": {"limit": 7}}, 3),
        B: entity(B, Customer("Bob"), {STATE: None}, 3),
    }
    if run is not None:
        order.runs[str(system)] = Run(str(system), run, False, "", 1.0, 9, "v", 1)
    found = call(system, order, others.get)
    assert (None if found is None else dict(found.inputs)) == inputs
    if found is not None and function not in (carries, lacks):
        given = arguments(found)["credit"]
        assert given == (Credit(7) if AT_A in found.inputs else None)


def test_the_cause_is_where_the_newest_of_either_came_from() -> None:
    order = entity(ORDER, Order("a"), {STATE: None})
    other = entity(A, Customer("Ada", 7), {STATE: None, "Credit": {"limit": 7}}, 3)
    found = call(read_system("shop", changed), order, {A: other}.get)
    assert found is not None
    assert found.cause.id == "aCredit"
    order.runs["shop.follows"] = Run("shop.follows", {AT_A: 3}, False, "", 1.0, 9, "v", 1)
    found = call(read_system("shop", follows), order, {A: entity(A, Customer(), {STATE: None})}.get)
    assert found is not None
    assert found.cause.id == "ostate"


def test_when_what_led_there_is_gone_the_cause_is_the_entity_s_own() -> None:
    order = entity(ORDER, Order("a"), {STATE: None})
    order.runs["shop.through_a_component"] = Run("", {"Parties.payer>Credit@a": 3}, False, "", 1.0, 9, "v", 1)
    found = call(read_system("shop", through_a_component), order, lambda ref: None)
    assert found is not None
    assert (found.cause.id, dict(found.inputs)) == ("ostate", {"Parties.payer>Credit@": 0})


def test_nothing_is_due_while_the_other_entity_is_stopped() -> None:
    order = entity(ORDER, Order("a"), {STATE: None})
    other = entity(A, Customer(), {})
    other.stopped = "an unknown event"
    for function in (lacks, perhaps, follows):
        assert not is_due(read_system("shop", function), order, {A: other}.get)


def test_it_is_known_who_refers_to_one() -> None:
    relations = Relations(compose([people, shop]).systems)
    one, other = (entity(Ref("shop", "Order", id), Order("a"), {STATE: None}) for id in ("one", "other"))
    for found in (one, other, one, entity(A, Customer(), {STATE: None})):
        relations.follow(found)
    assert list(relations.referring(A)) == [one.ref, other.ref]
    one.state = Order("b")
    relations.follow(one)
    assert (list(relations.referring(A)), list(relations.referring(B))) == ([other.ref], [one.ref])
    other.state = Order(None)
    relations.follow(other)
    assert not relations.referring(A)
    assert not Relations(compose([people]).systems).referring(A)


async def test_who_refers_to_one_is_known_over_an_index_and_its_restarts(start: Start) -> None:
    log, chance, composition = MemoryLog(), random.Random(5), compose([people, shop])
    process = start(log, people, shop)
    for number in range(40):
        order, customer = f"o{chance.randrange(4)}", chance.choice(["a", "b", None])
        await process.send(Buy(order, customer), f"c{number}")
    await process.idle()
    whole, index = World(composition), MemoryIndex()
    commits = [commit async for commit in log.read(">")]
    for begin in range(0, len(commits), 7):
        entities = IndexedEntities(index, composition, print, hot=1, written=2)
        world = World(composition, history=lambda ref: history(log, ref), entities=entities)
        await go_on(world, entities, index, log, 0, print)
        for commit in commits[begin : begin + 7]:
            whole.apply(commit)
            await world.take([commit])
            await world.keep()
            for ref in (A, B):
                assert {*world.relations.referring(ref)} == {*whole.relations.referring(ref)}
                assert len(world.relations.referring(ref)) == len(whole.relations.referring(ref))
        await world.finish()
        orders = {one.ref async for one in whole.entities.each() if one.ref.entity == "Order"}
        # What they refer to may be another one at any time.
        assert {one.ref async for one in entities.to_look_at()} >= orders
    assert world.sequence == len(commits)


# In a machine


async def test_a_change_of_either_is_followed_and_a_module_of_later_finds_both(start: Start) -> None:
    log = MemoryLog()
    process = start(log, people, shop)

    async def after(command: Command) -> Any:
        await process.send(command, f"c{await log.last()}")
        await process.idle()
        return (await process.values()).get("o")

    assert await after(Buy("o", "a")) == {}
    assert await after(Register("a", "Ada", 7)) == {"Terms": {"limit": 7}, "Greeting": {"name": "Ada"}}
    assert await after(Register("a", "Ada", 70)) == {"Terms": {"limit": 70}, "Greeting": {"name": "Ada"}}
    assert await after(Register("b", "Bob", 60)) == {"Terms": {"limit": 70}, "Greeting": {"name": "Ada"}}
    assert await after(Buy("o", "b")) == {"Terms": {"limit": 60}, "Greeting": {"name": "Bob"}}
    assert await after(Register("a", "Eve", 5)) == {"Terms": {"limit": 60}, "Greeting": {"name": "Bob"}}
    await process.stop()
    process = start(log, people, shop, late)
    await process.idle()
    assert (await process.values())["o"]["late.Rich"] == {}
    assert await after(Register("b", "Bob", None)) == {"Greeting": {"name": "Bob"}}
    assert await after(Buy("o", None)) == {"Greeting": {"name": "Bob"}}


async def test_what_many_refer_to_is_followed_by_all_of_them_and_others_are_not_kept(start: Start) -> None:
    many = 3 * GLANCE
    process = start(MemoryLog(), people, shop)
    await process.send(Register("a", "Ada", 1), "a1")
    for number in range(many):
        await process.send(Buy(f"o{number}", "a"), f"b{number}")
    await process.idle()
    await process.send(Register("a", "Ada", 2), "a2")
    await process.until(process.world.reached(await process.log.last()))
    assert process.schedule.left  # as long as they are looked at, it is not idle
    for limit in (3, 4):
        await process.send(Register("a", "Ada", limit), f"a{limit}")
    await process.idle()
    values = await process.values()
    assert [values[f"o{number}"]["Terms"] for number in range(many)] == [{"limit": 4}] * many
    done, whole = process.schedule.progress
    assert done == whole


async def test_only_what_changed_since_is_looked_across(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.world.looking.GLANCE", 1)
    process = start(MemoryLog(), people, shop)
    await process.send(Register("a", "Ada", 1), "a1")
    for number in range(3):
        await process.send(Buy(f"o{number}", "a"), f"b{number}")
    await process.idle()
    looked, through = list[Entity](), asyncio.Event()

    async def ended() -> None:
        through.set()

    looking = Looking(process.world, lambda entity, turn: looked.append(entity), lambda: False, ended)
    task = asyncio.create_task(looking.run())
    await through.wait()
    through.clear()
    looked.clear()
    ada = process.world.entities.at_hand(A)
    looking.changed(ada)
    assert (looking.left, len(looked)) == (0, 0)
    await process.send(Register("a", "Ada", 2), "a2")
    await process.until(process.world.reached(await process.log.last()))
    looking.changed(ada)
    looking.changed(ada)
    assert looking.left == 1
    await through.wait()
    assert [entity.ref.id for entity in looked] == ["o0", "o1", "o2"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_the_world_ends_as_the_last_words_say(
    start: Start, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cim.world.looking.GLANCE", 1 + seed % 3)
    monkeypatch.setattr("cim.world.schedule.PAGE", 2)
    chance, log = random.Random(seed), MemoryLog()
    customers: dict[str, tuple[str, int | None]] = {}
    orders: dict[str, str | None] = {}
    processes = [start(log, people, shop, late), start(log, people, shop)]
    for number in range(60):
        deed = chance.choices(["register", "buy", "wait", "crash", "breathe"], [8, 8, 2, 1, 4])[0]
        process = chance.choice(processes)
        if deed == "register":
            who, name, limit = chance.choice("abc"), f"n{number}", chance.choice([None, 10, 60])
            await process.send(Register(who, name, limit), f"c{number}")
            customers[who] = (name, limit)
        elif deed == "buy":
            order, whose = f"o{chance.randrange(5)}", chance.choice(["a", "b", "c", "nobody", None])
            await process.send(Buy(order, whose), f"c{number}")
            orders[order] = whose
        elif deed == "wait":
            await process.idle()
        elif deed == "crash":
            await process.stop()
            processes[processes.index(process)] = start(log, people, shop, late)
        else:
            for _ in range(chance.randrange(20)):
                await asyncio.sleep(0)
    for process in (*processes, *processes):
        await process.idle()
    await process.commits()
    for process in processes:
        held_against(customers, orders, await process.values())
    fingerprints = {await process.world.fingerprint() for process in processes}
    assert len(fingerprints) == 1


def held_against(
    customers: dict[str, tuple[str, int | None]], orders: dict[str, str | None], values: dict[str, Any]
) -> None:
    for order, whose in orders.items():
        found = values[order]
        name, limit = customers.get(whose or "", (None, None))
        assert found.get("Terms") == (None if limit is None else {"limit": limit})
        assert ("late.Rich" in found) == (limit is not None and limit > 50)
        if name is not None:
            assert found["Greeting"] == {"name": name}

"""What is personal in a process's facts and commands is sealed, and is erased with the person."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

import pytest

from cim import ERASED, Context, Event, Later, Person, Personal, Process, Rejected, Timer
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.domain.errors import Misdeclared
from cim.log.erasure import erase
from cim.log.sealing import Sealing
from cim.testing.people import Close, Customer, Place, Register, Registered, shop
from cim.world.trail import steps

from .conftest import Running, Start

care = Context("care")


class Noticed(Event):
    customer: Annotated[str, Person(Customer)]
    name: Personal[str]


class Again(Timer):
    customer: str


@care.process(key="customer")
class Caring(Process):
    """Sends a present to whoever registers, and another one after a day."""

    customer: str = ""
    name: str = ""

    def react(
        self, trigger: Registered | Again | Rejected[Register]
    ) -> Iterable[Noticed | Place | Register | Later[Again]]:
        match trigger:
            case Registered(customer, "Nobody"):
                raise ValueError("Nobody is nobody")
            case Registered(customer, name):
                return [
                    Noticed(customer, name),
                    Place(f"{customer}-first", customer, f"to {name}"),
                    Later(Again(customer), after=timedelta(days=1)),
                ]
            case Again(customer):
                return [
                    Place(f"{customer}-again", customer, f"to {self.name}"),
                    Register("closed", self.name),
                ]
            case Rejected():
                return []

    def evolve(self, fact: Noticed) -> "Caring":
        return self.but(customer=fact.customer, name=fact.name)


async def text(running: Running) -> str:
    return " ".join([commit.body.decode() for commit in await running.commits()])


async def stored(log: MemoryLog, subject: str, sealing: Sealing) -> list[dict[str, Any]]:
    """What entities hold, as who may read it reads it."""
    return [item.data async for commit in log.read(subject) for item in codec.decode(sealing.shown(commit))]


async def test_nothing_personal_stands_in_the_log_in_clear(start: Start) -> None:
    log, sealing = MemoryLog(), Sealing(MemoryKeys())
    one = await start(log, shop, care, sealing=sealing)
    await one.send(Register("closed", "Cleo"))
    await one.send(Close("closed"))
    await one.send(Register("c1", "Ada"))
    await one.idle()
    assert await stored(log, "evt.shop.Order.c1-first", sealing) == [
        {"order": "c1-first", "customer": "c1", "address": "to Ada"}
    ]
    # Rejected: "Cleo is off the books" is a reason that tells a name.
    await one.stop()
    one.clock.move(100_000)
    two = await start(log, shop, care, sealing=sealing, clock=one.clock)
    await two.idle()
    (refused, *_) = await stored_of(two, sealing)
    assert refused == {
        "command": refused["command"],
        "by": "shop.Customer closed",
        "reason": "Cleo is off the books",
    }
    assert "Ada" not in await text(two)
    assert "Cleo" not in await text(two)
    shown = [step.note for commit in await two.commits() for step in steps(commit, sealing)]
    assert any("refused: Cleo is off the books" in note for note in shown)


async def stored_of(running: Running, sealing: Sealing) -> list[dict[str, Any]]:
    return [
        item.data
        for commit in await running.commits("evt.care.Caring.c1")
        for item in codec.decode(sealing.shown(commit))
        if item.type == "cim.Refused"
    ]


async def test_who_is_erased_is_erased_in_what_a_process_knows_and_asks(start: Start) -> None:
    log, keys = MemoryLog(), MemoryKeys()
    sealing = Sealing(keys)
    one = await start(log, shop, care, sealing=sealing)
    await one.send(Register("c1", "Ada"))
    await one.idle()
    origin = Origin.root("erase", "person:bob")
    await erase(log, one.clock, "cim:test", origin, Ref("shop", "Customer", "c1"), "asked")
    sealing.forget("shop.Customer.c1")
    keys.destroy("shop.Customer.c1")
    one.actors.forget([Ref("shop", "Order", "c1-first")])
    one.reactor.forget()
    await one.idle()
    one.clock.move(100_000)
    await one.stop()
    two = await start(log, shop, care, sealing=sealing, clock=one.clock)
    await two.idle()
    for order in ("first", "again"):
        (placed,) = await stored(log, f"evt.shop.Order.c1-{order}", sealing)
        assert placed["address"] == ERASED
    assert two.troubles == []


async def test_why_a_process_stands_still_tells_nothing_personal(start: Start) -> None:
    log = MemoryLog()
    one = await start(log, shop, care, sealing=Sealing(MemoryKeys()))
    await one.send(Register("c1", "Nobody"))
    await one.idle()
    ((_, waiting),) = one.reactor.pending.instances()
    assert waiting.stop is not None
    cause = "ValueError, whose words are not kept: they may tell what is personal"
    assert waiting.stop.cause == cause
    assert one.troubles == [f"care.Caring c1 is stopped: {cause}"]


def test_what_cannot_be_erased_is_refused() -> None:
    class Named(Timer):
        customer: Annotated[str, Person(Customer)]
        name: Personal[str]

    class Nameless(Event):
        name: Personal[str]

    def process(takes: Any, gives: Any, facts: Any = None, key: str = "customer") -> Context:
        made = Context("made")

        def react(self: Any, trigger: Any) -> Any:
            return []

        def evolve(self: Any, fact: Any) -> Any:
            return self

        react.__annotations__ = {"trigger": takes, "return": gives}
        evolve.__annotations__ = {"fact": facts}
        namespace = {"react": react, "__module__": __name__, **({"evolve": evolve} if facts else {})}
        made.process(key=key)(type("Made", (Process,), namespace))
        return made

    with pytest.raises(Misdeclared, match="the timer Named has personal fields"):
        compose([shop, process(Registered | Named, Iterable[Later[Named]])])
    with pytest.raises(Misdeclared, match="Nameless has personal fields and does not say whose"):
        compose([shop, process(Registered, Iterable[Nameless], Nameless)])
    with pytest.raises(Misdeclared, match="Registered has no field `name: str`"):
        compose([shop, process(Registered, Iterable[Place], key="name")])

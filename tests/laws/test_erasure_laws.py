"""Laws of erasure: a world that follows and forgets is the world that is folded from nothing, whatever came
in between; and nothing of whom it forgot is in it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.envelope import Commit, Derivation, Origin
from cim.contract.subjects import Ref
from cim.log.append import Appended, append
from cim.log.chain import Head
from cim.log.erasure import erase, settle
from cim.log.sealing import Sealing, person_name
from cim.ports.keys import PersonErased
from cim.testing.clock import HandClock
from cim.testing.people import Closed, Greeting, Placed, Registered, shop
from cim.world.trail import history
from cim.world.world import World

COMPOSITION = compose([shop])
PERSONS = ("ada", "bob", "cleo")


@dataclass
class Life:
    """A log that is written to, a world that follows it now and then, and a second log of what was secret."""

    log: MemoryLog = field(default_factory=MemoryLog)
    keys: MemoryKeys = field(default_factory=MemoryKeys)
    heads: dict[str, Head] = field(default_factory=dict)
    secrets: dict[str, set[str]] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    count: int = 0

    def __post_init__(self) -> None:
        # The writer is another process: it hears of an erasure by the keys alone, and late.
        self.writing, self.sealing = Sealing(self.keys), Sealing(self.keys)
        self.world = World(COMPOSITION, sealing=self.sealing, history=lambda ref: history(self.log, ref))
        self.world.when_erased(lambda person, _: self.keys.destroy(person))

    async def do(self, deed: tuple[str, str, int]) -> None:
        what, person, number = deed
        self.count += 1
        secret = f"secret-{self.count}"
        customer, order = Ref("shop", "Customer", person), Ref("shop", "Order", f"o{number}")
        match what:
            case "register":
                await self.write(customer.events, Registered(person, secret, None, number), person, secret)
            case "close":
                await self.write(customer.events, Closed(person, secret), person, secret)
            case "place":
                await self.write(order.events, Placed(order.id, person, secret), person, secret)
            case "greet":
                await self.write(customer.components("shop"), Greeting(secret), person, secret)
            case "erase":
                origin = Origin.root(f"e{self.count}", "person:clerk")
                await erase(self.log, HandClock(), "cim:shop", origin, customer, "asked")
                self.erased.add(person)
            case _:
                await self.follow()

    async def write(self, subject: str, record: Any, person: str, secret: str) -> None:
        try:
            body = self.writing.write(subject, [record])
        except PersonErased:
            return
        self.secrets.setdefault(person, set()).add(secret)
        origin, time = Origin.root(f"c{self.count}", "person:clerk"), "2024-05-06T07:08:09.000000Z"
        run = Derivation("shop.greet", "0", {"state": 1}, 1.0, "done") if "cmp." in subject else None
        commit = Commit(
            subject, 0, origin, "cim:shop", "shop.Some.Committed", time, "cim:0", body, derivation=run
        )
        head = self.heads.get(subject, Head())
        outcome = await append(self.log, HandClock(), commit, head)
        assert isinstance(outcome, Appended)
        self.heads[subject] = head.advance(outcome.commit)

    async def follow(self) -> None:
        await self.world.take([one async for one in self.log.read(">", self.world.sequence)])
        await self.world.take([])

    async def anew(self) -> World:
        sealing = Sealing(self.keys)
        await settle(self.log, sealing)
        world = World(COMPOSITION, sealing=sealing)
        await world.take([one async for one in self.log.read(">")])
        return world


async def told(world: World) -> str:
    return "".join([codec.json_bytes(one.shown()).decode() async for one in world.entities.each()])


deeds = st.lists(
    st.tuples(
        st.sampled_from(["register", "register", "close", "place", "place", "greet", "erase", "follow"]),
        st.sampled_from(PERSONS),
        st.integers(0, 2),
    ),
    max_size=30,
)


@settings(deadline=None, database=None, derandomize=True, max_examples=200)
@given(deeds)
def test_a_world_that_forgets_is_the_one_that_is_folded_from_nothing(
    done: list[tuple[str, str, int]],
) -> None:
    async def live() -> None:
        life = Life()
        for deed in done:
            await life.do(deed)
        await life.follow()
        again = await life.anew()
        assert await again.fingerprint() == await life.world.fingerprint()
        assert again.digest == life.world.digest
        shown = await told(life.world)
        for person, secrets in life.secrets.items():
            if person in life.erased:
                assert not any(f'"{secret}"' in shown for secret in secrets)
            name = person_name(Ref("shop", "Customer", person))
            assert (name in life.sealing.forgotten) == (person in life.erased)
        assert all(entity.stopped is None for entity in [one async for one in life.world.entities.each()])

    asyncio.run(live())

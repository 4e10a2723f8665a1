"""Events and facts that an older version of a module wrote: policies and processes see the present shapes."""

from collections.abc import Callable, Iterable
from typing import Any

from cim import Command, Context, Event, Former, Process, State
from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.codec import Item
from cim.contract.envelope import Commit, Origin
from cim.contract.subjects import Ref
from cim.log.chain import Head
from cim.ports.log import Stored


class Order(Command):
    order: str


class Note(Command):
    note: str
    text: str


class Ordered1(Former, version=1, called="Bought"):
    order: str

    def upcast(self) -> "Ordered":
        return Ordered(self.order, 1)


class Ordered(Event, formerly=Ordered1):
    order: str
    pieces: int


class Noted(Event):
    note: str
    text: str


stall = Context("stall")


@stall.entity(key="order")
class Purchase(State):
    def decide(self, command: Order) -> Iterable[Ordered]:
        return [Ordered(command.order, 5)]

    def evolve(self, event: Ordered) -> "Purchase":
        return self


@stall.entity(key="note")
class Paper(State):
    text: str = ""

    def decide(self, command: Note) -> Iterable[Noted]:
        return [Noted(command.note, command.text)]

    def evolve(self, event: Noted) -> "Paper":
        return self.but(text=event.text)


@stall.policy
def note(event: Ordered) -> Note:
    """Write down how many pieces."""
    return Note(f"note-{event.order}", f"{event.pieces} pieces")


@stall.process(key="order")
class Counting(Process):
    """Counts what was ordered under one name."""

    pieces: int = 0

    def react(self, event: Ordered) -> Iterable[Note]:
        return [Note(f"count-{event.order}", f"{event.pieces} counted")]


async def append(log: MemoryLog, head: Head, subject: str, id: str, *items: Item) -> Head:
    commit = head.link(
        Commit(
            subject,
            0,
            Origin.root(id, "person:ada"),
            "cim:test",
            "t",
            "2026-01-02T03:04:05.000000Z",
            "",
            codec.encode(items),
        )
    )
    answer = await log.attempt(commit, head.sequence)
    assert isinstance(answer, Stored)
    return head.advance(commit.at(answer.sequence))


async def test_a_former_shape_that_is_still_written_is_reacted_to(
    start: Callable[..., Any],
) -> None:
    log = MemoryLog()
    running = await start(log, stall)
    ref = Ref("stall", "Purchase", "o1")
    head = await append(log, Head(), ref.events, "b1", Item("Bought", 1, {"order": "o1"}))
    await running.idle()
    texts = [
        item.data["text"]
        for commit in await running.commits()
        if commit.type == "stall.Paper.Committed"
        for item in codec.decode(commit.body)
    ]
    assert sorted(texts) == ["1 counted", "1 pieces"]
    await append(log, head, ref.events, "b2", Item("Ordered", 2, {"order": "o1", "boxes": 1}))
    await running.idle()
    assert len(await running.commits("evt.stall.Paper.note-o1")) == 1

"""A person's word outranks what was derived, whatever is derived later."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cim import Changed, Command, Component, Context, Event, State
from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.domain.errors import Failure, Misdeclared
from cim.world.world import World

papers = Context("papers")
runs: list[str] = []

Process = Any
"""One of the process fixture's, see conftest.py."""
Start = Callable[..., Process]


class Write(Command):
    paper: str
    words: str


class PutRight(Command):
    paper: str
    total: str | None = None
    kind: str | None = None


class Written(Event):
    paper: str
    words: str


class Corrected(Event):
    paper: str
    total: str | None = None
    kind: str | None = None


@papers.entity(key="paper")
class Paper(State):
    words: str = ""

    def decide(self, command: Write | PutRight) -> Iterable[Written | Corrected]:
        match command:
            case Write(paper, words):
                return [Written(paper, words)]
            case PutRight(paper, total, kind):
                return [Corrected(paper, total, kind)]

    def evolve(self, event: Written | Corrected) -> "Paper":
        return self.but(words=event.words) if isinstance(event, Written) else self


@papers.component(of=Paper)
class Sums(Component):
    total: str | None = None
    count: int = 0

    def correct(self, event: Corrected) -> "Sums":
        if event.total == "boom":
            raise ValueError("it must not refuse")
        return self if event.total is None else self.but(total=event.total or None)


@papers.component(of=Paper)
class Kind(Component):
    kind: str

    def correct(self, event: Corrected) -> "Kind":
        return self if event.kind is None else Kind(event.kind)


@papers.component(of=Paper)
class Told(Component):
    text: str


@papers.system
def add(paper: Changed[Paper]) -> Sums:
    runs.append("add")
    if paper.words == "unreadable":
        raise Failure("these are no words")
    return Sums(paper.words, len(paper.words))


@papers.system
def tell(sums: Changed[Sums]) -> Told:
    runs.append("tell")
    return Told(f"{sums.total} of {sums.count}")


@pytest.fixture(autouse=True)
def _fresh() -> None:
    runs.clear()


async def read(start: Start, log: MemoryLog, words: str = "80.98") -> Process:
    process = start(log, papers)
    await process.send(Write("p", words), "c1")
    await process.idle()
    return process


async def sent(process: Process, command: Command, id: str) -> dict[str, Any]:
    await process.send(command, id)
    await process.idle()
    values: dict[str, Any] = (await process.values())["p"]
    return values


async def test_a_correction_outranks_what_was_derived_and_wakes_who_reads_it(start: Start) -> None:
    process = await read(start, MemoryLog())
    runs.clear()
    values = await sent(process, PutRight("p", total="80.90"), "c2")
    assert values["Sums"] == {"total": "80.90", "count": 5}
    assert values["Told"] == {"text": "80.90 of 5"}
    assert runs == ["tell"], "what it was derived from did not change, so it is not derived anew"


async def test_it_survives_each_derivation_and_the_rest_is_derived_anew(start: Start) -> None:
    process = await read(start, MemoryLog())
    await sent(process, PutRight("p", total="80.90"), "c2")
    values = await sent(process, Write("p", "99.99 new"), "c3")
    assert values["Sums"] == {"total": "80.90", "count": 9}
    assert values["Told"] == {"text": "80.90 of 9"}
    again = await sent(process, PutRight("p", total="1.00"), "c4")
    assert again["Sums"] == {"total": "1.00", "count": 9}


async def test_it_is_shown_with_who_said_it_and_what_was_derived(start: Start) -> None:
    process = await read(start, MemoryLog())
    await sent(process, PutRight("p", total="80.90"), "c2")
    (entity,) = [one async for one in process.world.entities.each()]
    shown = entity.shown()["components"]
    assert shown["Sums"]["corrected"]["by"] == "tester"
    assert shown["Sums"]["corrected"]["derived"] == {"total": "80.98", "count": 5}
    assert "corrected" not in shown["Told"]


async def test_what_it_says_nothing_of_is_not_corrected(start: Start) -> None:
    process = await read(start, MemoryLog())
    runs.clear()
    await sent(process, PutRight("p", kind="letter"), "c2")
    (entity,) = [one async for one in process.world.entities.each()]
    assert "corrected" not in entity.shown()["components"]["Sums"]
    assert runs == []


async def test_where_nothing_could_be_derived_a_persons_word_stands_alone(start: Start) -> None:
    process = await read(start, MemoryLog(), "unreadable")
    assert "Sums" not in (await process.values())["p"]
    values = await sent(process, PutRight("p", total="5.00", kind="letter"), "c2")
    assert values["Sums"] == {"total": "5.00", "count": 0}
    assert values["Told"] == {"text": "5.00 of 0"}
    assert "Kind" not in values, "a component without defaults has nothing that could be put right"
    values = await sent(process, Write("p", "unreadable"), "c3")
    assert values["Sums"] == {"total": "5.00", "count": 0}


async def test_another_process_and_every_order_of_subjects_see_the_same(start: Start) -> None:
    log = MemoryLog()
    process = await read(start, log)
    await sent(process, PutRight("p", total="80.90"), "c2")
    await sent(process, Write("p", "7.00"), "c3")
    commits = await process.commits()
    apart = sorted(commits, key=lambda commit: commit.subject, reverse=True)
    runs.clear()
    again = start(log, papers)
    await again.idle()
    assert await again.world.fingerprint() == await process.world.fingerprint()
    assert runs == [], "all of it stands in the log"
    for order in (sorted(apart, key=lambda commit: commit.subject.startswith("cmp")), apart):
        world = World(process.composition)
        for commit in order:
            world.apply(commit)
        shown = [one.shown()["components"]["Sums"] async for one in world.entities.each()]
        entities = process.world.entities.each()
        assert shown == [one.shown()["components"]["Sums"] async for one in entities]


async def test_a_correction_that_refuses_stops_its_entity_by_name(start: Start) -> None:
    process = await read(start, MemoryLog())
    await process.send(PutRight("p", total="boom"), "c2")
    await process.idle()
    (entity,) = [one async for one in process.world.entities.each()]
    assert entity.stopped is not None
    assert "Sums.correct raised ValueError: it must not refuse" in entity.stopped


def test_what_cannot_be_a_correction_is_refused_by_name() -> None:
    other = Context("other")

    class Odd(Event):
        paper: str

    @other.component(of=Paper)
    class Foreign(Component):
        def correct(self, event: Odd) -> Component:  # type: ignore[override]
            return self

    with pytest.raises(Misdeclared, match=r"other\.Foreign\.correct takes Odd, which is no event of"):
        compose([papers, other])

    vague = Context("vague")

    @vague.component(of=Paper)
    class Vague(Component):
        def correct(self, event) -> Component:  # type: ignore[no-untyped-def, override]
            return self

    with pytest.raises(Misdeclared, match=r"Vague\.correct: say by its annotation which events"):
        compose([papers, vague])


slips = Context("slips")


class Fill(Command):
    slip: str
    total: int


class Say(Command):
    slip: str
    total: int


class Filled(Event):
    slip: str
    total: int


class Said(Event):
    slip: str
    total: int


@slips.entity(key="slip")
class Slip(State):
    total: int = 0

    def decide(self, command: Fill | Say) -> Iterable[Filled | Said]:
        kind = Filled if isinstance(command, Fill) else Said
        return [kind(command.slip, command.total)]

    def evolve(self, event: Filled | Said) -> "Slip":
        return self.but(total=event.total) if isinstance(event, Filled) else self


@slips.component(of=Slip)
class Total(Component):
    total: int = 0

    def correct(self, event: Said) -> "Total":
        return self.but(total=event.total)


@slips.component(of=Slip)
class Copy(Component):
    total: int


@slips.system
def sum_up(slip: Changed[Slip]) -> Total | None:
    return Total(slip.total) if slip.total else None


@slips.system
def copy(total: Changed[Total]) -> Copy:
    return Copy(total.total)


async def test_a_word_from_under_which_the_derived_value_was_taken_is_another_input(start: Start) -> None:
    log = MemoryLog()
    process = start(log, slips)
    for number, command in enumerate(
        [Fill("s1", 0), Say("s1", 5), Fill("s1", 3), Fill("s1", 0), Say("s1", 6)]
    ):
        await process.send(command, f"c{number}")
        await process.idle()
    assert await process.values() == {"s1": {"Total": {"total": 6}, "Copy": {"total": 6}}}
    runs = [
        (one.id, dict(one.derivation.inputs))
        for one in await process.commits()
        if one.derivation is not None and one.derivation.system == "slips.copy"
    ]
    assert [inputs for _, inputs in runs] == [
        {"Total": 0, "Total/corrected": 2},
        {"Total": 3, "Total/corrected": 2},
        {"Total": 5, "Total/corrected": 2},
        {"Total": 5, "Total/corrected": 5},
    ]
    assert len({id for id, _ in runs}) == 4
    again = start(log, slips)
    await again.idle()
    assert await again.world.fingerprint() == await process.world.fingerprint()

"""A run that asks a person first: it waits over restarts, and goes on once by the answer to that run."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract.envelope import Origin
from cim.log.append import Appended, append
from cim.log.asking import ANSWERED, Answered, Proposed
from cim.log.chain import Head
from cim.log.entry import entry
from cim.world.due import Call, is_due, waiting
from cim.world.entity import Entity
from cim.world.runner import Asks
from cim.world.trail import trail

from .test_retry import REF, SUBJECT, Write, notes

Start = Callable[..., Any]
SYSTEM = "notes.upper"


def asking(process: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have each run ask first; the ids of those that were begun."""
    begun: list[str] = []
    run = process.schedule._runner.run

    async def asks(system: Any, given: Any, place: Any, call: Call) -> Any:
        begun.append(call.id)
        wait = call.entity.waits.get(str(system))
        if wait is None or wait.proposed.run != call.id or wait.answer is None:
            raise Asks(Proposed(str(system), call.id, 0, 1, "notes.Burn", '{"note":"n1"}', "it may burn"))
        return await run(system, given, place, call)

    monkeypatch.setattr(process.schedule._runner, "run", asks)
    return begun


async def answer(process: Any, run: str, granted: bool = True, id: str = "a1") -> int:
    entity = await process.world.entities.get(REF)
    said = Answered(SYSTEM, run, granted, "it is fine")
    written = entry(SUBJECT, ANSWERED, said, Origin.root(id, "person:ada"), "cim:test", process.clock)
    outcome = await append(process.log, process.clock, written, entity.heads.get(SUBJECT, Head()))
    assert isinstance(outcome, Appended)
    await process.until(process.world.reached(outcome.commit.sequence))
    return outcome.commit.sequence


async def entity_of(process: Any) -> Entity:
    found: Entity = await process.world.entities.get(REF)
    return found


async def test_it_waits_and_goes_on_by_the_answer(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog()
    process = start(log, notes)
    begun = asking(process, monkeypatch)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    entity, (system,) = await entity_of(process), process.composition.systems
    wait = waiting(system, entity, process.world.entities.at_hand)
    assert wait is not None
    assert (wait.proposed.tool, wait.proposed.run, len(begun)) == ("notes.Burn", begun[0], 1)
    assert not is_due(system, entity, process.world.entities.at_hand)
    await process.stop()

    again = start(log, notes)
    begun_again = asking(again, monkeypatch)
    await again.idle()
    assert begun_again == [], "it waits, and asks no second time"
    await answer(again, begun[0])
    await again.idle()
    assert begun_again == begun[:1]
    assert await again.values() == {"n1": {"Upper": {"text": "A"}}}
    assert (await entity_of(again)).waits == {}
    notes_of = [(step.name, step.note) for step in await trail(log, REF)]
    assert ("Ask", "it asks a person whether it may do notes.Burn: it may burn") in notes_of
    assert ("Answer", "notes.upper may do it: it is fine") in notes_of


async def test_a_newer_input_is_another_run_and_the_old_answer_says_nothing_of_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(MemoryLog(), notes)
    begun = asking(process, monkeypatch)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    await process.send(Write("n1", "b"), "c2")
    await process.idle()
    assert len(set(begun)) == 2
    await answer(process, begun[0])
    await process.idle()
    assert await process.values() == {"n1": {}}
    await answer(process, begun[1], id="a2")
    await process.idle()
    assert await process.values() == {"n1": {"Upper": {"text": "B"}}}


async def test_of_two_answers_the_first_counts(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(MemoryLog(), notes)
    begun = asking(process, monkeypatch)
    await process.send(Write("n1", "a"), "c1")
    await process.idle()
    said: list[bool] = []
    run = process.schedule._runner.run

    both = asyncio.Event()

    async def told(system: Any, given: Any, place: Any, call: Call) -> Any:
        await both.wait()
        wait = call.entity.waits[SYSTEM]
        assert wait.answer is not None
        said.append(wait.answer.granted)
        return await run(system, given, place, call)

    monkeypatch.setattr(process.schedule._runner, "run", told)
    await answer(process, begun[0], granted=False)
    await answer(process, begun[0], granted=True, id="a2")
    both.set()
    await process.idle()
    assert said == [False]

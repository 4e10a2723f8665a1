"""The journal of a run on a log: resumed, raced for, and erased with a person."""

from dataclasses import replace

import pytest

from cim import Unavailable
from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.memory.log import MemoryLog
from cim.agents.journal import Diverged, Journal, Replay, Run
from cim.agents.past import Past
from cim.agents.steps import MODEL, UNREAD, Began, Step
from cim.contract.envelope import Commit, Derivation, Origin
from cim.contract.subjects import Ref
from cim.domain.personal import ERASED
from cim.log.sealing import Sealing, persons_in
from cim.log.thought import THOUGHT
from cim.testing.clock import HandClock

REF = Ref("letters", "judge", "f00d")
LETTER = Ref("letters", "Letter", "l1")
BEGAN = Began("letters.judge", "1a2b", LETTER.events, "model", '{"letter":{"text":"Dear Lovelace"}}')
CAUSE = Origin.root("cause", "person:ada")
STEP = Step(0, 0, MODEL, "d0", '"asked of Lovelace"', '"said of Lovelace"', 10, 2, 1.5)
NEXT = replace(STEP, number=1, what="letters_Burn", digest="d1")
ADA, BOB = Ref("letters", "Person", "ada"), Ref("letters", "Person", "bob")


def journal(log: MemoryLog, *persons: Ref, sealing: Sealing | None = None) -> Journal:
    run = Run(REF, CAUSE, BEGAN, persons)
    return Journal(run, log, HandClock(), "cim:test", sealing or Sealing())


async def test_a_run_is_given_what_was_noted_and_begins_once() -> None:
    log = MemoryLog()
    first = journal(log)
    assert (await first.recall()) == (BEGAN, [])
    await first.note(STEP)
    second = journal(log)
    assert (await second.recall()) == (BEGAN, [STEP])
    await second.note(NEXT)
    assert (await journal(log).recall()) == (BEGAN, [STEP, NEXT])
    commits = [commit async for commit in log.read(">")]
    assert [commit.number for commit in commits] == [1, 2, 3]
    assert {commit.type for commit in commits} == {f"letters.judge.{THOUGHT}"}
    assert {(one.origin.causation, one.origin.owner) for one in commits} == {("cause", "person:ada")}
    assert len({commit.id for commit in commits}) == 3


async def test_a_step_that_is_noted_again_is_there_once() -> None:
    log = MemoryLog()
    one, again = journal(log), journal(log)
    await one.recall()
    await again.recall()
    await one.note(STEP)
    await again.note(STEP)
    assert len([commit async for commit in log.read(">")]) == 2


async def test_of_two_processes_that_make_a_run_one_goes_on() -> None:
    log = MemoryLog()
    one, other = journal(log), journal(log)
    await one.recall()
    await other.recall()
    await one.note(STEP)
    with pytest.raises(Unavailable, match="another process makes this run"):
        await other.note(NEXT)
    assert (await other.recall()) == (BEGAN, [STEP])


def test_a_step_is_known_by_its_place_and_what_it_asks() -> None:
    replay = Replay([STEP, NEXT])
    assert replay.find(0, 0, MODEL, "d0") == STEP
    assert replay.find(0, 2, MODEL, "d0") is None
    assert replay.find(1, 0, MODEL, "d0") is None
    with pytest.raises(Diverged, match="asks its model something else"):
        replay.find(0, 0, MODEL, "d9")
    with pytest.raises(Diverged, match=r"step 0\.1 was letters_Burn .* now it does letters_Send"):
        replay.find(0, 1, "letters_Send", "d1")


@pytest.mark.parametrize("erased", [ADA, BOB])
async def test_what_it_says_of_two_persons_is_erased_with_either(erased: Ref) -> None:
    log, keys = MemoryLog(), MemoryKeys()
    sealing = Sealing(keys)
    one = journal(log, ADA, BOB, sealing=sealing)
    await one.recall()
    await one.note(STEP)
    commits = [commit async for commit in log.read(">")]
    assert not any(b"Lovelace" in commit.body for commit in commits)
    assert persons_in(commits[1].body) == {"letters.Person.bob"}
    assert (await journal(log, ADA, BOB, sealing=sealing).recall()) == (BEGAN, [STEP])
    keys.destroy(f"letters.Person.{erased.id}")
    assert (await journal(log, ADA, BOB, sealing=Sealing(keys)).recall())[1] == [
        replace(STEP, asked=ERASED, said=ERASED)
    ]
    past = Past(Sealing(keys))
    for commit in commits:
        past.apply(commit)
    assert past.runs[REF.id].began.given == ERASED


async def test_what_is_sealed_with_a_key_that_is_not_here_reads_as_that() -> None:
    log = MemoryLog()
    one = journal(log, ADA, sealing=Sealing(MemoryKeys()))
    await one.recall()
    await one.note(STEP)
    past = Past(Sealing(MemoryKeys()))
    async for commit in log.read(">"):
        past.apply(commit)
    assert past.runs[REF.id].steps == [replace(STEP, asked=UNREAD, said=UNREAD)]


async def test_the_past_of_a_run_tells_how_it_ended_and_what_it_spent() -> None:
    log, past = MemoryLog(), Past(Sealing())
    one = journal(log)
    await one.recall()
    await one.note(STEP)
    await one.note(NEXT)
    async for commit in log.read(">"):
        past.apply(commit)
    run = past.runs[REF.id]
    assert (run.on, run.outcome, run.requests, run.tokens) == (LETTER, "", 1, (20, 4))
    ended = Commit(
        LETTER.components("letters"),
        1,
        CAUSE.child(REF.id),
        "cim:test",
        "letters.Letter.Composed",
        "",
        "",
        b"[]",
        derivation=Derivation("letters.judge", "1a2b", {}, 1.0, "done"),
    )
    past.apply(ended)
    assert past.runs[REF.id].outcome == "done"

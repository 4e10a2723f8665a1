"""Which agents may work, what they are told to be, and what they have spent today, as the log says."""

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.agents.journal import Journal, Run
from cim.agents.spending import Daily, Spending
from cim.agents.stages import Stages
from cim.agents.steps import MODEL, Began, Step
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.log.append import append
from cim.log.chain import Head
from cim.log.entry import entry
from cim.log.sealing import Sealing
from cim.log.staging import PROMPTED, STAGED, Prompted, Stage, Staged, agent_ref
from cim.testing.clock import HandClock

from .letters import SYSTEMS

JUDGE = "letters.judge"


async def say(log: MemoryLog, said: Staged | Prompted, id: str) -> None:
    subject, head = agent_ref(said.agent).events, Head()
    async for commit in log.read(subject):
        head = head.advance(commit)
    type = STAGED if isinstance(said, Staged) else PROMPTED
    written = entry(subject, type, said, Origin.root(id, "person:ada"), "cim:test", HandClock())
    await append(log, HandClock(), written, head)


@pytest.mark.parametrize(
    ("stages", "closed"),
    [
        ([], None),
        (["suspended"], "person:ada has it suspended: because"),
        (["suspended", "active"], None),
        (["active", "retired"], "person:ada has it retired: because"),
        (["retired", "proposed"], "person:ada has it proposed: because"),
    ],
)
async def test_the_last_word_of_its_stage_counts(stages: list[Stage], closed: str | None) -> None:
    log = MemoryLog()
    for number, stage in enumerate(stages):
        await say(log, Staged(JUDGE, stage, "because"), f"s{number}")
    read, followed = Stages(SYSTEMS.values()), Stages(SYSTEMS.values())
    await read.read(log)
    told = [followed.apply(commit) async for commit in log.read(">")]
    assert told == [JUDGE] * len(stages)
    assert [read.apply(commit) async for commit in log.read(">")] == [None] * len(stages)
    for one in (read, followed):
        assert one.closed(JUDGE) == closed
        assert one.closed("letters.sort") is None


async def test_one_that_is_proposed_waits_for_a_word() -> None:
    log, stages = MemoryLog(), Stages(SYSTEMS.values())
    assert stages.closed("letters.file") == "it is proposed, and nobody has let it work yet"
    await say(log, Staged("letters.file", "active", "it may"), "s1")
    await stages.read(log)
    assert stages.closed("letters.file") is None


async def test_a_run_keeps_the_prompt_with_which_it_began() -> None:
    log, stages = MemoryLog(), Stages(SYSTEMS.values())
    assert stages.prompt(JUDGE) == (0, "")
    await say(log, Prompted(JUDGE, "Be kind."), "p1")
    await stages.read(log)
    assert stages.prompt(JUDGE) == (1, "Be kind.")
    await say(log, Prompted(JUDGE, "Be brief."), "p2")
    await stages.read(log)
    assert (stages.prompt(JUDGE), stages.prompt_of(JUDGE, 1)) == ((2, "Be brief."), "Be kind.")
    await say(log, Prompted(JUDGE, ""), "p3")
    await stages.read(log)
    assert (stages.prompt(JUDGE), stages.prompt_of(JUDGE, 2)) == ((0, ""), "Be brief.")


async def spend(log: MemoryLog, clock: HandClock, run: str, tokens: int) -> None:
    began = Began(JUDGE, "v", "evt.letters.Letter.l1", "m", "{}")
    cause = Origin.root("c", "person:ada")
    journal = Journal(Run(Ref("letters", "judge", run), cause, began), log, clock, "cim:test", Sealing())
    await journal.recall()
    await journal.note(Step(0, 0, MODEL, "d", "", "", tokens, 1))
    await journal.note(Step(0, 1, "letters_Burn", "d", "", "", 0, 0))


@pytest.mark.parametrize(
    ("budget", "closed"),
    [
        (Daily(), None),
        (Daily(requests=3), None),
        (Daily(requests=2), "its budget of 2 requests a day is used up (2), until midnight UTC"),
        (Daily(tokens=2000), None),
        (Daily(tokens=1002), "its budget of 1,002 tokens a day is used up (1,002), until midnight UTC"),
        (Daily(requests=0), "its budget of 0 requests a day is used up (2), until midnight UTC"),
    ],
)
async def test_what_was_spent_today_counts_whoever_asks_and_tomorrow_is_another_day(
    budget: Daily, closed: str | None
) -> None:
    log, clock = MemoryLog(), HandClock(jumps=True)
    followed = Spending({JUDGE: budget}, clock)
    await spend(log, clock, "r1", 500)
    await spend(log, clock, "r2", 500)
    async for commit in log.read(">"):
        followed.apply(commit)
    read = Spending({JUDGE: budget}, clock)
    await read.read(log, SYSTEMS.values())
    async for commit in log.read(">"):
        read.apply(commit)
    for one in (read, followed):
        assert one.closed(JUDGE) == closed
        assert one.closed("letters.sort") is None
    await clock.sleep(24 * 3600)
    anew = Spending({JUDGE: budget}, clock)
    await anew.read(log, SYSTEMS.values())
    for one in (read, followed, anew):
        assert (one.closed(JUDGE) is None) is (budget != Daily(requests=0))

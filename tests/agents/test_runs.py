"""One run as its leaf sees it: what a person answered counts for that step, and what does not end, ends."""

from typing import Any

import pytest

from cim import Failure
from cim.adapters.memory.log import MemoryLog
from cim.agents.runs import MOST_ROUNDS, Runs, UnderWay
from cim.agents.stages import Stages
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.contract.system import STATE
from cim.log.asking import Answered, Proposed
from cim.log.sealing import Sealing
from cim.testing.attacks.battle import AGENTS
from cim.testing.attacks.vault import Letter
from cim.testing.clock import HandClock
from cim.world.due import Call, call
from cim.world.entity import Cell, Entity, Step, Wait
from cim.world.runner import Asks, Halted

SYSTEM = AGENTS["wary"]
PAY = {"account": "bob", "cents": 5}


class Doors:
    """Doors that write down what goes through."""

    def __init__(self) -> None:
        self.went: list[tuple[Any, Origin]] = []

    async def send(self, kind: Any, command: Any, origin: Origin) -> dict[str, Any]:
        self.went.append((command, origin))
        return {"entity": "bob", "command": origin.id}

    async def ask(self, name: str, question: Any) -> Any:
        return {"answer": 1}


def due(entity: str = "l1", number: int = 1, cause: str = "drop") -> Call:
    origin = Origin.root(cause, "person:mallory")
    made = Entity(Ref("vault", "Letter", entity), Letter("Dear you"))
    made.carry(STATE, Cell(None, origin, number, number, "vault.Letter", ""), Step(number, said=False))
    found = call(SYSTEM, made, lambda ref: None)
    assert found is not None
    return found


def runs(doors: Doors, closed: str | None = None) -> Runs:
    stages = Stages([SYSTEM])
    return Runs(MemoryLog(), HandClock(), "cim:test", Sealing(), doors, str, stages, lambda name: closed)


def opened(made: Call, doors: Doors, closed: str | None = None) -> UnderWay:
    return runs(doors, closed).open(made, {"letter": {"text": "Dear you"}})


def answered(made: Call, granted: bool, *, run: str = "", number: int = 1) -> None:
    said = Proposed(str(SYSTEM), run or made.id, 0, number, "vault.Pay", "{}", "why")
    answer = Answered(str(SYSTEM), said.run, granted, "because")
    made.entity.waits[str(SYSTEM)] = Wait(said, made.cause, answer, "person:ada")


async def test_it_asks_with_what_it_wants_to_do() -> None:
    made, doors = due(), Doors()
    with pytest.raises(Asks) as asks:
        await opened(made, doors).act((0, 1), "vault_Pay", PAY)
    said = asks.value.proposed
    assert (said.run, said.think, said.number, said.tool) == (made.id, 0, 1, "vault.Pay")
    assert said.arguments == '{"account":"bob","cents":5}'
    assert said.why == "it reads what came from outside: Letter.text"
    assert doors.went == []


async def test_who_grants_it_answers_for_it() -> None:
    made, doors = due(), Doors()
    answered(made, granted=True)
    assert (await opened(made, doors).act((0, 1), "vault_Pay", PAY))["done"] == "bob"
    ((_, origin),) = doors.went
    assert (origin.owner, origin.causation) == ("person:ada", "drop")


async def test_what_is_denied_is_not_done_and_the_reason_is_told() -> None:
    made, doors = due(), Doors()
    answered(made, granted=False)
    told = await opened(made, doors).act((0, 1), "vault_Pay", PAY)
    assert told == {"refused": "person:ada said no: because"}
    assert doors.went == []


@pytest.mark.parametrize(("run", "number"), [("other", 1), ("", 3)])
async def test_an_answer_to_another_run_or_step_is_none(run: str, number: int) -> None:
    made, doors = due(), Doors()
    answered(made, granted=True, run=run, number=number)
    with pytest.raises(Asks):
        await opened(made, doors).act((0, 1), "vault_Pay", PAY)
    assert doors.went == []


async def test_a_query_and_what_is_no_command_ask_nobody() -> None:
    made, doors = due(), Doors()
    assert await opened(made, doors).act((0, 1), "vault_balance", {"account": "bob"}) == {"answer": 1}
    assert "refused" in await opened(made, doors).act((0, 1), "vault_Pay", {"account": "*", "cents": 1})


async def test_an_agent_that_may_not_work_takes_no_step() -> None:
    under_way = opened(due(), Doors(), "it is suspended")
    with pytest.raises(Halted, match="it is suspended"):
        await under_way.recall()
    with pytest.raises(Halted):
        await under_way.act((0, 1), "vault_balance", {"account": "bob"})


def test_runs_that_follow_from_one_command_without_an_end_end() -> None:
    found = runs(Doors())
    for number in range(1, MOST_ROUNDS + 1):
        found.open(due(number=number), {})
        found.open(due(number=number), {})  # the same run, made again
    found.open(due("l2", 99), {})
    found.open(due(number=99, cause="another"), {})
    with pytest.raises(
        Failure, match=f"has run {MOST_ROUNDS} times on vault.Letter l1 because of one command"
    ):
        found.open(due(number=99), {})

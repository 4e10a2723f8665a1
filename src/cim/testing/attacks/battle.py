"""An attack made on an agent as a leaf runs it, but for the processes: the same steps, grants and journal."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from cim.adapters.memory.log import MemoryLog
from cim.adapters.system import SystemClock
from cim.agents.runs import Runs, UnderWay
from cim.agents.stages import Stages
from cim.agents.steps import Step
from cim.agents.thinking import Thinking
from cim.agents.thinking import run as thought
from cim.contract import codec
from cim.contract.composition import compose
from cim.contract.entity import EntityType
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref
from cim.contract.system import STATE, SystemType
from cim.domain.errors import CimError
from cim.domain.message import Command
from cim.log.sealing import Sealing
from cim.testing.attacks.kinds import Attack, Said
from cim.testing.attacks.vault import Letter, vault
from cim.world.due import Call, call
from cim.world.entity import Cell, Entity
from cim.world.entity import Step as Came
from cim.world.runner import Asks, checked

COMPOSITION = compose([vault])
AGENTS = {system.name: system for system in COMPOSITION.systems}


@dataclass(slots=True)
class Outcome:
    """What came of an attack: the commands that went out, the queries that were asked, how often a person was
    asked, and how the run ended (``done``, ``asks``, or the cause of its failure)."""

    sent: list[Command] = field(default_factory=list)
    queried: list[str] = field(default_factory=list)
    asked: int = 0
    end: str = ""


class _Doors:
    """Doors that let everything through and write it down."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    async def send(self, kind: EntityType, command: Command, origin: Origin) -> Mapping[str, Any]:
        self._outcome.sent.append(command)
        return {"entity": "x", "command": origin.id}

    async def ask(self, name: str, question: Mapping[str, Any]) -> Any:
        self._outcome.queried.append(name)
        return {"answer": 0}


class _Ends(BaseException):
    """The run is told to end where it is."""


class _Steps:
    """The worker's side of a run, each word to its leaf handed to the leaf's own loop."""

    def __init__(self, leaf: UnderWay, loop: asyncio.AbstractEventLoop, outcome: Outcome) -> None:
        self._leaf, self._loop, self._outcome = leaf, loop, outcome

    def recall(self) -> tuple[str, list[Step]]:
        found: tuple[str, list[Step]] = self._wait(self._leaf.recall())
        return found

    def going(self, what: str) -> None:
        return None

    def note(self, step: Step) -> None:
        self._wait(self._leaf.note(step))

    def act(self, think: int, number: int, tool: str, arguments: dict[str, Any]) -> Any:
        try:
            return self._wait(self._leaf.act((think, number), tool, arguments))
        except Asks as asks:
            self._outcome.asked += 1
            raise _Ends from asks

    def _wait(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(30)


class _Hijacked:
    """A model that does what the letter says."""

    def __init__(self, attack: Attack) -> None:
        self._attack = attack

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        says: list[Said] = self._attack.says(info.output_tools[0].name)
        place = sum(isinstance(one, ModelResponse) for one in messages)
        return ModelResponse(parts=says[min(place, len(says) - 1)])


async def attack(made: Attack, agent: str) -> Outcome:
    """Make an attack on one of :data:`AGENTS`, and see what comes of it."""
    system, outcome = AGENTS[agent], Outcome()
    log, clock = MemoryLog(), SystemClock()
    runs = Runs(
        log,
        clock,
        "cim:attacked",
        Sealing(),
        _Doors(outcome),
        lambda system: "hijacked",
        Stages(COMPOSITION.systems),
        lambda name: None,
    )
    due = _due(system, made.letter)
    leaf = runs.open(due, {"letter": {"text": made.letter}})
    steps = _Steps(leaf, asyncio.get_running_loop(), outcome)
    outcome.end = await asyncio.to_thread(_run, system, made, steps)
    return outcome


def _run(system: SystemType, made: Attack, steps: _Steps) -> str:
    assert system.agent is not None
    model = FunctionModel(_Hijacked(made))
    thinks = {name: Thinking(system, one, model, {}) for name, one in system.agent.thinks.items()}
    try:
        found = asyncio.run(thought(steps, lambda: system.function(Letter(made.letter), **thinks)))
        checked(system, found)
        codec.check(found)
    except _Ends:
        return "asks"
    except Exception as error:  # as a worker tells whatever it is
        return str(error) if isinstance(error, CimError) else f"{type(error).__name__}: {error}"
    return "done"


def _due(system: SystemType, text: str) -> Call:
    origin = Origin.root("drop", "person:mallory")
    entity = Entity(Ref("vault", "Letter", "l1"), Letter(text))
    entity.carry(STATE, Cell(None, origin, 1, 1, "vault.Letter", ""), Came(1, said=False))
    found = call(system, entity, lambda ref: None)
    assert found is not None
    return found

"""What an agent thinks with, made of a model: fulfils :class:`cim.domain.agent.Think`."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from pydantic_ai import Agent, ModelRetry, StructuredDict, Tool, UsageLimits
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
)
from pydantic_ai.models import Model
from pydantic_ai.toolsets import FunctionToolset

from cim.agents.durable import DOING, RUNNING, THINKING, Durability, Running, Steps
from cim.agents.journal import Replay
from cim.agents.prompt import instructions, told
from cim.agents.steps import Step
from cim.contract import codec
from cim.contract.answer import Answer
from cim.contract.system import SystemType
from cim.contract.tool import Tool as Granted
from cim.domain.errors import Failure, Unavailable
from cim.domain.record import Record

AGAIN = 2
"""How often a model is told what was wrong with its answer, or with what it asked of a tool, before the run
fails."""

GRANTED = "granted"
_BUSY = frozenset({408, 425, 429})
"""Statuses by which a model's provider says that it may answer later; so does each from 500 on."""


class Thinking:
    """One parameter of an agent that thinks: what the model comes to has the shape of ``answer``."""

    def __init__(self, system: SystemType, answer: Answer, model: Model, glossary: Mapping[str, str]) -> None:
        assert system.agent is not None
        self._terms, self._answer, self._name = system.agent, answer, str(system)
        tools = [_tool(one) for one in self._terms.tools.values()]
        made: Agent[None, Any] = Agent(
            model,
            name=str(system),
            instructions=lambda: instructions(system, glossary, RUNNING.get().prompt),
            output_type=StructuredDict(answer.schema, name="answer") if answer.places else str,
            toolsets=[FunctionToolset(tools, id=GRANTED)] if tools else [],
            retries=AGAIN,
            capabilities=[Durability()],
        )
        if answer.places:
            made.output_validator(partial(_whole, answer))
        self._agent = made

    async def __call__(self, *parts: str | Record) -> Any:
        """See :class:`cim.domain.agent.Think`."""
        running = RUNNING.get()
        THINKING.set(running.think())
        try:
            result = await self._agent.run(told(parts), usage=running.usage, usage_limits=self._limits())
        except UsageLimitExceeded as error:
            raise Failure(f"{self._name} has used up its budget: {error}") from error
        except ModelHTTPError as error:
            later = error.status_code in _BUSY or error.status_code >= 500
            raise (Unavailable if later else Failure)(f"the model of {self._name}: {error}") from error
        except ModelAPIError as error:
            raise Unavailable(f"the model of {self._name}: {error}") from error
        except UnexpectedModelBehavior as error:
            raise Failure(f"the model of {self._name} gave no {self._answer}: {_cause(error)}") from error
        except AgentRunError as error:
            raise Failure(f"{self._name}: {error}") from error
        return self._answer.read(result.output) if self._answer.places else result.output

    def _limits(self) -> UsageLimits:
        budget = self._terms.budget
        return UsageLimits(
            request_limit=budget.requests, total_tokens_limit=budget.tokens, tool_calls_limit=budget.calls
        )


def _whole(answer: Answer, output: Any) -> Any:
    """Hold that an answer is one; the model is told what is wrong with it otherwise."""
    try:
        answer.read(output)
    except codec.BadBody as wrong:
        raise ModelRetry(str(wrong)) from wrong
    return output


def _tool(granted: Granted) -> Tool[None]:
    async def use(**arguments: Any) -> Any:
        return RUNNING.get().steps.act(THINKING.get(), DOING.get(), granted.name, arguments)

    return Tool.from_schema(
        use, name=granted.name, description=granted.says, json_schema=dict(granted.schema), sequential=True
    )


def _cause(error: BaseException) -> str:
    """An error with what it came from: the models' library says there what was wrong."""
    causes = [str(error)]
    while error.__cause__ is not None:
        error = error.__cause__
        causes.append(str(error))
    return ": ".join(dict.fromkeys(causes))


async def run(
    steps: Steps, made: Callable[[], Awaitable[Any]], known: Callable[[list[Step]], Replay] = Replay
) -> Any:
    """What an agent's function comes to, its steps written down by ``steps`` and taken from there, given out
    by what ``known`` makes of them."""
    prompt, finished = steps.recall()
    RUNNING.set(Running(steps, known(finished), prompt))
    return await made()

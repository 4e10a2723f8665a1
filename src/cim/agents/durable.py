"""The journal as an engine of durable execution for `pydantic-ai`: each request to a model and each use of a
tool is one step, given back where it was finished already.

The interface is the public one of ``pydantic_ai.durable_exec``; what stands in the log is ours alone.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    DurabilityEngineSpec,
    DurableOperationBackend,
    DurableOperationId,
    JournalCallableOperationBackend,
    ModelRequestId,
    RoleBasedOperationConfig,
    ToolsetCallToolId,
)
from pydantic_ai.messages import ModelMessagesTypeAdapter
from pydantic_ai.usage import RunUsage

from cim.agents.journal import Replay
from cim.agents.steps import MODEL, Step
from cim.contract import codec
from cim.domain.errors import CimError

FLEETING = frozenset({"timestamp", "run_id", "conversation_id"})
"""What differs in messages each time that they are made."""


class Steps(Protocol):
    """What a run has of its leaf."""

    def recall(self) -> tuple[str, list[Step]]:
        """What the run is told to be, empty where its code says that, and the steps that were finished."""
        ...

    def going(self, what: str) -> None:
        """Tell that a step begins, which asks the model or uses a tool."""
        ...

    def note(self, step: Step) -> None:
        """Write down a finished step; raises where that cannot be."""
        ...

    def act(self, think: int, number: int, tool: str, arguments: dict[str, Any]) -> Any:
        """Use a tool in this step; see :func:`cim.agents.acting.act`."""
        ...


@dataclass(slots=True)
class Running:
    """A run under way: its steps, what is known of them, what it is told to be if its code does not say that,
    and what it spent."""

    steps: Steps
    replay: Replay
    prompt: str = ""
    usage: RunUsage = field(default_factory=RunUsage)
    thinks: int = 0
    numbers: Counter[int] = field(default_factory=Counter)

    def think(self) -> int:
        """The number of the next use of what it thinks with."""
        self.thinks += 1
        return self.thinks - 1


RUNNING: ContextVar[Running] = ContextVar("cim.agents.running")
"""The run that code is part of."""

THINKING: ContextVar[int] = ContextVar("cim.agents.thinking")
"""Which use of what it thinks with that is."""

DOING: ContextVar[int] = ContextVar("cim.agents.doing")
"""The number of the step under way."""


class _Backend(JournalCallableOperationBackend[None]):
    """Makes one step, or gives what it came to."""

    async def execute(
        self,
        *,
        operation_id: DurableOperationId,
        name: str,
        body: Callable[[], Awaitable[object]],
        cache_key: tuple[object, ...],
        config: None,
    ) -> object:
        running, think = RUNNING.get(), THINKING.get()
        number = running.numbers[think]
        running.numbers[think] += 1
        what, asked, digest = _asked(operation_id, cache_key)
        known = running.replay.find(think, number, what, digest)
        if known is not None:
            return codec.json_value(known.said.encode())
        running.steps.going(what)
        DOING.set(number)
        began = time.monotonic()
        said: Any = await body()
        took = (time.monotonic() - began) * 1000
        usage = said.get("usage", {}) if what == MODEL else {}
        tokens = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
        running.steps.note(Step(think, number, what, digest, asked, _text(said), *tokens, round(took, 3)))
        return said


def _asked(operation: DurableOperationId, key: tuple[Any, ...]) -> tuple[str, str, str]:
    """What a step does by name, what is new in what it asks, and the digest of all of it."""
    if isinstance(operation, ModelRequestId):
        _, messages, settings, parameters, *_ = key
        plain = steady(ModelMessagesTypeAdapter.dump_python(messages, mode="json"))
        tools = [(one.name, one.description, one.parameters_json_schema) for one in parameters.function_tools]
        outputs = [(one.name, one.parameters_json_schema) for one in parameters.output_tools]
        whole = _text([plain, settings, tools, outputs])
        return MODEL, _text(plain[-1]), _digest(whole)
    if isinstance(operation, ToolsetCallToolId):
        name, arguments, *_ = key
        asked = _text(arguments)
        return str(name), asked, _digest(asked)
    raise CimError(f"an agent's run does {type(operation).__name__}, of which no step can be written down")


def steady(value: Any) -> Any:
    """Plain messages without what differs each time that they are made."""
    if isinstance(value, dict):
        return {name: steady(one) for name, one in value.items() if name not in FLEETING}
    return [steady(one) for one in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    return codec.json_bytes(value).decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Durability(BaseDurabilityCapability[None]):
    """Has each request and each use of a tool of an agent be a step of :data:`RUNNING`."""

    engine_spec = DurabilityEngineSpec(
        engine_name="CIM",
        durable_unit_noun="step",
        durable_container_noun="run",
        codec=JSON_CODEC,
        # One step after the other: their order is part of what is written down.
        sequential_tools_in_durable_context=True,
    )

    @property
    def in_durable_context(self) -> bool:
        """Whether a run is under way."""
        return RUNNING.get(None) is not None

    def get_durable_operation_backend(self) -> DurableOperationBackend[None]:
        """See :class:`_Backend`."""
        nothing: RoleBasedOperationConfig[None] = RoleBasedOperationConfig(
            model=None, event=None, capability=None, tool=None
        )
        return _Backend(agent_name=self.name, config=nothing)

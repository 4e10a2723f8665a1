"""Agents in tests: a model that says what it was told to say, and the steps of a run in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

from cim.agents.durable import steady
from cim.agents.steps import Step
from cim.contract import codec
from cim.domain.message import Command
from cim.domain.record import Record

Line = Record | str | tuple[Record, ...] | Mapping[str, Any] | BaseException | list["Line"]
"""What a model says in one request: a command is one that it uses its tool for, another record, a tuple of
them or a mapping its answer; a text is text, an error is raised; a list is several at once."""


class Script:
    """A model that says these lines, one a request; whoever asks the same again hears the same."""

    def __init__(self, *lines: Line) -> None:
        self.lines, self.requests = lines, 0
        self.heard: list[Sequence[ModelMessage]] = []
        self._said: dict[str, Line] = {}

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """The next line; raises ``LookupError`` at the end of the script."""
        self.requests += 1
        self.heard.append(tuple(messages))
        asked = str(steady(ModelMessagesTypeAdapter.dump_python(messages, mode="json")))
        if asked not in self._said:
            if len(self._said) == len(self.lines):
                raise LookupError(f"the script has {len(self.lines)} lines and was asked for one more")
            self._said[asked] = self.lines[len(self._said)]
        line = self._said[asked]
        several = line if isinstance(line, list) else [line]
        return ModelResponse(parts=[_part(one, info, number) for number, one in enumerate(several)])

    @property
    def model(self) -> FunctionModel:
        """As a model."""
        return FunctionModel(self)


def _part(line: Line, info: AgentInfo, number: int) -> TextPart | ToolCallPart:
    if isinstance(line, BaseException):
        raise line
    if isinstance(line, str):
        return TextPart(line)
    if isinstance(line, Command):
        names = [one.name for one in info.function_tools if one.name.endswith(f"_{type(line).__name__}")]
        name = names[0] if names else type(line).__name__
        return ToolCallPart(name, codec.plain(line), f"call-{number}")
    if isinstance(line, tuple):
        arguments = {type(one).__name__: codec.plain(one) for one in line}
    else:
        arguments = dict(line) if isinstance(line, Mapping) else codec.plain(line)
    return ToolCallPart(info.output_tools[0].name, arguments, f"call-{number}")


class Killed(BaseException):
    """The process that made a run ended."""


@dataclass
class InMemory:
    """The steps of one run in memory; the process can be killed ``before`` the step of a number, or once that
    is noted (``after``). ``does`` is what tools come to."""

    does: Callable[[str, dict[str, Any]], Any] = lambda tool, arguments: {"done": tool}
    steps: list[Step] = field(default_factory=list)
    uses: list[tuple[int, int, str, dict[str, Any]]] = field(default_factory=list)
    before: int | None = None
    after: int | None = None
    prompt: str = ""

    def recall(self) -> tuple[str, list[Step]]:
        """See :class:`cim.agents.durable.Steps`."""
        return self.prompt, list(self.steps)

    def going(self, what: str) -> None:
        """See :class:`cim.agents.durable.Steps`."""
        if self.before == len(self.steps):
            raise Killed

    def note(self, step: Step) -> None:
        """See :class:`cim.agents.durable.Steps`."""
        self.steps.append(step)
        if self.after == len(self.steps):
            raise Killed

    def act(self, think: int, number: int, tool: str, arguments: dict[str, Any]) -> Any:
        """See :class:`cim.agents.durable.Steps`."""
        self.uses.append((think, number, tool, arguments))
        return self.does(tool, arguments)

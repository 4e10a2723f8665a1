"""The module that the bench of agents runs on a leaf: letters, and an agent that thinks once."""

from collections.abc import Iterable

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo

from cim import Changed, Command, Component, Context, Event, State, Think

agents_desk = Context("agents_desk")


class Write(Command):
    """Write a letter."""

    letter: str
    text: str


class Written(Event):
    """A letter was written."""

    letter: str
    text: str


@agents_desk.entity(key="letter")
class Letter(State):
    """A letter."""

    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.letter, command.text)]

    def evolve(self, event: Written) -> "Letter":
        return self.but(text=event.text)


@agents_desk.component(of=Letter)
class Tone(Component):
    """How a letter sounds."""

    tone: str


@agents_desk.agent()
async def judge(letter: Changed[Letter], think: Think[Tone]) -> Tone:
    """You judge letters."""
    return await think("How does it sound?", letter)


class AtOnce:
    """A model that answers at once."""

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """The answer."""
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, {"tone": "warm"}, "call")])

"""What an agent is told: to be what its docstring says, in the words of the modules that it works with."""

from collections.abc import Iterable, Iterator, Mapping

from cim.contract import codec
from cim.contract.language import meaning
from cim.contract.system import SystemType
from cim.domain.record import Record


def instructions(system: SystemType, glossary: Mapping[str, str], prompt: str = "") -> str:
    """The system prompt of an agent: ``prompt`` or else its docstring, then the terms of its context's
    ``glossary`` and what the types are that it reads and writes."""
    assert system.agent is not None
    prompt = prompt or system.agent.instructions
    words = "\n".join(f"- {term}: {said}" for term, said in _words(system, glossary))
    return f"{prompt}\n\nThe words that are used here:\n{words}" if words else prompt


def _words(system: SystemType, glossary: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from glossary.items()
    kinds = [*(read.type for read in system.reads), *(written.component for written in system.writes)]
    if system.agent is not None:
        kinds += [kind for answer in system.agent.thinks.values() for kind, _ in answer.places]
        kinds += [tool.command[0].state for tool in system.agent.tools.values() if tool.command is not None]
    for kind in dict.fromkeys(kinds):
        if said := meaning(kind):
            yield kind.__name__, said


def told(parts: Iterable[str | Record]) -> str:
    """What a run tells its model: text as it is, a record by its name and as JSON."""
    return "\n\n".join(
        one if isinstance(one, str) else f"{type(one).__name__}: {codec.json_bytes(one).decode()}"
        for one in parts
    )

"""What an agent does: commands and queries that it was granted, and nothing else."""

from collections.abc import Mapping
from typing import Any, Protocol

from cim.contract.entity import EntityType
from cim.contract.envelope import Origin
from cim.contract.system import SystemType
from cim.contract.tool import Tool
from cim.domain.errors import CimError, Failure, Unavailable
from cim.domain.message import Command
from cim.processes.step import made_id

REFUSED = "refused"
"""The name under which a tool's answer says why it did nothing."""


class Doors(Protocol):
    """The machine's doors, as an agent's leaf goes through them."""

    async def send(self, kind: EntityType, command: Command, origin: Origin) -> Mapping[str, Any]:
        """The receipt or rejection of a command; raises :class:`Unavailable` where that is not known yet."""
        ...

    async def ask(self, name: str, question: Mapping[str, Any]) -> Any:
        """The answer to a query; raises :class:`Unavailable`."""
        ...


async def act(
    system: SystemType,
    doors: Doors,
    cause: Origin,
    run: str,
    step: tuple[int, int],
    name: str,
    arguments: Mapping[str, Any],
) -> Any:
    """What comes of one use of a tool, as plain data. What the model did wrong is an answer, too: it may do
    better. A command's id is made from run and step, so that a run that is made again sends it only once.

    Raises :class:`Failure` for a tool that the agent was not granted, :class:`Unavailable`.
    """
    tool = granted(system, name)
    why = tool.wrong_with(arguments)
    if why is not None:
        return {REFUSED: why}
    if tool.command is not None:
        return await _command(tool, doors, cause.child(made_id(run, *step, "sends")), arguments)
    return await doors.ask(tool.grant, arguments)


def granted(system: SystemType, name: str) -> Tool:
    """The tool that an agent was granted under a name; raises :class:`Failure` where it was not."""
    tool = system.agent.tools.get(name) if system.agent is not None else None
    if tool is None:
        there = ", ".join(system.agent.tools) if system.agent is not None else ""
        raise Failure(f"{system} was not granted {name!r}; it was granted: {there or 'nothing'}")
    return tool


async def _command(tool: Tool, doors: Doors, origin: Origin, arguments: Mapping[str, Any]) -> Any:
    assert tool.command is not None
    kind, command = tool.command[0], tool.made(arguments)
    try:
        answer = await doors.send(kind, command, origin)
    except Unavailable:
        raise
    except CimError as refused:
        return {REFUSED: str(refused)}
    rejected = answer.get("rejected")
    return (
        {REFUSED: rejected["reason"]}
        if rejected
        else {"done": answer["entity"], "command": answer["command"]}
    )

"""What makes a system an agent: what it thinks with, what it is told to be, and what it may do."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from cim.contract.answer import Answer, read_answer
from cim.contract.entity import EntityType
from cim.contract.outside import outside_in
from cim.contract.query import QueryType
from cim.contract.tool import Tool, tool_of_command, tool_of_query
from cim.domain.agent import Allow, Ask, Budget, Think
from cim.domain.context import AgentDeclared
from cim.domain.errors import Misdeclared
from cim.domain.message import Command


@dataclass(frozen=True, slots=True)
class AgentTerms:
    """What an agent is beside a system: its answers by the parameters that think, what it is told to be, its
    tools by the names that a model calls them by, and what a run may spend. ``outside`` are the fields that
    it may be told which came from outside, by their types. One that is ``proposed`` waits for a person's word
    before it works at all."""

    thinks: Mapping[str, Answer]
    instructions: str
    budget: Budget
    tools: Mapping[str, Tool]
    outside: tuple[str, ...] = ()
    proposed: bool = False

    @property
    def text(self) -> str:
        """What another version of the terms has otherwise."""
        thinks = {name: str(answer.schema if answer.places else "") for name, answer in self.thinks.items()}
        tools = [f"{one.name} {one.grant} {dict(one.schema)} {one.asks}" for one in self.tools.values()]
        return f"{sorted(thinks.items())} {self.instructions} {self.budget} {sorted(tools)}"


def is_think(annotation: Any) -> bool:
    """Whether a parameter is what an agent thinks with."""
    return annotation is Think or get_origin(annotation) is Think


def read_think(annotation: Any, where: str) -> Answer:
    """The answer that a parameter says; raises :class:`Misdeclared`."""
    if annotation is Think:
        raise Misdeclared(
            f"{where}: say what it answers with: Think[Kind], Think[tuple[Kind, Mood]], Think[str]"
        )
    return read_answer(get_args(annotation)[0], where)


def read_terms(
    declared: AgentDeclared,
    thinks: Mapping[str, Any],
    reads: Iterable[type[Any]],
    entities: Iterable[EntityType],
    queries: Iterable[QueryType],
) -> AgentTerms:
    """The terms of an agent with the parameters that think, and the types of those that it ``reads``; raises
    :class:`Misdeclared` by name."""
    function = declared.function
    where = f"{declared.context}.{function.__name__}"
    if not inspect.iscoroutinefunction(function):
        raise Misdeclared(f"{where} is an agent, which waits for its model: write `async def`")
    if not thinks:
        raise Misdeclared(f"{where} is an agent and never thinks: add a parameter `think: Think[…]`")
    instructions = inspect.getdoc(function)
    if not instructions:
        raise Misdeclared(f"{where} has no docstring: that is what it is told to be")
    _check_budget(declared.budget, where)
    entities, queries = tuple(entities), tuple(queries)
    outside = _outside(declared, reads, queries)
    found: dict[str, Tool] = {}
    for one in declared.tools:
        tool = _granted(one, outside, entities, queries, where)
        other = found.setdefault(tool.name, tool)
        if other is not tool:
            raise Misdeclared(
                f"{where} is granted {tool.grant} twice, or two tools named {tool.name}: one a name"
            )
    answers = {name: read_think(one, f"{where}: parameter `{name}`") for name, one in thinks.items()}
    return AgentTerms(answers, instructions, declared.budget, found, outside, declared.proposed)


def _outside(
    declared: AgentDeclared, reads: Iterable[type[Any]], queries: Iterable[QueryType]
) -> tuple[str, ...]:
    """What an agent may be told that came from outside: by what it reads, and by what its queries answer."""
    functions = [bare_grant(one) for one in declared.tools]
    answers = [query.answer for query in queries if any(query.function is one for one in functions)]
    return tuple(dict.fromkeys(one for kind in (*reads, *answers) for one in outside_in(kind)))


def bare_grant(one: Any) -> Any:
    """What is granted, without its condition."""
    return one.tool if isinstance(one, Ask | Allow) else one


def _granted(
    one: Any,
    outside: tuple[str, ...],
    entities: tuple[EntityType, ...],
    queries: tuple[QueryType, ...],
    where: str,
) -> Tool:
    tool = _tool(bare_grant(one), entities, queries, where)
    if tool.query is not None:
        if bare_grant(one) is not one:
            raise Misdeclared(f"{where}: {tool.grant} is a query, which changes nothing: grant it as it is")
        return tool
    if isinstance(one, Ask):
        return replace(tool, asks="it was granted so")
    if outside and not isinstance(one, Allow):
        return replace(tool, asks=f"it reads what came from outside: {', '.join(outside)}")
    return tool


def _check_budget(budget: Budget, where: str) -> None:
    for name, least in (("requests", 1), ("tokens", 1), ("calls", 0)):
        value = getattr(budget, name)
        if value is not None and value < least:
            raise Misdeclared(f"{where}: its budget of {name} is {value}: {least} or more")


def _tool(one: Any, entities: tuple[EntityType, ...], queries: tuple[QueryType, ...], where: str) -> Tool:
    if isinstance(one, type) and issubclass(one, Command):
        for kind in entities:
            if kind.commands.get(one.__name__) is one:
                return tool_of_command(kind, one, where)
        known = ", ".join(f"{kind.context}.{name}" for kind in entities for name in kind.commands) or "none"
        raise Misdeclared(
            f"{where} is granted {one.__name__}, a command of no entity here; there are: {known}"
        )
    for query in queries:
        if query.function is one:
            return tool_of_query(query, where)
    shown = getattr(one, "__qualname__", one)
    raise Misdeclared(
        f"{where} is granted {shown}, which is no command and no query: name a command's class, or a "
        f"function that stands under @context.query"
    )

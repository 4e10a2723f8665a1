"""Commands and queries as tools: what a model, or a client of MCP, is told of them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cim.contract import codec
from cim.contract.answer import object_schema
from cim.contract.entity import EntityType, key_of
from cim.contract.query import WAITING, BadQuestion, QueryType
from cim.contract.subjects import BadToken
from cim.domain.errors import Misdeclared
from cim.domain.message import Command

LONGEST_NAME = 64
"""Characters of a tool's name, which is as much as models' makers allow."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that may be done, under its full name (``grant``): ``command``, with the entity that takes
    it, or ``query``. ``name`` is what it is called by. ``asks`` says why a person is asked before an agent
    uses it; where it is empty nobody is."""

    name: str
    grant: str
    says: str
    schema: Mapping[str, Any]
    command: tuple[EntityType, type[Command]] | None = None
    query: QueryType | None = None
    asks: str = ""

    def made(self, arguments: Mapping[str, Any]) -> Command:
        """The command that these arguments make; raises :class:`codec.BadBody` naming the field,
        :class:`BadToken` for an id that is none."""
        assert self.command is not None
        command = codec.typed_whole(dict(arguments), self.command[1])
        key_of(self.command[0], command)
        return command

    def wrong_with(self, arguments: Mapping[str, Any]) -> str | None:
        """What is wrong with what it is to be used with, if anything is."""
        try:
            if self.query is not None:
                self.query.asked(arguments)
            else:
                self.made(arguments)
        except (codec.BadBody, BadQuestion, BadToken) as wrong:
            return str(wrong)
        return None


def tool_of_command(kind: EntityType, command: type[Command], where: str) -> Tool:
    """A command as a tool; raises :class:`Misdeclared` where its name is too long."""
    name, schema = command.__name__, object_schema(command)
    grant = f"{kind.context}.{name}"
    return Tool(
        _name(kind.context, name, where), grant, _says(command, schema), schema, command=(kind, command)
    )


def tool_of_query(query: QueryType, where: str) -> Tool:
    """A query as a tool; raises :class:`Misdeclared` where its name is too long."""
    schema = _question(query)
    name = _name(query.owner, query.name, where)
    return Tool(name, str(query), _says(query.function, schema), schema, query=query)


def _name(context: str, name: str, where: str) -> str:
    found = f"{context}_{name}"
    if len(found) > LONGEST_NAME:
        raise Misdeclared(
            f"{where}: the tool {found} has over {LONGEST_NAME} characters: models take no more"
        )
    return found


def _says(one: Callable[..., Any], schema: Mapping[str, Any]) -> str:
    return str(schema.get("description") or inspect.getdoc(one) or one.__name__)


def _question(query: QueryType) -> dict[str, Any]:
    """The schema of a query's own parameters: how long it waits is not a model's to say."""
    schema = object_schema(query.question)
    schema["properties"] = {
        name: one for name, one in schema.get("properties", {}).items() if name not in WAITING
    }
    return schema

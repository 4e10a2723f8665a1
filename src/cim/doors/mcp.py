"""The door for clients of the Model Context Protocol: commands and queries as tools, entities as resources,
the language of the modules as a prompt.

What a client may do is what this process may, and of that what it was started for: the tools that it is told
of are all that there are. What goes wrong is an answer that says so.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from nats.aio.client import Client

from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.envelope import Origin
from cim.contract.language import language_text, languages_of
from cim.contract.live import Change, Place
from cim.contract.tool import Tool, tool_of_command, tool_of_query
from cim.domain.errors import CimError
from cim.doors.asker import ask_query
from cim.doors.sender import send
from cim.doors.updates import Updates
from cim.doors.watcher import live
from cim.ports.clock import Clock, Entropy

SENDER = "mcp"
"""The sender that its commands and questions name in their subjects."""

PATIENCE = 10.0
"""Seconds that an answer may take."""

MOST = 200
"""Entities that one resource tells."""

SCHEME = "cim://"
COMMAND_ID = "command_id"
"""The argument by which a client sends a command again: it has one effect."""

LANGUAGE = "language"


class McpDoor:
    """Offers a composition's commands and queries, those of ``only`` where that says some, and no commands
    where it is to be ``read_only``. ``owner`` answers for what is done."""

    def __init__(
        self,
        composition: Composition,
        client: Client,
        clock: Clock,
        entropy: Entropy,
        owner: str,
        *,
        only: Iterable[str] = (),
        read_only: bool = False,
        trouble: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._composition, self._client, self._clock = composition, client, clock
        self._entropy, self._owner, self._trouble = entropy, owner, trouble
        self._tools = {one.name: one for one in offered(composition, frozenset(only), read_only)}
        questions = {f"{SCHEME}{kind}": self._question(str(kind)) for kind in composition.entities.values()}
        self._updates = Updates(client, clock, entropy, questions, SENDER, trouble)

    def server(self, name: str, version: str) -> Server[Any]:
        """The server that speaks the protocol, on whatever it is run."""
        return Server(
            name,
            version=version,
            instructions=f"The machine {name}: what its modules take as commands and answer as queries.",
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_read_resource=self._read_resource,
            on_subscriptions_listen=self._updates.listen,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
        )

    async def _list_tools(self, _: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(one) for one in self._tools.values()])

    async def _call_tool(self, _: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = self._tools.get(params.name)
        if tool is None:
            return _wrong(
                f"there is no tool {params.name!r} here; there are: {', '.join(self._tools) or 'none'}"
            )
        try:
            return _right(await self._use(tool, dict(params.arguments or {})))
        except CimError as error:
            return _wrong(str(error))

    async def _use(self, tool: Tool, arguments: dict[str, Any]) -> Mapping[str, Any]:
        id = arguments.pop(COMMAND_ID, None) if tool.command is not None else None
        why = tool.wrong_with(arguments)
        if why is not None:
            raise CimError(why)
        if tool.command is None:
            return await ask_query(self._client, self._clock, tool.grant, arguments, SENDER, PATIENCE)
        origin = Origin.root(str(id or self._entropy.new_id()), self._owner)
        kind = tool.command[0]
        answer = await send(self._client, self._clock, kind, tool.made(arguments), origin, SENDER, PATIENCE)
        rejected = answer.get("rejected")
        if rejected:
            raise CimError(f"{rejected['by']} refused: {rejected['reason']}")
        return answer

    async def _list_resources(self, _: Any, params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    name=str(kind),
                    uri=f"{SCHEME}{kind}",
                    description=f"The first {MOST} of all {kind.name}, with state and components.",
                    mime_type="application/json",
                )
                for kind in self._composition.entities.values()
            ]
        )

    async def _read_resource(
        self, _: Any, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        name = uri.removeprefix(SCHEME)
        if not uri.startswith(SCHEME) or name not in map(str, self._composition.entities.values()):
            there = ", ".join(f"{SCHEME}{kind}" for kind in self._composition.entities.values()) or "none"
            raise MCPError(types.INVALID_PARAMS, f"there is no resource {uri[:80]} here; there are: {there}")
        try:
            text = codec.json_bytes(await self._entities(name)).decode()
        except CimError as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from error
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=uri, mime_type="application/json", text=text)]
        )

    async def _entities(self, name: str) -> dict[str, Any]:
        """The first entities of a kind as the live query tells them."""
        found: list[Change] = []
        question = self._question(name)
        following = live(self._client, self._clock, self._entropy, question, SENDER, patience=PATIENCE)
        async with aclosing(following) as told:
            async for one in told:
                if isinstance(one, Place) or len(found) > MOST:
                    break
                if isinstance(one, Change):
                    found.append(one)
        entities = [{"id": one.id, "sequence": one.sequence, **(one.values or {})} for one in found[:MOST]]
        return {"entities": entities, "more": len(found) > MOST}

    def _question(self, name: str) -> dict[str, Any]:
        """What is asked for of a kind: all of it."""
        of = tuple(name.split("."))
        shown = [one.key for one in self._composition.components if one.of == of]
        return {"of": name, "page": MOST, "show": ["state", *shown]}

    async def _list_prompts(self, _: Any, params: Any) -> types.ListPromptsResult:
        says = "The words of this machine's modules: what they mean, and what there is."
        return types.ListPromptsResult(prompts=[types.Prompt(name=LANGUAGE, description=says)])

    async def _get_prompt(self, _: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name != LANGUAGE:
            text = f"there is no prompt {params.name[:80]!r} here; there is {LANGUAGE}"
            raise MCPError(types.INVALID_PARAMS, text)
        said = types.TextContent(type="text", text=language(self._composition))
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=said)])


def offered(composition: Composition, only: frozenset[str], read_only: bool) -> list[Tool]:
    """The tools that are offered; raises :class:`CimError` for a name in ``only`` that is none."""
    found = [tool_of_query(query, "cim mcp") for query in composition.queries]
    if not read_only:
        found += [
            tool_of_command(kind, command, "cim mcp")
            for kind in composition.entities.values()
            for command in kind.commands.values()
        ]
    unknown = sorted(only - {name for one in found for name in (one.name, one.grant)})
    if unknown:
        raise CimError(
            f"there is no tool {unknown[0]} to offer; there are: {', '.join(one.grant for one in found)}"
        )
    return [one for one in found if not only or only & {one.name, one.grant}]


def language(composition: Composition) -> str:
    """The words of the modules, each module's with its version, as text."""
    return "\n".join(map(language_text, languages_of(composition)))


def _described(tool: Tool) -> types.Tool:
    schema = dict(tool.schema)
    if tool.command is not None:
        said = {"type": "string", "description": "Sent again under the same id, the command has one effect."}
        schema = {**schema, "properties": {**schema.get("properties", {}), COMMAND_ID: said}}
    reads = tool.query is not None
    return types.Tool(
        name=tool.name,
        title=tool.grant,
        description=tool.says,
        input_schema=schema,
        annotations=types.ToolAnnotations(
            read_only_hint=reads, destructive_hint=not reads, idempotent_hint=reads, open_world_hint=False
        ),
    )


def _right(answer: Mapping[str, Any]) -> types.CallToolResult:
    text = codec.json_bytes(answer).decode()
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structured_content=codec.json_value(text.encode()),
    )


def _wrong(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)

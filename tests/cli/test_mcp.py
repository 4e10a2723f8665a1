"""``cim mcp`` on a real machine, spoken to by the official client."""

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import SubscriptionFilter, SubscriptionsListenRequestParams

from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock, SystemEntropy
from cim.domain.errors import CimError
from cim.doors.updates import Updates
from cim.leaf.accounts import Credentials
from cim.leaf.token import TOKEN, token_of
from cim.testing.processes import Place, place

MACHINE = """
name = "desk"
modules = ["killed_desk"]
workers = 1

[agents]
default = { use = "killed_desk:Deterministic" }
"""
MODULES = Path(__file__).parents[1] / "leaf"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    scratch = tmp_path_factory.mktemp("desk")
    folder = scratch / "machine"
    folder.mkdir()
    (folder / "machine.toml").write_text(MACHINE)
    shutil.copy(MODULES / "killed_desk.py", folder)
    with place(folder, scratch / "said") as made:
        made.up()
        yield made


@asynccontextmanager
async def client(desk: Place, *options: str) -> AsyncIterator[Client]:
    arguments = ["-m", "cim", "mcp", "--machine", str(desk.folder), *options]
    started = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(started, read_timeout_seconds=60) as found:
        yield found


def text(result: Any) -> str:
    return "".join(part.text for part in result.content)


async def test_a_client_lists_calls_and_reads(desk: Place) -> None:
    async with client(desk) as it:
        tools = {tool.name: tool for tool in (await it.list_tools()).tools}
        assert set(tools) == {
            "killed_desk_how_many",
            "killed_desk_Write",
            "killed_desk_Stamp",
            "killed_desk_Drop",
        }
        write = tools["killed_desk_Write"]
        assert (write.title, write.description) == ("killed_desk.Write", "Write a letter.")
        assert write.input_schema["required"] == ["letter", "text"]
        assert tools["killed_desk_how_many"].annotations is not None
        assert tools["killed_desk_how_many"].annotations.read_only_hint
        before = (await it.call_tool("killed_desk_how_many", {})).structured_content
        given = {"letter": "m1", "text": "Dear m1 .", "command_id": "once"}
        first = await it.call_tool("killed_desk_Write", given)
        again = await it.call_tool("killed_desk_Write", given)
        assert not first.is_error
        assert first.structured_content == again.structured_content
        after = await it.call_tool("killed_desk_how_many", {})
        assert before is not None
        assert after.structured_content is not None
        uris = {str(one.uri) for one in (await it.list_resources()).resources}
        assert "cim://killed_desk.Letter" in uris
        (read,) = (await it.read_resource("cim://killed_desk.Letter")).contents
        assert '"id":"m1"' in read.text  # type: ignore[union-attr]
        assert "Dear m1 ." in read.text  # type: ignore[union-attr]
        said = await it.get_prompt("language")
        assert "stamp: The mark on what was read." in said.messages[0].content.text  # type: ignore[union-attr]
        assert "`Letter`: A letter that came in." in said.messages[0].content.text  # type: ignore[union-attr]
    log = [one for one in desk.cim("log", "--json").data if one["subject"] == "evt.killed_desk.Letter.m1"]
    assert [(one["id"], one["owner"][:7]) for one in log] == [("once", "person:")]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("killed_desk_Burn", {}, "there is no tool 'killed_desk_Burn' here; there are: killed_desk_how_many"),
    ("x" * 100_000, {}, "there is no tool 'xxx"),
    ("killed_desk_Write", {"letter": "a"}, "missing required field `text`"),
    ("killed_desk_Write", {"letter": "a", "text": "b", "more": 1}, "no field 'more'"),
    ("killed_desk_Write", {"letter": "a.b", "text": ""}, "outside A-Z"),
    ("killed_desk_Write", {"letter": "*", "text": ""}, "outside A-Z"),
    ("killed_desk_Write", {"letter": "a", "text": "b", "command_id": "a b"}, "the command's id"),
    ("killed_desk_how_many", {"what": 1}, "what"),
]


async def test_what_cannot_be_done_is_an_error_that_says_so(desk: Place) -> None:
    async with client(desk) as it:
        for tool, arguments, said in WRONG:
            result = await it.call_tool(tool, arguments)
            assert result.is_error
            assert said in text(result)
        assert not (await it.call_tool("killed_desk_how_many", {})).is_error, "it goes on"


async def test_a_rejection_and_a_million_characters(desk: Place) -> None:
    async with client(desk) as it:
        assert not (await it.call_tool("killed_desk_Stamp", {"letter": "s1"})).is_error
        again = await it.call_tool("killed_desk_Stamp", {"letter": "s1"})
        assert again.is_error
        assert "refused: it has a stamp" in text(again)
        assert not (await it.call_tool("killed_desk_Drop", {"paper": "p", "text": "x" * 1_000_000})).is_error
        with pytest.raises(Exception, match="there is no resource cim://nothing here"):
            await it.read_resource("cim://nothing")


async def test_what_is_not_offered_is_not_there(desk: Place) -> None:
    async with client(desk, "--read-only") as it:
        assert [tool.name for tool in (await it.list_tools()).tools] == ["killed_desk_how_many"]
        assert (await it.call_tool("killed_desk_Write", {"letter": "a", "text": ""})).is_error
    async with client(desk, "--tool", "killed_desk.Stamp") as it:
        assert [tool.name for tool in (await it.list_tools()).tools] == ["killed_desk_Stamp"]
        assert (await it.call_tool("killed_desk_how_many", {})).is_error


def test_what_cannot_be_offered_is_refused_by_name(desk: Place, tmp_path: Path) -> None:
    none = desk.cim("mcp", "--tool", "killed_desk.Burn")
    assert (none.code, "there is no tool killed_desk.Burn to offer" in none.err) == (1, True)
    (tmp_path / "machine.toml").write_text('name = "still"\nmodules = []\n')
    still = desk.cim("mcp", "--machine", str(tmp_path))
    assert (still.code, "no leaf of machine still runs" in still.err) == (1, True)


@pytest.fixture(scope="module")
def over_http(desk: Place) -> str:
    """The address at which ``cim mcp --http`` serves."""
    serving = desk.start("mcp", "--http", "0")
    serving.prints("whoever asks sends the header")
    return serving.out.splitlines()[0].rpartition(" ")[2]


def token(desk: Place) -> str:
    return (desk.state / TOKEN).read_text()


@asynccontextmanager
async def by_http(url: str, token: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers) as sending,
        Client(streamable_http_client(url, http_client=sending), read_timeout_seconds=60) as found,
    ):
        yield found


async def test_by_http_it_is_the_same_door_for_any_number_of_clients(desk: Place, over_http: str) -> None:
    async with by_http(over_http, token(desk)) as it, by_http(over_http, token(desk)) as other:
        async with client(desk) as by_pipe:
            tools = [[tool.name for tool in (await one.list_tools()).tools] for one in (it, other, by_pipe)]
        assert tools[0] == tools[1] == tools[2]
        given = {"letter": "h1", "text": "Dear h1 .", "command_id": "by-http"}
        first, again = [await one.call_tool("killed_desk_Write", given) for one in (it, other)]
        assert first.structured_content == again.structured_content
        refused = await other.call_tool("killed_desk_Burn", {})
        assert refused.is_error
    assert stat.S_IMODE((desk.state / TOKEN).stat().st_mode) == 0o600


async def updated(it: Client, uri: str, change: dict[str, Any]) -> str:
    """The resource of which an update is told behind a change."""
    async with asyncio.timeout(30), it.listen(resource_subscriptions=[uri, "cim://nothing"]) as told:
        await it.call_tool("killed_desk_Write", change)
        async for event in told:
            assert isinstance(event, ResourceUpdated)
            return event.uri
    raise AssertionError("the updates ended")


async def test_who_listens_is_told_of_each_change_by_a_pipe_and_by_http(desk: Place, over_http: str) -> None:
    uri = "cim://killed_desk.Letter"
    async with client(desk) as it:
        assert await updated(it, uri, {"letter": "u1", "text": "Dear u1 ."}) == uri
        assert await updated(it, uri, {"letter": "u1", "text": "Dear u1 , again."}) == uri
    async with by_http(over_http, token(desk)) as it:
        assert await updated(it, uri, {"letter": "u2", "text": "Dear u2 ."}) == uri


async def test_what_cannot_be_followed_is_an_error_of_the_protocol(desk: Place) -> None:
    address = desk.address
    user = Credentials(address.jwt, address.seed)
    async with connect(address.url, user, "test") as link:
        questions = {"cim://no.Kind": {"of": "no.Kind"}}
        updates = Updates(link, SystemClock(), SystemEntropy(), questions, "mcp", print)
        asked = SubscriptionFilter(resource_subscriptions=["cim://no.Kind"])
        with pytest.raises(MCPError, match=r"cim://no\.Kind: .*no\.Kind"):
            await updates.listen(None, SubscriptionsListenRequestParams(notifications=asked))


async def test_who_listens_to_something_else_is_told_nothing_of_it(desk: Place) -> None:
    async with client(desk) as it, it.listen(resource_subscriptions=["cim://killed_desk.Paper"]) as told:
        await it.call_tool("killed_desk_Write", {"letter": "u3", "text": "Dear u3 ."})
        await it.call_tool("killed_desk_Drop", {"paper": "p9", "text": "Dear p9 ."})
        async with asyncio.timeout(30):
            async for event in told:
                assert isinstance(event, ResourceUpdated)
                assert event.uri == "cim://killed_desk.Paper"
                break


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "{token}"}, 401),
        ({"Authorization": "Basic {token}"}, 401),
        ({"Authorization": "Bearer {token}", "Origin": "http://evil.example"}, 403),
        ({"Authorization": "Bearer {token}", "Host": "evil.example"}, 421),
    ],
)
async def test_by_http_nobody_else_is_let_in(
    desk: Place, over_http: str, headers: dict[str, str], status: int
) -> None:
    sent = {name: value.format(token=token(desk)) for name, value in headers.items()}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"Accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient() as asking:
        answer = await asking.post(over_http, json=body, headers={**accept, **sent})
    assert answer.status_code == status
    assert "killed_desk" not in answer.text


def test_a_token_that_is_none_is_refused(tmp_path: Path) -> None:
    assert token_of(tmp_path) == token_of(tmp_path)
    (tmp_path / TOKEN).write_text("short\n")
    with pytest.raises(CimError, match=r"mcp\.token holds no token of 32 characters: remove it"):
        token_of(tmp_path)

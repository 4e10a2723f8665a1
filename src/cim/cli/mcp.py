"""``cim mcp``: a running machine for clients of the Model Context Protocol, by a pipe or by HTTP."""

import argparse
import importlib.util
from typing import Any

from cim.adapters.system import SystemClock, SystemEntropy
from cim.cli.output import tell
from cim.cli.place import find_machine, owner, reach, run_until_stopped
from cim.contract.composition import compose
from cim.domain.errors import CimError
from cim.leaf.lock import find_running
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.token import TOKEN, WithToken, token_of
from cim.leaf.web import HOST, bind, serve_web


def run(given: argparse.Namespace) -> int:
    """Serve until the client goes away; by HTTP until interrupted."""
    if importlib.util.find_spec("mcp") is None:
        raise CimError("the protocol's SDK is not installed: install composable-information-machine[mcp]")
    run_until_stopped(_serve(find_machine(given.machine), given))
    return 0


async def _serve(machine: Machine, given: argparse.Namespace) -> None:
    from mcp.server.stdio import stdio_server  # it takes a second to load

    from cim.doors.mcp import McpDoor

    if find_running(machine.state) is None:
        raise CimError(f"no leaf of machine {machine.name} runs: start one with `cim up {machine.folder}`")
    composition = compose(load_contexts(machine, machine.modules))
    async with reach(machine) as (client, _running):
        door = McpDoor(
            composition,
            client,
            SystemClock(),
            SystemEntropy(),
            owner(),
            only=given.tool,
            read_only=given.read_only,
            trouble=tell,
        )
        server = door.server(machine.name, "1")
        if given.http is not None:
            await _by_http(machine, server, given.http)
            return
        async with stdio_server() as (reader, writer):
            await server.run(reader, writer, server.create_initialization_options())


async def _by_http(machine: Machine, server: Any, port: int) -> None:
    """On loopback, to whoever has the token; pages of other origins are refused by the protocol's SDK."""
    token = token_of(machine.state)
    with bind(port, tell, what="MCP") as listening:
        url = f"http://{HOST}:{listening.getsockname()[1]}/mcp"
        print(f"MCP of machine {machine.name} is at {url}", flush=True)
        print(f"whoever asks sends the header Authorization: Bearer … of {machine.state / TOKEN}", flush=True)
        app = WithToken(server.streamable_http_app(host=HOST), token)
        await serve_web(app, listening, "the web server of MCP", lifespan=True)

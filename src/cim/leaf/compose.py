"""The composition root: everything of a leaf is made and wired here, and taken down in reverse."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from nats.aio.client import Client

from cim.actors.actors import Actors
from cim.adapters.nats.lean import lean_of
from cim.adapters.nats.link import connect
from cim.adapters.nats.stream import is_ready, make_ready
from cim.adapters.system import SystemClock, SystemEntropy
from cim.contract import codec
from cim.contract.composition import Composition, compose
from cim.contract.personal import personal_fields
from cim.contract.subjects import MACHINE
from cim.domain.errors import Misdeclared
from cim.doors.commands import CommandDoor
from cim.doors.live import LiveDoor
from cim.doors.page import PageDoor
from cim.doors.patience import PatientBlobs
from cim.doors.queries import QueryDoor
from cim.doors.runs import serve_runs
from cim.doors.serving import publisher
from cim.leaf.accounts import Keys, machine_credentials, steward_credentials
from cim.leaf.deciding import deciding
from cim.leaf.disk import outlast_full, until_room
from cim.leaf.garbage import let_go
from cim.leaf.heads import keep_head
from cim.leaf.hosts import Host
from cim.leaf.index import leafs_index
from cim.leaf.lock import LeafAddress, MachineLock
from cim.leaf.machine import Machine, load_contexts
from cim.leaf.machine_server import Running, machine_server
from cim.leaf.node import Node, Tell, background, join
from cim.leaf.private import private_folder
from cim.leaf.sessions import PageSessions
from cim.leaf.supervised import keep_providers
from cim.leaf.turn import Turn
from cim.leaf.web import HOST, bind, serve_web
from cim.views.live import LiveQueries
from cim.views.page import Page, Upload
from cim.views.template import View, compile_view
from cim.world.trail import trail

LAST_WORDS = 2.0
"""Seconds at the end for writing down what no process has to look at again."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf that runs: its node, and the page's address where it shows one."""

    node: Node
    page: str


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a leaf stands on: its server with a connection to it, and who may come to its page."""

    machine: Machine
    composition: Composition
    running: Running
    keys: Keys
    client: Client
    origins: tuple[str, ...]
    tell: Tell


@asynccontextmanager
async def leaf(machine: Machine, tell: Tell, *, port: int | None = None) -> AsyncIterator[Leaf]:
    """Run a whole leaf: server, log, world, systems, doors and the page.

    Raises :class:`cim.leaf.lock.LeafRunning` where one runs on the folder already, :class:`Misdeclared` for a
    machine with several hosts.
    """
    if machine.hosts:
        raise Misdeclared(f"{machine.folder}: it has several hosts: run `cim up` at each")
    await until_room(private_folder(machine.state), SystemClock(), tell)
    with (
        MachineLock.take(machine.state) as lock,
        bind(machine.port if port is None else port, tell) as listening,
    ):
        async with _ground(machine, tell, listening) as ground, _on(ground, listening) as found:
            await _announce(lock, ground, found.page)
            yield found


async def leaf_in_turn(
    machine: Machine,
    tell: Tell,
    up: Callable[[Leaf], Awaitable[None]],
    *,
    port: int | None = None,
    stand_by: bool = True,
) -> None:
    """Run this host's node of a cluster, and the leaf whenever it is this host's turn; until cancelled.

    ``up`` is told each time it has begun. Without ``stand_by`` it never is. Raises as :func:`leaf` does.
    """
    await until_room(private_folder(machine.state), SystemClock(), tell)
    with (
        MachineLock.take(machine.state) as lock,
        bind(machine.port if port is None else port, tell) as listening,
    ):
        number = listening.getsockname()[1]
        async with _ground(machine, tell, listening) as ground:
            listening.close()
            await _announce(lock, ground, "")
            assert machine.here is not None
            tell(f"node {machine.here.name} is up at {machine.here.url}")
            while stand_by:
                await _one_turn(ground, number, lock, machine.here, up)
            await asyncio.get_running_loop().create_future()


async def _one_turn(
    ground: _Ground, port: int, lock: MachineLock, here: Host, up: Callable[[Leaf], Awaitable[None]]
) -> None:
    """Wait for this host's turn, and run the leaf until it is over."""
    turn = Turn(ground.client, here.name, SystemEntropy().new_id(), SystemClock(), ground.tell)
    await turn.come()
    over = asyncio.ensure_future(turn.over())
    try:
        with bind(port, ground.tell, alone=True) as listening:
            async with _on(ground, listening) as found:
                await _announce(lock, ground, found.page)
                await up(found)
                ground.tell(f"the leaf runs at {await over} now, it was taken over: this host stands by")
    finally:
        over.cancel()
        let_go()
        await turn.give_back()
    # Not where it was cut off: then it is taken back with the lock, and nobody waits for room.
    await _announce(lock, ground, "")


async def _announce(lock: MachineLock, ground: _Ground, page: str) -> None:
    """Let others find what runs here, once there is room to write where it is."""

    def write() -> None:
        lock.announce(_address(ground, page))

    await outlast_full(f"where the leaf of {ground.machine.folder} is", write, SystemClock(), ground.tell)


@asynccontextmanager
async def _ground(machine: Machine, tell: Tell, listening: socket.socket) -> AsyncIterator[_Ground]:
    composition = compose(load_contexts(machine, machine.modules, views=True))
    if machine.hosts:
        _check_cluster(machine, composition)
    port = listening.getsockname()[1]
    origins = (f"http://{HOST}:{port}", f"http://localhost:{port}")
    async with machine_server(machine, origins, tell) as (running, keys):
        user = machine_credentials(keys)
        async with (
            connect(running.url, user, f"leaf of {machine.name}", tell) as client,
            _ready_log(client, running, keys, tell),
        ):
            yield _Ground(machine, composition, running, keys, client, origins, tell)


def _check_cluster(machine: Machine, composition: Composition) -> None:
    """Refuse what does not go from host to host yet."""
    personal = [str(kind) for kind in composition.entities.values() if kind.personal]
    personal += [str(kind) for kind in composition.components if personal_fields(kind.component)]
    if personal:
        raise Misdeclared(
            f"{machine.folder}: {personal[0]} has Personal fields. The keys of persons are kept at one host, "
            f"and another could neither read nor erase them: [cluster] is not for such a machine yet"
        )


@asynccontextmanager
async def _on(ground: _Ground, listening: socket.socket) -> AsyncIterator[Leaf]:
    """The leaf itself: world, systems, doors and the page."""
    composition, tell = ground.composition, ground.tell
    views = compile_views(composition)
    async with (
        leafs_index(ground.machine, SystemClock(), tell) as index,
        join(
            ground.machine,
            ground.client,
            composition,
            composition.systems,
            tell,
            projections=composition.projections,
            processes=composition.processes,
            index=index,
        ) as node,
        deciding(node, tell) as actors,
        _processes(node, actors),
        _doors(node, actors, views, ground, listening),
        background(keep_providers(ground.machine, node.calls.bindings, SystemClock(), tell)),
    ):
        yield Leaf(node, ground.origins[0])


@asynccontextmanager
async def _ready_log(client: Client, running: Running, keys: Keys, tell: Tell) -> AsyncIterator[None]:
    """The log's stream, given what came with a later version than the one that made it."""
    if not await is_ready(client):
        steward = steward_credentials(keys, int(SystemClock().now().timestamp()))
        async with connect(running.url, steward, "steward", tell) as changing:
            await make_ready(changing)
        tell("the log was made ready for writes that span entities")
    yield


@asynccontextmanager
async def _processes(node: Node, actors: Actors) -> AsyncIterator[None]:
    """Policies and processes at work. Nobody is let in before they are: the first command's events are
    theirs, too."""
    node.world.when_erased(lambda _, refs: node.reactor.forget())
    async with background(node.reactor.run(actors)):
        await node.reactor.begun()
        try:
            yield
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await node.reactor.settle()


def compile_views(composition: Composition) -> dict[str, View]:
    """Every view of the modules, by the name of its query."""
    return {
        f"{context.name}.{function.__name__}": compile_view(function)
        for context in composition.contexts
        for function in context.views
    }


def upload(composition: Composition) -> Upload | None:
    """The first command that takes one file and one text: what the page hands files in with."""
    for kind in composition.entities.values():
        for name, command in kind.commands.items():
            blob = kind.blob_field(command)
            texts = [field for field in codec.field_names(command) if field not in (kind.key_for(name), blob)]
            if blob is not None and len(texts) == 1:
                return Upload(f"{kind.context}.{name}", blob, texts[0])
    return None


@asynccontextmanager
async def _doors(
    node: Node,
    actors: Actors,
    views: dict[str, View],
    ground: _Ground,
    listening: socket.socket,
) -> AsyncIterator[None]:
    running, tell = ground.running, ground.tell
    clock, entropy, lean = SystemClock(), SystemEntropy(), lean_of(node.client)
    publish = publisher(node.client, tell)
    node.world.when_erased(lambda _, refs: actors.forget(refs))
    commands = CommandDoor(node.composition, actors, node.world, lambda: running.trouble)
    live = LiveQueries(
        node.world,
        views,
        working=node.schedule.working,
        history=lambda ref: trail(node.log, ref, node.sealing),
        publish=publish,
        link=lambda: lean.opened,
        clock=clock,
    )
    watched = LiveDoor(node.composition, node.world, publish, clock, tell)
    queries = QueryDoor(node.composition, node.world, node.answers, live, watched)
    contexts = (MACHINE, *(context.name for context in node.composition.contexts))
    page = PageDoor(
        page=Page(node.machine.name, "", running.websocket_ports, views, upload(node.composition)),
        sessions=PageSessions(ground.keys, tuple(views), clock),
        origins=ground.origins,
        composition=node.composition,
        commands=commands,
        blobs=PatientBlobs(node.blobs, clock),
        entropy=entropy,
        trouble=tell,
    )
    async with (
        commands.serve(node.client, tell),
        queries.serve(node.client, contexts, tell),
        serve_runs(node.client, node.schedule, entropy.new_id(), tell, node.left_alone),
        background(
            live.run(),
            watched.run(),
            serve_web(page.app(), listening, "the page's web server"),
            keep_head(node.world, node.machine.state, clock, tell),
        ),
    ):
        yield


def _address(ground: _Ground, page: str) -> LeafAddress:
    running, user = ground.running, machine_credentials(ground.keys)
    return LeafAddress(os.getpid(), running.url, running.websocket_ports, page, user.jwt, user.seed)

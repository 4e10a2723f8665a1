"""A whole leaf: made and wired, served, stopped, and started again."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cim.adapters.system import SystemClock
from cim.contract.codec import from_text
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.domain.errors import Misdeclared
from cim.doors.sender import send
from cim.leaf.compose import Leaf, leaf, upload
from cim.leaf.heads import read_head
from cim.leaf.lock import LeafRunning, find_running
from cim.leaf.machine import Machine, load_contexts, load_machine
from cim.leaf.process import command_line
from cim.leaf.web import HOST, bind
from cim.ports.log import LinkLost
from cim.world.world import value_of

MODULE = '''
from collections.abc import Iterable
from typing import Protocol
from cim import Blob, Blobs, Capability, Changed, Command, Component, Context, Event, State

shelf = Context("shelf")

class Put(Command):
    """Put a file on the shelf."""
    thing: str
    label: str
    file: Blob

class Was(Event):
    file: Blob

class Counter(Capability, Protocol):
    """Counts."""
    def count(self, content: bytes) -> int: ...

class Len:
    def count(self, content: bytes) -> int:
        return len(content)

@shelf.entity(key="thing")
class Thing(State):
    """A thing on the shelf."""
    file: Blob | None = None
    def decide(self, command: Put) -> Iterable[Was]:
        return [Was(command.file)]
    def evolve(self, event: Was) -> "Thing":
        return self.but(file=event.file)

@shelf.component(of=Thing)
class Size(Component):
    count: int

@shelf.system
def measure(thing: Changed[Thing], blobs: Blobs, counter: Counter) -> Size:
    """Count what is in it."""
    return Size(counter.count(blobs.load(thing.file)))
'''

FILE = 'name = "shelf"\nmodules = ["shelf"]\nport = 0\n'
PROVIDERS = '[providers]\nCounter = "shelf:Len"\n'
PAGE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("shelf", None)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "shelf.py").write_text(MODULE)
    (tmp_path / "machine.toml").write_text(FILE + PROVIDERS)
    return load_machine(tmp_path)


def port_of(page: str) -> int:
    return int(page.rpartition(":")[2])


async def get(page: str) -> bytes:
    """The first line that the page's server answers."""
    reader, writer = await asyncio.open_connection(HOST, port_of(page))
    writer.write(PAGE)
    line = await reader.readline()
    writer.close()
    return line


async def put(running: Leaf, id: str) -> None:
    """Put a file on the shelf through the leaf's door."""
    node = running.node
    kind = node.composition.command("shelf", "Put")
    blob = await node.blobs.keep(id.encode() * 1000, "text/plain")
    file = {"sha256": blob.sha256, "size": blob.size, "media": blob.media}
    command = from_text({"thing": id, "label": "x", "file": file}, kind.commands["Put"])
    await send(node.client, SystemClock(), kind, command, Origin.root(id, "person:t"), "test", 20.0)


async def put_patiently(running: Leaf, id: str) -> None:
    """The same, begun anew where the store was not reached."""
    while True:
        try:
            return await put(running, id)
        except LinkLost:
            continue


async def sizes(running: Leaf) -> dict[str, int]:
    entities = running.node.world.entities.each()
    return {one.ref.id: (value_of(one, "Size") or {"count": -1})["count"] async for one in entities}


async def test_a_leaf_shows_its_page_takes_commands_and_runs_systems(machine: Machine) -> None:
    told: list[str] = []
    async with leaf(machine, told.append) as running:
        assert await get(running.page) == b"HTTP/1.1 200 OK\r\n"
        await put(running, "a")
        await running.node.idle()
        assert await sizes(running) == {"a": 1000}
        found = find_running(machine.state)
        assert found is not None
        assert (found.pid, found.page) == (os.getpid(), running.page)
        sequence = running.node.world.sequence
    assert find_running(machine.state) is None
    head = read_head(machine.state)
    assert head is not None
    assert head.sequence == sequence
    assert told == []


async def test_a_second_leaf_on_a_machine_is_refused_by_where_the_first_is(machine: Machine) -> None:
    async with leaf(machine, print) as running:
        with pytest.raises(LeafRunning, match=f"process {os.getpid()}; its page is {running.page}"):
            async with leaf(machine, print):
                pass
        assert await get(running.page) == b"HTTP/1.1 200 OK\r\n"


async def test_a_leaf_stops_with_a_browser_still_connected_and_starts_again_on_its_port(
    machine: Machine,
) -> None:
    port = 0
    for count in range(3):
        told: list[str] = []
        async with leaf(machine, told.append, port=port) as running:
            port = port_of(running.page)
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(PAGE)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await put(running, f"id-{count}")
            await running.node.idle()
            assert len(await sizes(running)) == count + 1
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
        writer.close()
        assert told == []
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)


async def test_a_taken_port_moves_on_and_is_told(machine: Machine) -> None:
    with socket.create_server((HOST, 0)) as thief:
        port = thief.getsockname()[1]
        told: list[str] = []
        async with leaf(machine, told.append, port=port) as running:
            assert port_of(running.page) != port
            assert told == [f"port {port} is taken: the page is at {port_of(running.page)} instead"]
            assert await get(running.page) == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("port", [65_535, 65_500])
def test_the_last_ports_of_all_have_free_ones_behind_them(port: int) -> None:
    told: list[str] = []
    first = bind(port, told.append)
    with first, bind(first.getsockname()[1], told.append) as second:
        assert second.getsockname()[1] != first.getsockname()[1]
    assert "is taken: the page is at" in told[-1]


async def test_a_machine_that_misses_a_provider_does_not_start(machine: Machine) -> None:
    whole = (machine.folder / "machine.toml").read_text()
    (machine.folder / "machine.toml").write_text(FILE)
    with pytest.raises(Misdeclared, match=r"shelf\.measure needs Counter and nothing is bound to it"):
        async with leaf(load_machine(machine.folder), print):
            pass
    assert find_running(machine.state) is None
    assert not (machine.state / "nats.pid").exists()
    (machine.folder / "machine.toml").write_text(whole)
    async with leaf(machine, print):
        pass


async def test_a_leaf_that_ends_by_an_error_leaves_no_server(machine: Machine) -> None:
    pids: list[int] = []

    async def fail() -> None:
        async with leaf(machine, print):
            pids.append(int((machine.state / "nats.pid").read_text()))
            raise ZeroDivisionError

    # The groups of tasks in between wrap it.
    with pytest.raises(BaseExceptionGroup) as error:
        await fail()
    assert error.value.subgroup(ZeroDivisionError) is not None
    assert command_line(pids[0]) == ""
    assert find_running(machine.state) is None


async def test_a_killed_server_changes_nothing_of_what_systems_find(machine: Machine) -> None:
    ids = [f"id-{number}" for number in range(40)]
    told: list[str] = []
    async with leaf(machine, told.append) as running:
        await asyncio.gather(*(put(running, id) for id in ids[:20]))
        os.kill(int((machine.state / "nats.pid").read_text()), signal.SIGKILL)
        for id in ids[20:]:
            await put_patiently(running, id)
        async with asyncio.timeout(30):
            await running.node.idle()
        assert await sizes(running) == {id: 1000 * len(id) for id in ids}
        assert not [one async for one in running.node.world.entities.each() if one.failures]
    assert any("started again" in text for text in told)


def test_the_page_hands_files_in_with_the_command_that_takes_one_and_a_text(machine: Machine) -> None:
    found = upload(compose(load_contexts(machine, machine.modules)))
    assert found is not None
    assert (found.command, found.blob, found.text) == ("shelf.Put", "file", "label")
    assert upload(compose([])) is None

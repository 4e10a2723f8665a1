"""A server that is started, killed in every way, found again with all it held, and stopped."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from nats.aio.client import Client

from cim.leaf.accounts import Keys
from cim.leaf.configuration import HOST, Ports, free_ports
from cim.leaf.process import ServerFailed, command_line, nats_server_binary
from cim.leaf.server import Server

Start = Callable[..., Awaitable[Server]]
Connect = Callable[[str], Awaitable[Client]]
Run = Callable[..., "subprocess.Popen[bytes]"]

MESSAGES = 100
DEADLINE = 10.0

LEAF = """
import asyncio, sys, time
from pathlib import Path
from cim.leaf.accounts import Keys
from cim.leaf.server import Server

async def main():
    folder = Path(sys.argv[1])
    keys = Keys.load_or_make(folder / "keys.json", now=int(time.time()))
    server = await Server.start(folder, keys=keys, origins=["http://127.0.0.1:8080"], cookie="cim_page")
    print(server.pid, server.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def until(true: Callable[[], bool], what: str) -> None:
    """Return once ``true()`` holds; fail after the deadline."""
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, f"not within {DEADLINE} s: {what}"
        await asyncio.sleep(0.005)


async def fill(machine: Client) -> None:
    """A stream with messages, each of them acknowledged."""
    stream = machine.jetstream()
    await stream.add_stream(name="machine", subjects=["evt.>"])
    for number in range(MESSAGES):
        await stream.publish(f"evt.documents.Document.{number}", str(number).encode())


async def assert_nothing_is_lost(machine: Client) -> None:
    stream = machine.jetstream()
    assert (await stream.stream_info("machine")).state.messages == MESSAGES
    for number in range(MESSAGES):
        message = await stream.get_msg("machine", seq=number + 1)
        assert message.data == str(number).encode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def runs(pid: int, folder: Path) -> bool:
    return str(folder / "nats.conf") in command_line(pid)


@pytest.fixture
async def leaf_process(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that runs a server on the folder."""
    leaf = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEAF, str(folder), stdout=subprocess.PIPE
    )
    yield leaf
    if leaf.returncode is None:
        leaf.kill()
    await leaf.communicate()


# Starting


async def test_it_is_ready_within_a_blink(start: Start, connect: Connect) -> None:
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        server = await start()
        seconds.append(time.perf_counter() - begin)
        machine = await connect(server.url)
        await machine.jetstream().account_info()
        await machine.close()
        await server.stop()
    print(f"ready after {', '.join(f'{1000 * each:.0f}' for each in seconds)} ms")
    assert min(seconds) < 1


async def test_its_files_are_for_the_owner(folder: Path, start: Start) -> None:
    server = await start()
    assert mode(folder) == 0o700
    assert mode(folder / "nats.conf") == 0o600
    assert (folder / "nats.pid").read_text() == str(server.pid)
    assert (folder / "jetstream").is_dir()


async def test_it_listens_on_loopback_only(start: Start) -> None:
    server = await start()
    for port in (server.ports.client, server.websocket_port):
        socket.create_connection((HOST, port)).close()
        with pytest.raises(OSError, match=r"."):
            socket.create_connection(("127.0.0.2", port), timeout=1)


@pytest.mark.parametrize("durability", ["dev", "durable"])
async def test_the_durability_reaches_the_server(start: Start, durability: str) -> None:
    ports = free_ports(monitor=True)
    server = await start(durability=durability, ports=ports)
    assert server.ports == ports
    reader, writer = await asyncio.open_connection(HOST, ports.monitor)
    writer.write(b"GET /jsz?config=1 HTTP/1.0\r\n\r\n")
    answer = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    writer.close()
    assert answer["config"].get("sync_always", False) is (durability == "durable")


async def test_a_taken_port_is_told_and_another_is_found(start: Start, events: list[str]) -> None:
    free = free_ports()
    with socket.create_server((HOST, free.client)):
        server = await start(ports=free)
        assert server.ports.client != free.client
        await until(lambda: bool(events), "the event")
        assert f"port {free.client} of {HOST} is taken" in events[0]
        assert str(server.ports.client) in events[0]


async def test_a_port_taken_at_the_last_moment_is_told_too(
    start: Start, events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    free, look, looks = free_ports(), Ports.taken, []

    def looked_too_early(ports: Ports) -> list[int]:
        looks.append(ports)
        return [] if len(looks) == 1 else look(ports)

    monkeypatch.setattr(Ports, "taken", looked_too_early)
    with socket.create_server((HOST, free.websocket)):
        server = await start(ports=free)
        await until(lambda: bool(events), "the event")
        assert f"port {free.websocket} of {HOST} is taken" in events[0]
        assert server.websocket_port != free.websocket


async def test_the_server_of_a_copied_folder_is_not_taken_for_ours(
    folder: Path, start: Start, tmp_path: Path, keys: Keys
) -> None:
    other = await Server.start(tmp_path / "copy", keys=keys, origins=[], cookie="cim_page")
    try:
        ours = await start(ports=other.ports)
        assert {ours.ports.client, ours.websocket_port}.isdisjoint({other.ports.client, other.websocket_port})
        assert runs(ours.pid, folder)
    finally:
        await other.stop()


async def test_a_start_that_is_given_up_leaves_no_process(folder: Path, start: Start) -> None:
    for seconds in (0.005, 0.01, 0.02, 0.03):
        with suppress(TimeoutError):
            await (await asyncio.wait_for(start(), seconds)).stop()
        listing = await asyncio.to_thread(
            subprocess.run, ["ps", "-ww", "-eo", "command="], capture_output=True, text=True, check=True
        )
        assert str(folder) not in listing.stdout


async def test_a_server_that_cannot_start_says_why(folder: Path, start: Start) -> None:
    (folder / "jetstream").write_text("a file where a folder must be")
    with pytest.raises(
        ServerFailed, match=r"(?s)ended with code 1 before it was ready.*nats\.log.*not a directory"
    ):
        await start()


async def test_other_keys_than_those_of_the_log_are_refused(start: Start, connect: Connect) -> None:
    server = await start()
    await fill(await connect(server.url))
    await server.stop()
    with pytest.raises(ServerFailed, match="written under other keys"):
        await start(keys=Keys.make(1_000))


# Dying


async def test_a_killed_server_is_back_on_its_ports_with_all_it_held(
    start: Start, connect: Connect, events: list[str]
) -> None:
    server = await start()
    ports, pid = server.ports, server.pid
    await fill(await connect(server.url))
    begin = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: len(events) == 2, "the restart")
    print(f"back after {1000 * (time.perf_counter() - begin):.0f} ms")
    assert f"nats-server {pid} died with signal 9" in events[0]
    assert f"nats-server {server.pid} started again" in events[1]
    assert server.ports == ports
    assert server.pid != pid
    await assert_nothing_is_lost(await connect(server.url))


async def test_a_client_that_stays_sees_nothing_but_a_gap(start: Start, connect: Connect) -> None:
    server = await start()
    machine = await connect(server.url)
    await fill(machine)
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: machine.stats["reconnects"] == 1, "the client's connection")
    await assert_nothing_is_lost(machine)


async def test_it_comes_back_as_often_as_it_dies(start: Start, events: list[str]) -> None:
    server = await start()
    for time_ in range(1, 4):
        os.kill(server.pid, signal.SIGKILL)
        await until(lambda wanted=2 * time_: len(events) == wanted, "the restart")  # type: ignore[misc]


async def test_a_listener_that_fails_does_not_end_the_watch(start: Start) -> None:
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: told.append(str(context["exception"])))

    def fail(text: str) -> None:
        raise ValueError(text)

    server = await start(on_event=fail)
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: len(told) == 2, "both events")
    assert server.pid != pid


async def test_it_is_tried_on_until_the_port_is_free_again(
    folder: Path, start: Start, events: list[str]
) -> None:
    thief: list[socket.socket] = []

    def tell(text: str) -> None:
        events.append(text)
        if len(events) == 1:
            thief.append(socket.create_server((HOST, server.ports.client)))
        elif "could not be started again" in text:
            thief[0].close()

    server = await start(on_event=tell)
    ports = server.ports
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: "started again after" in events[-1] if events else False, "the restart")
    assert runs(server.pid, folder)
    assert sum("started again after" in event for event in events) == 1
    assert "could not be started again, next try in" in events[1]
    assert "address already in use" in events[1]
    assert server.ports == ports


async def test_ctrl_c_in_the_terminal_does_not_reach_it(start: Start) -> None:
    server = await start()
    assert os.getsid(server.pid) != os.getsid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal of Linux")
async def test_it_ends_with_us_and_nothing_is_lost(
    folder: Path, leaf_process: asyncio.subprocess.Process, start: Start, connect: Connect
) -> None:
    assert leaf_process.stdout is not None
    pid, url = (await leaf_process.stdout.readline()).split()
    assert runs(int(pid), folder)
    await fill(await connect(url.decode()))
    leaf_process.kill()
    await until(lambda: not runs(int(pid), folder), "the end of the server")
    server = await start()
    await assert_nothing_is_lost(await connect(server.url))


async def test_a_server_that_was_left_over_is_taken_over(
    folder: Path, start: Start, connect: Connect, events: list[str], run: Run
) -> None:
    first = await start()
    await fill(await connect(first.url))
    await first.stop()
    orphan = run(nats_server_binary(), "-c", folder / "nats.conf")
    await until((folder / "nats.pid").exists, "the orphan's pid file")
    second = await start(ports=first.ports)
    assert orphan.poll() is not None
    assert second.ports == first.ports
    assert f"nats-server {orphan.pid} was left over" in events[0]
    await assert_nothing_is_lost(await connect(second.url))


@pytest.mark.parametrize("content", ["", "nonsense", "-1", "0", "999999999", "{pid}"])
async def test_a_process_that_is_not_ours_is_left_alone(
    folder: Path, keys: Keys, start: Start, run: Run, content: str
) -> None:
    stranger = run(sys.executable, "-c", "input()")
    (folder / "nats.pid").write_text(content.format(pid=stranger.pid))
    await start()
    assert stranger.poll() is None
    stranger.communicate(b"\n")
    assert stranger.returncode == 0


# Stopping


async def test_stop_leaves_no_process_and_no_mark(folder: Path, start: Start, connect: Connect) -> None:
    server = await start()
    machine = await connect(server.url)
    await fill(machine)
    await machine.close()
    await server.stop()
    await server.stop()
    assert not command_line(server.pid)
    assert not (folder / "nats.pid").exists()
    for port in (server.ports.client, server.websocket_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port))


async def test_stop_in_the_middle_of_a_restart_leaves_no_process(folder: Path, start: Start) -> None:
    for pause in (0.0, 0.02, 0.06, 0.09):
        server = await start()
        pids = {server.pid}
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.sleep(pause)
        pids.add(server.pid)
        await server.stop()
        pids.add(server.pid)
        assert not any(command_line(pid) for pid in pids)

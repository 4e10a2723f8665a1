"""Three nodes on one host: any two are enough, and what one of them lacks is told."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js.errors import BadRequestError

from cim.leaf.accounts import Keys
from cim.leaf.cluster import Cluster, node_folder
from cim.leaf.process import ServerFailed, command_line

Begin = Callable[[], Awaitable[Cluster]]
Connect = Callable[[str], Awaitable[Client]]
DEADLINE = 30.0
NO_PEERS = 10005


async def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, f"not within {DEADLINE} s: {what}"
        await asyncio.sleep(0.01)


@pytest.fixture
async def begin(folder: Path, keys: Keys, events: list[str]) -> AsyncIterator[Begin]:
    """``await begin()``: a cluster on the folder, stopped at the end."""
    begun: list[Cluster] = []

    async def start() -> Cluster:
        cluster = await Cluster.start(folder, keys=keys, origins=(), cookie="cim", on_event=events.append)
        begun.append(cluster)
        return cluster

    yield start
    for cluster in begun:
        await cluster.stop()


def running(folder: Path) -> list[int]:
    """The nodes of the folder that run, by their process ids."""
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in found if f"nats-server -c {folder}" in command_line(pid)]


async def add_stream(machine: Client) -> None:
    """A stream with three copies, once the nodes have heard of each other: they answer before."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            await machine.jetstream().add_stream(name="machine", subjects=["evt.>"], num_replicas=3)
            return
        except BadRequestError as error:
            if error.err_code != NO_PEERS or time.monotonic() > end:
                raise
        await asyncio.sleep(0.05)


async def test_three_nodes_hold_each_message_synced_before_it_is_acknowledged(
    folder: Path, begin: Begin, connect: Connect
) -> None:
    cluster = await begin()
    assert len(running(folder)) == len(cluster.url.split(",")) == 3
    machine = await connect(cluster.url.split(",")[0])
    await add_stream(machine)
    await machine.jetstream().publish("evt.a", b"a")
    info = await machine.jetstream().stream_info("machine")
    assert info.cluster is not None
    assert len(info.cluster.replicas or []) == 2
    for number in (1, 2, 3):
        text = (node_folder(folder, number) / "nats.conf").read_text()
        assert '"sync_interval": "always"' in text


async def test_two_are_enough_to_begin_with_and_the_third_comes_when_it_can(
    folder: Path, begin: Begin, events: list[str], connect: Connect
) -> None:
    third = node_folder(folder, 3)
    third.mkdir(parents=True)
    (third / "jetstream").write_text("a file where a folder must be")
    cluster = await begin()
    await until(lambda: bool(events), "the news of the third")
    assert "node 3 did not start, the others go on without it" in events[0]
    assert "not a directory" in events[0]
    assert len(running(folder)) == 2
    machine = await connect(cluster.url.split(",")[0])
    assert (await machine.jetstream().account_info()).streams == 0
    (third / "jetstream").unlink()
    await until(lambda: "node 3 has started: all nodes are there" in events, "the third")
    assert len(running(folder)) == len(cluster.url.split(",")) == 3


async def test_one_is_not_enough_and_none_is_left(folder: Path, begin: Begin) -> None:
    for number in (1, 3):
        node_folder(folder, number).mkdir(parents=True)
        (node_folder(folder, number) / "jetstream").write_text("a file where a folder must be")
    with pytest.raises(ServerFailed, match=r"(?s)before it was ready.*not a directory"):
        await begin()
    assert running(folder) == []


async def test_a_node_that_dies_is_told_by_its_number_and_comes_back(
    begin: Begin, events: list[str], folder: Path
) -> None:
    cluster = await begin()
    os.kill(cluster.nodes[2].pid, signal.SIGKILL)
    await until(lambda: len(events) == 2, "the restart")
    assert events[0].startswith("node 2: nats-server ")
    assert "started again after" in events[1]
    await cluster.stop()
    await cluster.stop()
    assert running(folder) == []


async def test_it_is_found_again_on_its_ports(begin: Begin) -> None:
    first = await begin()
    url = first.url
    await first.stop()
    assert (await begin()).url == url

"""A machine with processes on a real server: killed in the middle, each effect is there once."""

import asyncio
import os
import shutil
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from cim.adapters.nats.lean import ask
from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.contract import codec
from cim.contract.envelope import Origin
from cim.leaf.accounts import Credentials
from cim.leaf.lock import find_running
from cim.log.backoff import delays
from cim.ports.log import LinkLost
from cim.processes.step import moment
from cim.testing.processes import Place, place, wait_until

MACHINE = """
name = "shop"
modules = ["killed_shop"]
"""

Said = dict[str, list[str]]
"""What stands on each subject, item by item, by type."""

MOMENTS = ["Placed", "Late", "deciding", "Charged", "sending", "Sent", "rejecting", "Rejected"]
BEGAN = ["cim.Reacted", "Began", "cim.Sets"]
WAY = [*BEGAN, "cim.Woke", "cim.Asks", "Charge", "cim.Reacted", "cim.Asks", "Send"]
SENT, PAID_BACK = [*WAY, "cim.Reacted", "Ended"], [*WAY, "cim.Refused", "Ended", "cim.Asks", "PayBack"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "machine"
    folder.mkdir()
    (folder / "machine.toml").write_text(MACHINE)
    shutil.copy(Path(__file__).with_name("killed_shop.py"), folder)
    with place(folder, tmp_path / "said") as made:
        yield made


@asynccontextmanager
async def reached(shop: Place) -> AsyncIterator[Client]:
    """A connection to the leaf that runs, once one does."""
    address = await asyncio.to_thread(wait_until, lambda: find_running(shop.state), "a leaf that runs")
    async with connect(address.url, Credentials(address.jwt, address.seed), "the test") as client:
        yield client


async def order(client: Client, id: str, item: str, seconds: float = 0.0) -> None:
    """Order until there is an answer, or the leaf is dead."""
    data = {"order": id, "item": item, "seconds": seconds}
    body = codec.encode([codec.Item("Place", 1, data)])
    headers = Origin.root(f"place-{id}", "tester").headers()
    for delay in delays():
        try:
            answer = await ask(client, f"cmd.killed_shop.Order.{id}.Place.tester", body, 2.0, headers)
        except LinkLost:
            await asyncio.sleep(delay)
            continue
        said = msgspec.json.decode(answer, type=dict[str, Any])
        if not said.get("again"):
            assert said.get("entity") == id, said
            return


async def until(client: Client, holds: Callable[[Said], bool], what: str) -> Said:
    """What the log says once that holds."""
    said: Said = {}
    try:
        async with asyncio.timeout(60):
            for delay in delays():
                said = await history(client)
                if holds(said):
                    break
                await asyncio.sleep(delay)
    except TimeoutError:
        raise AssertionError(f"not within 60 s: {what}: {said}") from None
    return said


async def history(client: Client) -> Said:
    found: defaultdict[str, list[str]] = defaultdict(list)
    log = await NatsLog.open(client)
    try:
        async for commit in log.read(">"):
            found[commit.subject.removeprefix("evt.killed_shop.")] += [
                item.type for item in codec.decode(commit.body)
            ]
    except LinkLost:
        return {}
    return found


def assert_sound(shop: Place) -> None:
    ids = Counter(commit["id"] for commit in shop.cim("log", "--json").data)
    assert max(ids.values()) == 1
    assert shop.cim("waiting").out == "nothing waits\n"
    assert shop.cim("verify", "--json").data[0]["faults"] == []


async def test_a_leaf_killed_at_any_moment_of_a_process_does_each_thing_once(shop: Place) -> None:
    leaf = shop.up()
    for fate in MOMENTS:
        id, item = f"at-{fate}", "piano" if fate.lower().startswith("reject") else "book"
        (shop.folder / "fate").write_text(fate)
        async with reached(shop) as client:
            sending = asyncio.ensure_future(order(client, id, item))
            await asyncio.to_thread(leaf.end)
            sending.cancel()
        assert not (shop.folder / "fate").exists()
        if fate == "deciding":
            assert_silent(shop, f"killed_shop.Fulfilment {id}")
        leaf = shop.up()
        async with reached(shop) as client:
            await order(client, id, item)
            end = "PaidBack" if item == "piano" else "Charged"
            said = await until(
                client,
                lambda said, id=id, end=end: (
                    "Ended" in said.get(f"Fulfilment.{id}", ())  # type: ignore[misc]
                    and end in said.get(f"Payment.{id}", ())
                ),
                f"{id} goes on to its end",
            )
        assert said[f"Fulfilment.{id}"] == (PAID_BACK if item == "piano" else SENT)
        assert said[f"Payment.{id}"] == ["Charged", "PaidBack"] if item == "piano" else ["Charged"]
        assert said.get(f"Parcel.{id}", []) == ([] if item == "piano" else ["Sent"])
    assert_sound(shop)


def assert_silent(shop: Place, name: str) -> None:
    """What looks at the log while no leaf runs names what is left to do, and does nothing of it."""
    before = shop.cim("log").out
    waits = [one for one in shop.cim("waiting", "--json").data if one["entity"] == name]
    assert [(one["why"], one["frees"]) for one in waits] == [("due", "`cim up`")]
    assert "killed_shop.Charge was asked of evt.killed_shop.Payment." in waits[0]["cause"]
    assert shop.cim("verify").code == 0
    assert shop.cim("log").out == before


async def test_the_server_killed_under_the_processes_loses_and_doubles_nothing(shop: Place) -> None:
    shop.up()
    paid = {f"Payment.o{n}": ["Charged", "PaidBack"] if n % 2 else ["Charged"] for n in range(12)}
    async with reached(shop) as client:
        for number in range(12):
            await order(client, f"o{number}", "piano" if number % 2 else "book")
            if number % 4 == 1:
                os.kill(int((shop.state / "nats.pid").read_text()), signal.SIGKILL)
        said = await until(
            client,
            lambda said: (
                {id: said.get(id) for id in paid} == paid
                and all("Ended" in said[f"Fulfilment.o{n}"] for n in range(12))
            ),
            "each is paid as it must",
        )
    assert [said[f"Fulfilment.o{n}"] for n in range(12)] == [SENT, PAID_BACK] * 6
    assert_sound(shop)


async def test_a_timer_waits_while_nothing_runs(shop: Place) -> None:
    leaf = shop.up()
    async with reached(shop) as client:
        await order(client, "soon", "book", 2.0)
        await order(client, "tomorrow", "book", 86_400.0)
        await until(client, lambda said: "Fulfilment.soon" in said, "it waits")
    leaf.kill()
    shop.up()
    async with reached(shop) as client:
        said = await until(client, lambda said: "Ended" in said["Fulfilment.soon"], "its time has come")
    assert said["Fulfilment.soon"] == SENT
    (soon, tomorrow) = shop.cim("show", "killed_shop.Fulfilment", "--json").data
    assert list(soon) == ["id", "sequence", "state", "asked", "timers"]
    assert (soon["id"], soon["state"], soon["asked"], soon["timers"]) == ("soon", {"item": "book"}, [], [])
    (timer,) = tomorrow["timers"]
    assert (timer["timer"], timer["data"]) == ("Late", {"order": "tomorrow"})
    assert f"Late at {timer['due']}" in shop.cim("show", "killed_shop.Fulfilment", "tomorrow").out
    early = shop.cim("show", "killed_shop.Fulfilment", "soon", "--at", "1")
    assert (early.code, "there is no killed_shop.Fulfilment soon at sequence 1" in early.err) == (1, True)
    assert said["Fulfilment.tomorrow"] == BEGAN
    commits = shop.cim("log", "--json").data
    woken, placed = (
        moment(next(one["time"] for one in commits if type == first_item(one)))
        for type in ("cim.Woke", "Placed")
    )
    assert woken - placed >= timedelta(seconds=2)
    assert_sound(shop)


async def test_a_process_that_stands_still_is_listed_and_released(shop: Place) -> None:
    shop.up()
    async with reached(shop) as client:
        await order(client, "o1", "nonsense")
        await order(client, "o2", "book")
        await until(client, lambda said: "Ended" in said.get("Fulfilment.o2", ()), "the other goes on")
    (waits,) = shop.cim("waiting", "--json").data
    assert (waits["entity"], waits["why"]) == ("killed_shop.Fulfilment o1", "stopped")
    assert waits["cause"] == "ValueError: o1 makes no sense"
    command = waits["frees"].partition("`cim release ")[2].rstrip("`")
    subject, _, sequence = command.removesuffix(" --reason TEXT").partition(" --sequence ")
    early = shop.cim("release", subject, "--sequence", "1", "--reason", "it is nonsense")
    assert (early.code, "is not stopped at sequence 1" in early.err) == (1, True)
    done = shop.cim("release", subject, "--sequence", sequence, "--reason", "it is nonsense")
    assert (done.code, "it goes on" in done.out) == (0, True), done.err
    again = shop.cim("release", subject, "--sequence", sequence, "--reason", "it is nonsense")
    assert again.code == 1
    assert_sound(shop)
    tree = shop.cim("trace", "place-o2", COLUMNS="250").out
    print(tree)
    assert "because of evt.killed_shop.Order.o2 #1; sets Late for" in tree
    assert "asks killed_shop.Send of evt.killed_shop.Parcel.o2" in tree
    assert shop.cim("trace", "place-o1").out.count("makes no sense") == 1


def first_item(commit: dict[str, Any]) -> str:
    return str(commit["data"][0]["type"])

"""Async systems on a real leaf: many wait at once and hold up nobody; what hangs or blocks is named."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cim.testing.processes import Place, place, wait_until

MACHINE = """
name = "room"
modules = ["waiting_room"]
workers = 1

[limits]
seconds = 2
waiting = 6

[providers]
Far = "waiting_room:Slow"
"""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "machine"
    folder.mkdir()
    (folder / "machine.toml").write_text(MACHINE)
    shutil.copy(Path(__file__).with_name("waiting_room.py"), folder)
    with place(folder, tmp_path / "said") as made:
        yield made


def write(room: Place, note: str, text: str) -> None:
    assert room.cim("send", "waiting_room.Write", f"note={note}", f"text={text}").code == 0


def shown(room: Place) -> dict[str, dict[str, Any]]:
    found = room.cim("show", "waiting_room.Note", "--json").data
    return {one["id"]: {key: cell["value"] for key, cell in one["components"].items()} for one in found}


def test_many_wait_at_once_beside_what_computes_and_each_ends_once(room: Place) -> None:
    (room.folder / "machine.toml").write_text(MACHINE.replace("seconds = 2", "seconds = 60"))
    leaf = room.up()
    for number in range(6):
        write(room, f"n{number}", f"text{number}")
    wait_until(lambda: len(list(room.folder.glob("*.asked"))) == 6, "six are asked at once, with one worker")
    wait_until(lambda: all("Size" in one for one in shown(room).values()), "what computes goes on meanwhile")
    leaf.kill()
    (room.folder / "open").touch()
    room.up()
    wait_until(lambda: all("Said" in one for one in shown(room).values()), "all are answered")
    assert shown(room)["n3"] == {"Said": {"text": "TEXT3", "near": "3txet5"}, "Size": {"letters": 5}}
    written = [one["data"] for one in room.cim("log", "--json").data if one["subject"].startswith("cmp.")]
    assert sum(item["type"] == "Said" for one in written for item in one) == 6
    assert room.cim("waiting").out == "nothing waits\n"


def test_what_hangs_blocks_fails_or_lies_waits_by_name_and_the_rest_goes_on(room: Place) -> None:
    (room.folder / "open").touch()
    room.up()
    for text in ("hang", "block", "refuse", "lie", "fine"):
        write(room, text, text)
    wait_until(lambda: "Said" in shown(room)["fine"], "the good one")
    told = wait_until(
        lambda: found if (found := room.cim("waiting").out).count(" failed ") == 4 else None, "all are named"
    )
    assert told.count("one step of it took more than 2 seconds") == 2
    assert "he says no" in told
    assert "lied: Far.ask: it is of type int, the contract says str" in told
    assert all("Size" in one for one in shown(room).values())


@pytest.mark.parametrize("how", ["plain", "async"])
def test_a_provider_that_is_awaited_otherwise_than_its_contract_says_is_refused(
    room: Place, how: str
) -> None:
    module = room.folder / "waiting_room.py"
    text = module.read_text()
    cut = text.index("class Slow:")
    if how == "plain":
        text = text[:cut] + text[cut:].replace("async def ask", "def ask", 1).replace(
            "await asyncio.sleep", "time.sleep"
        )
        text = text.replace("await asyncio.Event().wait()", "pass")
    else:
        text = text[:cut] + text[cut:].replace("def near", "async def near", 1)
    module.write_text(text)
    ended = room.start("up", "--port", "0").end()
    assert ended.code == 1
    assert "both are `async def`, or neither" in ended.err

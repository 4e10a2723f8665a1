"""``cim verify``: a sound machine is told so, and each way of falsifying one is found by its name."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cim.adapters.nats.link import connect
from cim.leaf.accounts import Credentials
from cim.testing.processes import Place, place

Forge = Callable[[dict[str, Any]], dict[str, Any]]


def forge_head(machine: Place, change: Forge) -> None:
    """Write the kept head anew, changed."""
    file = machine.state / "head.json"
    file.write_bytes(msgspec.json.encode(change(msgspec.json.decode(file.read_bytes()))))


def faults(machine: Place) -> list[str]:
    """What verify finds, after its exit code and its words for a person were looked at."""
    plain, done = machine.cim("verify"), machine.cim("verify", "--json")
    found = [str(fault) for fault in done.data[0]["faults"]]
    assert plain.code == done.code == (1 if found else 0)
    assert [line for line in plain.out.splitlines() if line.startswith("FAULT ")] == [
        f"FAULT {one}" for one in found
    ]
    return found


def test_a_sound_machine_is_told_so(machine: Place) -> None:
    done = machine.cim("verify", "--json")
    last = machine.cim("log", "--json").data[-1]["sequence"]
    assert done.code == 0
    # Five scans, and the picture that was made of the PDF's first page.
    assert done.data == [
        {
            "sound": True,
            "commits": last,
            "entities": 5,
            "blobs": 10,
            "compared": [f"the head kept at {last}"],
            "faults": [],
        }
    ]
    assert "sound: no fault found" in machine.cim("verify").out


def test_the_world_of_a_running_leaf_is_compared(machine: Place) -> None:
    machine.up()
    done = machine.cim("verify", "--json")
    last = machine.cim("log", "--json").data[-1]["sequence"]
    assert done.data[0]["compared"] == [f"the head kept at {last}", f"the running leaf's world at {last}"]
    assert done.data[0]["sound"]


def test_a_changed_digest_of_the_head_shows(machine: Place) -> None:
    forge_head(machine, lambda head: {**head, "digest": "0" * 64})
    last = machine.cim("log", "--json").data[-1]["sequence"]
    assert faults(machine) == [f"the history up to {last} is not the one that was kept: it was rewritten"]


def test_a_head_beyond_the_log_shows(machine: Place) -> None:
    last = machine.cim("log", "--json").data[-1]["sequence"]
    forge_head(machine, lambda head: {**head, "sequence": last + 3})
    assert faults(machine) == [f"the log ends at {last}, it stood at {last + 3}: its tail was cut"]


def test_a_head_that_cannot_be_read_is_told_with_its_file(machine: Place) -> None:
    (machine.state / "head.json").write_text("{")
    done = machine.cim("verify")
    assert done.code == 1
    assert f"{machine.state / 'head.json'}: " in done.err
    assert "Traceback" not in done.err


def test_an_older_store_that_was_put_back_shows(machine: Place, read_machine: Path) -> None:
    slip = read_machine.parent / "papers" / "receipt-bakery.png"
    assert machine.cim("demo", "--exit", "--port", "0", slip).code == 0
    last = machine.cim("log", "--json").data[-1]["sequence"]
    shutil.rmtree(machine.state / "jetstream")
    shutil.copytree(read_machine / ".cim" / "jetstream", machine.state / "jetstream")
    assert faults(machine) == [f"the log ends at {last - 6}, it stood at {last}: its tail was cut"]


def test_a_command_that_was_taken_where_no_leaf_ran_is_missed_too(machine: Place, read_machine: Path) -> None:
    scan = f"scan=@{read_machine.parent / 'slips' / 'slip-00.png'}"
    sent = machine.cim("send", "documents.Receive", "--json", "document=new", "title=New", scan)
    last = sent.data[0]["sequence"]
    assert machine.cim("verify", "--json").data[0]["compared"] == [f"the head kept at {last}"]
    shutil.rmtree(machine.state / "jetstream")
    shutil.copytree(read_machine / ".cim" / "jetstream", machine.state / "jetstream")
    assert faults(machine) == [f"the log ends at {last - 1}, it stood at {last}: its tail was cut"]


def test_another_history_of_the_same_length_shows(machine: Place, read_machine: Path, tmp_path: Path) -> None:
    papers = read_machine.parent / "papers"
    assert machine.cim("demo", "--exit", "--port", "0", papers / "receipt-bakery.png").code == 0
    last = machine.cim("log", "--json").data[-1]["sequence"]
    shutil.copytree(read_machine, tmp_path / "other")
    with place(tmp_path / "other", tmp_path / "said by the other") as other:
        assert other.cim("demo", "--exit", "--port", "0", papers / "receipt-hardware.png").code == 0
    shutil.rmtree(machine.state / "jetstream")
    shutil.copytree(tmp_path / "other" / ".cim" / "jetstream", machine.state / "jetstream")
    assert faults(machine) == [f"the history up to {last} is not the one that was kept: it was rewritten"]


@pytest.mark.parametrize("harm", ["deleted", "changed"])
async def test_content_that_is_missing_or_changed_shows(machine: Place, harm: str) -> None:
    machine.up()
    one = machine.cim("show", "documents.Document", "--json").data[0]
    digest = one["state"]["scan"]["sha256"]
    address = machine.address
    async with connect(address.url, Credentials(address.jwt, address.seed), "test") as client:
        store = await client.jetstream().object_store("blobs")
        if harm == "deleted":
            await store.delete(digest)
        else:
            await store.put(digest, b"something else")
    told = "is not in the machine's store" if harm == "deleted" else "was changed in the store"
    (fault,) = faults(machine)
    assert fault.startswith(f"content {digest} {told}")

"""``cim verify``: a sound machine is told so, and each way of falsifying one is found by its name."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cim.adapters.nats.link import connect
from cim.cli.verify import Replay, Verdict, take
from cim.contract.composition import compose
from cim.leaf.accounts import Credentials
from cim.leaf.heads import FILE, KEY, LIST, HeadKey, KeptHead, read_head
from cim.testing.log_conformance import commit
from cim.testing.processes import Place, place
from cim.world.world import World


def forge_head(machine: Place, *, by_key: bool, **change: Any) -> None:
    """Write the newest head anew, changed: signed with the leaf's key, or left with the old signature."""
    head, key = read_head(machine.state), HeadKey.load(machine.state)
    assert head is not None
    assert key is not None
    forged = replace(head, **change)
    (machine.state / FILE).write_bytes(msgspec.json.encode(key.sign(forged) if by_key else forged))


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
    world = done.data[0]["world"]
    assert f"the world that it leads to: {world}" in machine.cim("verify").out.splitlines()
    # Five scans, and the picture that was made of the PDF's first page.
    assert done.data == [
        {
            "sound": True,
            "commits": last,
            "entities": 5,
            "blobs": 10,
            "world": world,
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
    last = machine.cim("log", "--json").data[-1]["sequence"]
    forge_head(machine, by_key=False, digest="0" * 64)
    assert faults(machine) == [
        f"the head kept at {last} was not signed by this leaf's key: head.json was forged or damaged"
    ]
    time = "2024-05-06T07:08:09.000000Z"
    forge_head(machine, by_key=True, digest="0" * 64, time=time)
    (fault,) = faults(machine)
    assert fault.endswith(f"to {last} is not the one that stood here at {time}: it was rewritten")


def test_a_head_beyond_the_log_shows(machine: Place) -> None:
    last = machine.cim("log", "--json").data[-1]["sequence"]
    forge_head(machine, by_key=True, sequence=last + 3)
    assert faults(machine) == [f"the log ends at {last}, it stood at {last + 3}: its tail was cut"]


def test_the_first_interval_that_was_rewritten_is_named(machine: Place) -> None:
    key, last = HeadKey.load(machine.state), machine.cim("log", "--json").data[-1]["sequence"]
    kept = read_head(machine.state)
    assert key is not None
    assert kept is not None
    # Heads of another history, up to its second commit the same: at 2 what the log says, then not.
    true = digest_at(machine, 2)
    heads = [KeptHead(2, true), KeptHead(5, "5" * 64), KeptHead(9, "9" * 64)]
    lines = [key.sign(replace(head, listed=number, time="then")) for number, head in enumerate(heads, 1)]
    (machine.state / LIST).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    forge_head(machine, by_key=True, listed=3)
    assert last > 9
    assert faults(machine) == [
        "the history from 3 to 5 is not the one that stood here at then: it was rewritten"
    ]


def digest_at(machine: Place, sequence: int) -> str:
    """The running digest of the machine's log at a sequence, as its export tells it."""
    file = machine.folder / "log.jsonl"
    assert machine.cim("export", file).code == 0
    return str(msgspec.json.decode(file.read_bytes().splitlines()[sequence - 1])["history"])


@pytest.mark.parametrize("file", [FILE, LIST, KEY])
def test_a_missing_file_is_told(machine: Place, file: str) -> None:
    (machine.state / file).unlink()
    (fault,) = faults(machine)
    assert str(machine.state / file) in fault
    assert ("held 1" if file == LIST else "is missing") in fault


def test_a_sequence_that_was_taken_out_of_the_stream_is_named() -> None:
    replay = Replay(World(compose([])), Verdict())
    for number in (1, 2, 4):
        take(replay, commit(f"evt.notes.Note.{number}", f"id-{number}").at(number))
    (fault,) = replay.verdict.faults
    assert fault.startswith("the log holds nothing at 3, and evt.notes.Note.4 at 4: what stood between")


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
    (fault,) = faults(machine)
    assert fault.startswith(f"the history from {last - 5} to {last} is not the one that stood here at 2")
    assert fault.endswith("Z: it was rewritten")


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

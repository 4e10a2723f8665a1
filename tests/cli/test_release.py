"""``cim release``: another program's message stops one document, is listed, and is passed over by command."""

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from cim.adapters.nats.link import connect
from cim.cli.log import print_commit
from cim.contract.stranger import stranger
from cim.leaf.accounts import Credentials
from cim.testing.processes import Place


async def intrude(machine: Place, subject: str, body: bytes, headers: Mapping[str, str] | None = None) -> int:
    """Publish into a running machine as another program with its key would; returns the sequence."""
    address = machine.address
    async with connect(address.url, Credentials(address.jwt, address.seed), "an intruder") as client:
        answer = await client.jetstream().publish(subject, body, headers=dict(headers or {}))
    return answer.seq


def stopped(machine: Place) -> list[dict[str, str]]:
    return [one for one in machine.cim("waiting", "--json").data if one["why"] == "stopped"]


def command_in(frees: str) -> list[str]:
    """The command that ``cim waiting`` names, ready to run but for the reason."""
    words = shlex.split(frees.split("`")[-2])
    assert words[0] == "cim"
    return [*words[1:-1], "a wrong program wrote it"]


def correct(machine: Place, document: str, id: str) -> tuple[int, str]:
    done = machine.cim("send", "documents.Correct", "--id", id, f"document={document}", "company=Baker")
    return done.code, done.out + done.err


async def test_foreign_messages_stop_their_subjects_alone_and_are_freed_by_command(
    machine: Place, read_machine: Path
) -> None:
    first, second = (one["id"] for one in machine.cim("show", "documents.Document", "--json").data[:2])
    running = machine.up()
    subjects = [
        f"evt.documents.Document.{first}",
        f"cmp.documents.Document.{second}.documents",
        "evt.alone",
        "evt.documents.Document.never-seen",
    ]
    sequences = [await intrude(machine, subject, b"not JSON") for subject in subjects]
    found = stopped(machine)
    assert {one["entity"] for one in found} == {
        f"documents.Document {first}",
        f"documents.Document {second}",
        "evt.alone",
        "documents.Document never-seen",
    }
    for subject, sequence in zip(subjects, sequences, strict=True):
        (one,) = [one for one in found if f"`cim release {subject} --sequence {sequence} " in one["frees"]]
        assert f"{subject} at sequence {sequence}: no machine wrote this message: header ce-" in one["cause"]
    faults = machine.cim("verify", "--json").data[0]["faults"]
    assert sorted(faults) == sorted(one["cause"] for one in found)
    lines = machine.cim("log", "--json").data
    assert [line["subject"] for line in lines if "stranger" in line] == subjects
    assert running.process.poll() is None, running.err
    slip = f"scan=@{read_machine.parent / 'slips' / 'slip-00.png'}"
    assert machine.cim("send", "documents.Receive", "document=new", "title=New", slip).code == 0

    running.process.terminate()
    assert running.end().code in (0, 143)
    running = machine.up()
    assert len(stopped(machine)) == 4
    for one in found:
        done = machine.cim(*command_in(one["frees"]))
        assert (done.code, done.out.splitlines()[-1]) == (0, "it goes on"), done.err
    assert stopped(machine) == []
    verdict = machine.cim("verify", "--json")
    assert verdict.data[0]["faults"] == []
    assert any("the running leaf's world" in one for one in verdict.data[0]["compared"])
    assert running.process.poll() is None, running.err
    assert "Traceback" not in running.err
    releases = [line for line in machine.cim("log", "--json").data if line["subject"] in subjects][-4:]
    assert {line["data"][0]["data"]["reason"] for line in releases} == {"a wrong program wrote it"}
    assert all(line["owner"].startswith("person:") for line in releases)


async def test_a_command_to_a_stopped_document_is_refused_and_taken_after_the_release(machine: Place) -> None:
    document = machine.cim("show", "documents.Document", "--json").data[0]["id"]
    machine.up()
    await intrude(machine, f"evt.documents.Document.{document}", b"[]")
    code, said = correct(machine, document, "try-1")
    assert code == 1
    assert "no machine wrote this message" in said
    (one,) = stopped(machine)
    assert machine.cim(*command_in(one["frees"])).code == 0
    assert correct(machine, document, "try-1")[0] == 0


async def test_where_no_leaf_runs_a_release_is_written_too(machine: Place) -> None:
    running = machine.up()
    sequence = await intrude(machine, "evt.alone", b"")
    running.process.terminate()
    running.end()
    done = machine.cim("release", "evt.alone", "--sequence", str(sequence), "--reason", "why", "--json")
    assert done.data == [{"subject": "evt.alone", "sequence": sequence + 1, "stopped": None}]
    verdict = machine.cim("verify", "--json").data[0]
    assert (verdict["faults"], verdict["compared"]) == ([], [f"the head kept at {sequence + 1}"])


def test_the_log_prints_a_stranger_as_one_and_sends_no_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_commit(stranger("evt.\x1b[2Jalone", b"\x1b[2J", 7, "it is junk"), as_json=False)
    print_commit(stranger("evt.alone", b"", 8, "it is junk"), as_json=True)
    plain, data = capsys.readouterr().out.splitlines()
    assert plain == "      7  no machine wrote this  evt. [2Jalone  it is junk"
    assert '"stranger":"it is junk"' in data


@pytest.mark.parametrize(
    ("subject", "sequence", "reason", "said"),
    [
        ("evt.documents.Document.nobody", "1", "why", "evt.documents.Document.nobody is not stopped at"),
        ("evt.alone", "1", "why", "evt.alone is not stopped at sequence 1 (nothing there is stopped)"),
        ("evt.alone", "1", " ", "--reason is empty"),
    ],
)
def test_only_what_stops_something_is_released(
    machine: Place, subject: str, sequence: str, reason: str, said: str
) -> None:
    before = len(machine.cim("log", "--json").data)
    done = machine.cim("release", subject, "--sequence", sequence, "--reason", reason)
    assert done.code == 1
    assert said in " ".join(done.err.split())
    assert len(machine.cim("log", "--json").data) == before

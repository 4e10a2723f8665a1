"""``cim log`` and ``cim trace``: the history as it stands, as it grows, and from one command on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from cim.testing.processes import Place

LINE = ["sequence", "subject", "number", "id", "correlation", "causation", "owner", "time", "data"]


def test_the_log_is_a_message_a_line_in_the_shape_that_is_kept_stable(machine: Place) -> None:
    done = machine.cim("log", "--json")
    assert (done.code, done.err) == (0, "")
    lines = done.data
    assert [one["sequence"] for one in lines] == list(range(1, len(lines) + 1))
    assert all(list(one) == LINE for one in lines)
    received = [one for one in lines if one["subject"].startswith("evt.documents.Document.")]
    assert len(received) == 5
    for one in received:
        assert (one["number"], one["correlation"], one["causation"]) == (1, one["id"], one["id"])
        assert one["owner"].startswith("person:")
        (event,) = one["data"]
        assert (event["type"], event["version"]) == ("Received", 1)
        assert set(event["data"]) == {"document", "title", "scan"}
    roots = {one["id"] for one in received}
    derived = [one for one in lines if one["subject"].startswith("cmp.documents.Document.")]
    assert len(received) + len(derived) == len(lines)
    assert {one["correlation"] for one in derived} == roots


def test_for_a_person_each_message_is_one_line(machine: Place) -> None:
    lines = machine.cim("log").out.splitlines()
    assert len(lines) == len(machine.cim("log", "--json").data)
    assert any("#1  Received" in line and "slip-00.png" in line for line in lines)


def test_a_reader_that_goes_away_is_no_error(machine: Place) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", "cim", "log", "--machine", str(machine.folder)]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, timeout=30)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")
    assert machine.servers == []


def test_follow_tells_what_comes_and_ends_when_interrupted(machine: Place, read_machine: Path) -> None:
    machine.up()
    history = machine.cim("log", "--json").data
    follower = machine.start("log", "--follow", "--json")
    follower.prints(f'"sequence":{len(history)},')
    scan = f"scan=@{read_machine.parent / 'slips' / 'slip-00.png'}"
    receipt = machine.cim("send", "documents.Receive", "--json", "document=new", "title=New", scan).data[0]
    follower.prints(f'"sequence":{receipt["sequence"]},')
    done = follower.send(signal.SIGINT)
    assert (done.code, done.err) == (130, "")
    assert done.data[: len(history)] == history


def test_a_trace_is_all_that_one_command_led_to(machine: Place) -> None:
    lines = machine.cim("log", "--json").data
    root = next(
        one for one in lines if one["data"] and one["data"][0]["data"].get("title") == "report-water.pdf"
    )
    traced = machine.cim("trace", root["id"], "--json")
    assert traced.data == [one for one in lines if one["correlation"] == root["id"]]
    tree = machine.cim("trace", root["id"]).out
    for word in ("Receive", "Received", "Preview", "Text", "Kind", "Sentiment", "Facts", " ms"):
        assert word in tree
    text, facts = (next(line for line in tree.splitlines() if word in line) for word in ("Text", "Facts"))
    assert facts.index("Facts") > text.index("Text"), "what came of the text stands below it"


def test_a_correlation_that_is_not_there_is_told(machine: Place) -> None:
    done = machine.cim("trace", "nope")
    assert (done.code, done.out) == (1, "")
    assert done.err == "cim trace: nothing in the log has the correlation nope; `cim log` shows them\n"

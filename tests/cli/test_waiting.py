"""``cim waiting``: whatever does not go on is listed with its cause and with what frees it."""

from pathlib import Path

from cim.testing.processes import Place


def test_a_failure_is_listed_with_its_cause(machine: Place) -> None:
    done = machine.cim("waiting", "--json")
    assert (done.code, done.err) == (0, "")
    (failed,) = done.data
    assert list(failed) == ["entity", "system", "why", "cause", "frees"]
    assert failed["entity"].startswith("documents.Document ")
    assert (failed["system"], failed["why"]) == ("documents.read", "failed")
    assert failed["cause"].startswith("text/plain is neither a picture nor a PDF")
    table = machine.cim("waiting").out
    assert failed["cause"] in table


def test_work_that_nobody_does_is_listed_with_what_frees_it(machine: Place, read_machine: Path) -> None:
    scan = f"scan=@{read_machine.parent / 'slips' / 'slip-00.png'}"
    machine.cim("send", "documents.Receive", "document=new", "title=New", scan)
    due = [one for one in machine.cim("waiting", "--json").data if one["why"] == "due"]
    assert {one["system"] for one in due} == {"documents.preview", "documents.read"}
    assert {(one["entity"], one["frees"]) for one in due} == {("documents.Document new", "`cim up`")}

    freed = machine.cim("demo", "--exit", "--port", "0", read_machine.parent / "slips" / "slip-00.png")
    assert freed.code == 0, freed.err
    assert [one["why"] for one in machine.cim("waiting", "--json").data] == ["failed"]


def test_where_nothing_waits_that_is_said(new_machine: Place, read_machine: Path) -> None:
    slip = read_machine.parent / "slips" / "slip-00.png"
    new_machine.cim("demo", "--exit", "--port", "0", slip)
    assert new_machine.cim("waiting").out == "nothing waits\n"

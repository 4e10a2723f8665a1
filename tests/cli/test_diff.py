"""``cim diff``: what changed on an entity between two points of its history."""

import hashlib
from pathlib import Path

import pytest

from cim.testing.processes import Place


@pytest.fixture(scope="module")
def slip(read_machine: Path) -> str:
    """The id of a slip that was read: from its content."""
    content = (read_machine.parent / "slips" / "slip-01.png").read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]


def test_what_came_since_is_added(machine: Place, slip: str) -> None:
    entity = ("documents.Document", slip)
    now = machine.cim("show", *entity, "--json").data[0]
    read = now["components"]["Text"]["sequence"]
    then = machine.cim("show", *entity, "--json", "--at", str(read)).data[0]
    found = machine.cim("diff", *entity, "--from", str(read), "--json").data[0]
    assert list(found) == ["id", "from", "to", "state", "added", "changed", "removed"]
    assert (found["id"], found["from"], found["to"]) == (slip, read, now["sequence"])
    assert set(found["added"]) == set(now["components"]) - set(then["components"])
    assert found["added"]["Facts"] == now["components"]["Facts"]["value"]
    assert (found["state"], found["changed"], found["removed"]) == ({}, {}, {})
    # The other way round it is removed.
    back = machine.cim("diff", *entity, "--from", str(now["sequence"]), "--to", str(read), "--json").data[0]
    assert (back["added"], back["removed"]) == ({}, found["added"])
    rows = machine.cim("diff", *entity, "--from", str(read)).out
    assert any(line.split()[:2] == ["Facts", "added"] and "3.01" in line for line in rows.splitlines())


def test_a_correction_changes_fields(machine: Place, slip: str) -> None:
    before = machine.cim("show", "documents.Document", slip, "--json").data[0]["sequence"]
    corrected = machine.cim("send", "documents.Correct", f"document={slip}", "kind=letter")
    assert corrected.code == 0, corrected.err + corrected.out
    entity = ("documents.Document", slip, "--from", str(before))
    found = machine.cim("diff", *entity, "--json").data[0]
    assert found["changed"]["Kind"]["kind"]["to"] == "letter"
    assert found["changed"]["Kind"]["kind"]["from"] == "receipt"
    assert (found["added"], found["removed"]) == ({}, {})
    rows = machine.cim("diff", *entity).out.splitlines()
    assert any(line.split() == ["Kind.kind", "changed", "receipt", "letter"] for line in rows)


def test_by_time_it_is_the_same_as_by_sequence(machine: Place, slip: str) -> None:
    entity = ("documents.Document", slip)
    now = machine.cim("show", *entity, "--json").data[0]
    read = now["components"]["Text"]
    by_sequence = machine.cim("show", *entity, "--json", "--at", str(read["sequence"])).out
    assert machine.cim("show", *entity, "--json", "--at", read["time"]).out == by_sequence
    before = machine.cim("show", *entity, "--at", "2020-01-01")
    assert before.code == 1
    assert f"there is no documents.Document {slip} at 2020-01-01" in before.err
    born = machine.cim("diff", *entity, "--from", "2020-01-01", "--json").data[0]
    assert (born["from"], born["state"]["title"]) == (0, {"from": None, "to": "slip-01.png"})
    assert set(born["added"]) == set(now["components"])


def test_where_nothing_changed_or_nothing_was_that_is_said(machine: Place, slip: str) -> None:
    same = machine.cim("diff", "documents.Document", slip, "--from", "2100-01-01")
    assert (same.code, same.out) == (
        0,
        f"nothing changed on documents.Document {slip} between 2100-01-01 and now\n",
    )
    nobody = machine.cim("diff", "documents.Document", "nope", "--from", "0", "--to", "9")
    assert nobody.code == 1
    assert "there is no documents.Document nope at sequence 0, nor at sequence 9" in nobody.err
    assert "--from 'soon' is neither" in machine.cim("diff", "documents.Document", slip, "--from", "soon").err

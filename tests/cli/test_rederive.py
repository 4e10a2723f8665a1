"""``cim rederive`` on a real leaf, whose system's code changes between two starts."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cim import ERASED
from cim.testing import people
from cim.testing.processes import Done, Place, place, wait_until

from .notes import NOTES

TOML = 'name = "notes"\nmodules = ["notes"]\nworkers = 2\nport = 0\n'

SYSTEM = """
import time
from pathlib import Path
from cim import Changed, Component

HERE = Path(__file__).parent


@notes.component(of=Note)
class Shout(Component):
    text: str
    letters: int


@notes.component(of=Note)
class Echo(Component):
    text: str


@notes.system
def shout(note: Changed[Note]) -> Shout:
    while note.text == "held" and (HERE / "hold").exists():
        (HERE / "at it").touch()
        time.sleep(0.01)
    if note.text == FAILS:
        raise ValueError(f"{note.text} cannot be shouted")
    return Shout(note.text.MADE(), len(note.text))


@notes.system
def echo(shout: Changed[Shout]) -> Echo:
    return Echo(f"{shout.text} {shout.text}")
"""


class Notes:
    """The machine of a test."""

    def __init__(self, machine: Place) -> None:
        self.machine, self.folder = machine, machine.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "machine.toml").write_text(TOML)
        self.code("upper")

    def code(self, made: str, fails: str = "") -> None:
        """Have the system written in such a way."""
        text = NOTES + SYSTEM.replace("MADE", made).replace("FAILS", repr(fails))
        (self.folder / "notes.py").write_text(text)

    def written(self, *texts: str) -> None:
        """Write notes n1, n2, … and have them shouted, by a leaf that ends then."""
        up = self.machine.up()
        for number, text in enumerate(texts, 1):
            done = self.machine.cim("send", "notes.Write", f"note=n{number}", f"text={text}")
            assert done.code == 0, done.err
        wait_until(lambda: len(self.values("Echo")) == len(texts), "all are shouted")
        up.send(signal.SIGTERM)

    def values(self, component: str) -> dict[str, str]:
        found = self.machine.cim("show", "notes.Note", "--json").data
        return {
            one["id"]: one["components"][component]["value"]["text"]
            for one in found
            if component in one["components"]
        }

    def log(self) -> list[dict[str, Any]]:
        return self.machine.cim("log", "--json").data

    def rederive(self, *words: str) -> Done:
        return self.machine.cim("rederive", "notes.shout", *words)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Notes]:
    with place(tmp_path / "notes", tmp_path / "said") as machine:
        yield Notes(machine)


def runs(lab: Notes) -> list[str]:
    """The entities of all runs of the system."""
    writes = [line for line in lab.log() if line["subject"].startswith("cmp.")]
    return sorted(
        line["subject"].split(".")[3]
        for line in writes
        if "Echo" not in [item["type"] for item in line["data"]]
    )


def test_differences_are_shown_first_and_replaced_if_that_is_said(lab: Notes) -> None:
    lab.written("Abc", "DEF", "x")
    assert "nothing to do: all of it was made by the code of now" in lab.rederive().err
    lab.code("title", fails="x")
    before = lab.log()
    shown = lab.rederive()
    assert shown.out.splitlines() == [
        'notes.Note n1: Shout.text: "ABC" -> "Abc"',
        'notes.Note n2: Shout.text: "DEF" -> "Def"',
        "notes.Note n3: failed: ValueError: x cannot be shouted",
    ]
    assert shown.code == 1
    assert "2 differ, 1 failed" in shown.err
    assert "nothing was replaced: --replace writes it" in shown.err
    assert lab.log() == before
    lab.code("title")
    (one,) = lab.rederive("--replace", "--entity", "n1", "--json", str(lab.folder / "machine.toml")).data
    assert one["changed"] == {"Shout": {"text": {"from": "ABC", "to": "Abc"}}}
    assert (one["entity"], one["outcome"], one["added"], one["removed"]) == (
        "notes.Note n1",
        "differs",
        {},
        {},
    )
    assert one["sequence"] == len(before) + 1
    assert lab.rederive("--replace", "--entity", "n1").out == ""
    rest = lab.rederive("--replace", "--limit", "1")
    assert rest.out.splitlines() == ['notes.Note n2: Shout.text: "DEF" -> "Def"']
    assert "1 more were made by other code: --limit leaves them out" in rest.err
    lab.rederive("--replace")
    assert lab.values("Shout") == {"n1": "Abc", "n2": "Def", "n3": "X"}
    (shown_one,) = lab.machine.cim("show", "notes.Note", "n1", "--json").data
    assert shown_one["components"]["Shout"]["version"] == one["to"]
    lab.machine.up()
    wait_until(lambda: lab.values("Echo")["n2"] == "Def Def", "what follows from it follows")
    assert runs(lab) == ["n1", "n1", "n2", "n2", "n3", "n3"], "a start makes nothing again"
    assert lab.machine.cim("verify", "--json").data[0]["faults"] == []


def test_beside_a_running_leaf_and_what_a_process_with_other_code_would_do_is_told(lab: Notes) -> None:
    lab.written("Abc", "DEF")
    old = lab.machine.up()
    lab.code("lower")
    told = lab.rederive()
    assert f"process {old.process.pid} runs notes.shout by other code" in told.err
    old.send(signal.SIGTERM)
    lab.machine.up()
    done = lab.rederive("--replace")
    assert done.code == 0, done.err
    assert "by other code" not in done.err
    wait_until(lambda: lab.values("Echo") == {"n1": "abc abc", "n2": "def def"}, "the leaf goes on from it")
    assert runs(lab) == ["n1", "n1", "n2", "n2"]


def test_one_that_is_killed_in_the_middle_is_gone_on_with_by_the_next(lab: Notes) -> None:
    lab.written("Abc", "held", "Def")
    lab.code("lower")
    (lab.folder / "hold").touch()
    lab.machine.up()
    cut = lab.machine.start("rederive", "notes.shout", "--replace")
    cut.prints("notes.Note n1: Shout.text")
    wait_until((lab.folder / "at it").exists, "it is at the second")
    wait_until(lambda: runs(lab) == ["n1", "n1", "n2", "n3"], "the first is replaced")
    cut.kill()
    (lab.folder / "hold").unlink()
    rest = lab.rederive("--replace")
    assert rest.code == 0, rest.err
    assert "notes.Note n3" in rest.out
    assert lab.values("Shout") == {"n1": "abc", "n2": "held", "n3": "def"}
    assert runs(lab) == ["n1", "n1", "n2", "n2", "n3", "n3"], "each once"


def test_two_at_once_beside_a_leaf_write_each_once(lab: Notes) -> None:
    names = [f"Word{number}" for number in range(8)]
    lab.written(*names)
    lab.code("lower")
    lab.machine.up()
    both = [lab.machine.start("rederive", "notes.shout", "--replace") for _ in range(2)]
    assert [one.end().code for one in both] == [0, 0]
    assert set(lab.values("Shout").values()) == {name.lower() for name in names}
    assert runs(lab) == sorted(2 * [f"n{number}" for number in range(1, 9)])
    assert lab.machine.cim("verify", "--json").data[0]["faults"] == []


def test_what_cannot_be_is_refused_by_name(lab: Notes) -> None:
    lab.written("Abc")
    lab.code("lower")
    for words, said in (
        (("notes.shut",), "there is no system 'notes.shut'; there are: notes.echo, notes.shout ("),
        (("notes.shout", "--entity", "n9"), "there is no notes.Note n9: `cim show notes.Note` lists them"),
        (("notes.shout", "--limit", "0"), "--limit 0 leaves nothing to do"),
    ):
        done = lab.machine.cim("rederive", *words)
        assert (done.code, said in done.err) == (1, True), done.err


def test_what_is_of_a_person_who_was_erased_is_told_and_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    text = Path(people.__file__).read_text()
    (folder / "shop.py").write_text(text)
    (folder / "machine.toml").write_text('name = "shop"\nmodules = ["shop"]\nworkers = 1\nport = 0\n')
    with place(folder, tmp_path / "said") as shop:
        up = shop.up()
        for id in ("ada", "bob"):
            assert shop.cim("send", "shop.Register", f"customer={id}", f"name={id.upper()}").code == 0
        wait_until(lambda: shop.cim("show", "shop.Customer", "--json").out.count("Greeting") == 2, "greeted")
        up.send(signal.SIGTERM)
        assert shop.cim("erase", "shop.Customer", "ada", "--reason", "asked").code == 0
        (folder / "shop.py").write_text(text.replace("Dear {customer.name}", "Hello {customer.name}"))
        shown = shop.cim("rederive", "shop.greet")
        assert shown.out.splitlines() == [
            "shop.Customer ada: erased: what it is made from was erased: it is of shop.Customer.ada",
            'shop.Customer bob: Greeting.words: "Dear BOB" -> "Hello BOB"',
        ]
        assert "ADA" not in shown.out + shown.err
        assert shop.cim("rederive", "shop.greet", "--replace").code == 0
        (ada, bob) = shop.cim("show", "shop.Customer", "--json").data
        assert ada["components"]["Greeting"]["value"] == {"words": ERASED}
        assert bob["components"]["Greeting"]["value"] == {"words": "Hello BOB"}

"""A machine of durability ``ha`` by the one command, and one that is set to it later."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cim.testing.processes import Place, place

from .notes import NOTES


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Place]:
    """A machine of one entity."""
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "notes.py").write_text(NOTES)
    with place(tmp_path / "machine", tmp_path / "said") as made:
        yield made


def declare(machine: Place, durability: str) -> None:
    text = f'name = "notes"\nmodules = ["notes"]\nworkers = 1\nport = 0\ndurability = "{durability}"\n'
    (machine.folder / "machine.toml").write_text(text)


def write(machine: Place, text: str) -> None:
    done = machine.cim("send", "notes.Write", "note=n1", f"text={text}", "--json", "--patience", "50")
    assert done.code == 0, done.err


def test_up_starts_three_nodes_and_a_killed_one_loses_nothing(notes: Place) -> None:
    declare(notes, "ha")
    leaf = notes.up()
    write(notes, "one")
    assert len(notes.servers) == len(notes.address.url.split(",")) == 3
    for number in (1, 2):
        os.kill(int((notes.state / f"node-{number}" / "nats.pid").read_text()), signal.SIGKILL)
        write(notes, f"after node {number} was killed")
    assert leaf.send(signal.SIGTERM).code == 128 + signal.SIGTERM
    assert notes.servers == []
    assert [one["number"] for one in notes.cim("log", "--json").data] == [1, 2, 3]
    assert notes.cim("verify").code == 0


def test_a_machine_with_a_history_is_set_to_ha_and_back_as_it_is_told(notes: Place) -> None:
    declare(notes, "durable")
    write(notes, "one")
    before = notes.cim("log", "--json").out
    for durability, folders in (("ha", [""]), ("dev", ["node-1", "node-2", "node-3"])):
        archive = notes.folder / f"before-{durability}.zip"
        told = {"ha": "dev", "dev": "ha"}[durability]
        old = (notes.folder / "machine.toml").read_text()
        declare(notes, durability)
        refused = notes.cim("log")
        assert refused.code == 1
        assert f"durability is '{durability}', and {notes.state / folders[0] / 'jetstream'}" in refused.err
        assert f"Put durability back to '{told}', `cim export FILE.zip`" in refused.err

        (notes.folder / "machine.toml").write_text(old)
        assert notes.cim("export", archive).code == 0
        declare(notes, durability)
        for folder in folders:
            jetstream = notes.state / folder / "jetstream"
            jetstream.rename(jetstream.with_name("jetstream, as it was"))
        done = notes.cim("import", archive)
        assert done.code == 0, done.err
        assert notes.cim("log", "--json").out == before
        verified = notes.cim("verify", "--json").data[0]
        assert (verified["sound"], len(verified["compared"])) == (True, 1), verified

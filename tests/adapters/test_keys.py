"""Persons' keys in a file: they outlast the process, and what was destroyed is in no byte of the folder."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cim.adapters.memory.keys import MemoryKeys
from cim.adapters.sqlite.keys import KeysUnreadable, SqliteKeys
from cim.ports.keys import PersonErased
from cim.testing.keys_conformance import KeysConformance


class TestMemoryKeys(KeysConformance):
    @pytest.fixture
    def keys(self) -> MemoryKeys:
        return MemoryKeys()


class TestSqliteKeys(KeysConformance):
    @pytest.fixture
    def keys(self, tmp_path: Path) -> SqliteKeys:
        return SqliteKeys(tmp_path / "persons" / "keys.sqlite")


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_destroyed_key_is_in_no_byte_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "persons"
    keys = SqliteKeys(folder / "keys.sqlite")
    made = {f"person-{number}": keys.make(f"person-{number}") for number in range(200)}
    assert all(key in bytes_in(folder) for key in made.values())
    for person in list(made)[::2]:
        keys.destroy(person)
    left = bytes_in(folder)
    assert [key in left for key in made.values()] == [False, True] * 100


def test_keys_and_tombstones_outlast_their_process(tmp_path: Path) -> None:
    path = tmp_path / "persons" / "keys.sqlite"
    first = SqliteKeys(path)
    key = first.make("a")
    first.make("b")
    first.destroy("b")
    first.close()
    again = SqliteKeys(path)
    assert again.find("a") == key
    with pytest.raises(PersonErased):
        again.make("b")


def test_a_file_that_only_its_owner_reads_is_made_with_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "persons" / "keys.sqlite"
    keys = SqliteKeys(path)
    assert keys.find("a") is None
    assert not path.exists()
    keys.make("a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_processes_make_one_key(tmp_path: Path) -> None:
    path = tmp_path / "persons" / "keys.sqlite"
    program = (
        "import sys; from pathlib import Path; from cim.adapters.sqlite.keys import SqliteKeys\n"
        "keys = SqliteKeys(Path(sys.argv[1]))\n"
        "sys.stdin.read()\n"
        "print(*(keys.make(f'p{number}').hex() for number in range(20)))"
    )
    command = [sys.executable, "-c", program, str(path)]
    made = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in made:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    said = {process.communicate(timeout=60)[0] for process in made}
    assert len(said) == 1
    assert len(said.pop().split()) == 20


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys.sqlite"
    path.write_bytes(os.urandom(4096))
    with pytest.raises(KeysUnreadable, match=r"keys\.sqlite"):
        SqliteKeys(path).make("a")

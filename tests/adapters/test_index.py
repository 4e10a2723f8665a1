"""Indexes in memory and in a file: all that every one holds, and what a file suffers."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cim.adapters.memory.index import MemoryIndex
from cim.adapters.sqlite.index import SqliteIndex
from cim.contract.subjects import Ref
from cim.domain.errors import CimError
from cim.ports.index import IndexRuined
from cim.testing.index_conformance import NOTE, IndexConformance, at, ids, row, write


class TestMemoryIndex(IndexConformance):
    @pytest.fixture
    def index(self) -> MemoryIndex:
        return MemoryIndex()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "world.sqlite"


@pytest.fixture
def index(file: Path) -> Iterator[SqliteIndex]:
    with closing(SqliteIndex(file)) as found:
        yield found


class TestSqliteIndex(IndexConformance):
    pass


async def test_it_is_there_after_a_restart(file: Path) -> None:
    with closing(SqliteIndex(file)) as index:
        await write(index, row("a", 1), sequence=1)
    with closing(SqliteIndex(file)) as again:
        assert again.standing() == at(1)
        await write(again, row("b", 2, of=("shop", "Jar")), sequence=2)
        assert [
            one.ref.id for one in (*again.page(NOTE, None, 9), *again.page(("shop", "Jar"), None, 9))
        ] == ["a", "b"]


async def test_what_is_under_way_is_written_before_it_is_closed(file: Path) -> None:
    with closing(SqliteIndex(file)) as index:
        under_way = index.write([row("a", 1)], {}, at(1))
    with closing(SqliteIndex(file)) as again:
        assert again.standing() == at(1)
    await under_way


async def test_who_asks_after_the_end_is_told_so_and_nothing_is_thrown_away(file: Path) -> None:
    with closing(SqliteIndex(file)) as index:
        await write(index, row("a", 1), sequence=1)
    for ask in (index.standing, index.count, lambda: index.find(Ref("other", "Kind", "a"))):
        with pytest.raises(CimError, match="was closed: its leaf has ended here") as told:
            ask()
        assert not isinstance(told.value, IndexRuined)
    with pytest.raises(CimError, match="was closed"):
        index.write([row("b", 2)], {}, at(2))
    with closing(SqliteIndex(file)) as again:
        assert again.standing() == at(1)


async def test_a_write_is_there_as_a_whole_or_not_at_all(file: Path, index: SqliteIndex) -> None:
    await write(index, row("a", 1), sequence=1)
    twice = [row("b", 2), row("b", 3, of=NOTE)]  # one name, two entities
    with pytest.raises(CimError, match="is not written"):
        await index.write(twice, {}, at(3))
    assert (index.standing(), ids(index.page(NOTE, None, 9))) == (at(1), ["a"])
    with pytest.raises(CimError, match="is not written"):
        await index.write([row("j", 4, of=("shop", "Jar")), *twice], {}, at(4))
    await write(index, row("k", 5, of=("shop", "Box")), sequence=5)
    assert (index.kinds(), ids(index.page(("shop", "Box"), None, 9))) == ([NOTE, ("shop", "Box")], ["k"])


async def test_what_is_there_is_read_before_the_write_has_ended(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, found = index._learn, list[list[Ref]]()

    def first_read(kind: tuple[str, str], number: int) -> None:
        found.append(index.bodiless(9))
        learn(kind, number)

    monkeypatch.setattr(index, "_learn", first_read)
    await write(index, row("a", 1, body=None))
    assert found == [[Ref(*NOTE, "a")]]


def change_a_row(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE entity SET body = CAST('{\"other\":1}' AS BLOB) WHERE id = CAST('a' AS BLOB)")


def change_a_place(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE entity SET sequence = 7")


def take_a_body(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE entity SET body = NULL")


def take_the_kinds(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE entity SET kind = 7")
        other.execute("UPDATE command SET kind = 7")


async def test_a_row_of_a_kind_that_nobody_knows_is_ruin(file: Path, index: SqliteIndex) -> None:
    await index.write([row("a", 1, body=None)], {"c1": (Ref(*NOTE, "a"), None)}, at(1))
    take_the_kinds(file)
    with pytest.raises(IndexRuined, match="the kind of b'a' is not known"):
        index.command("c1")
    with pytest.raises(IndexRuined):
        index.bodiless(9)


@pytest.mark.parametrize("harm", [change_a_row, change_a_place, take_a_body])
async def test_a_row_that_is_not_the_one_that_was_written_is_never_given(
    file: Path, index: SqliteIndex, harm: Callable[[Path], None]
) -> None:
    await write(index, row("a", 1, 3))
    harm(file)
    for _ in range(2):  # nobody believes it again, whatever is asked
        with pytest.raises(IndexRuined, match=r"world\.sqlite.*thrown away"):
            index.find(Ref(*NOTE, "a"))
        with pytest.raises(IndexRuined):
            index.command("c1")
        with pytest.raises(IndexRuined):
            index.write([], {}, at(9))
    with closing(SqliteIndex(file)) as again:
        assert again.standing() is None


def ruin(file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)


def ruin_all_but_its_head(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))


async def test_a_file_that_is_no_database_is_made_anew(file: Path) -> None:
    ruin(file)
    with closing(SqliteIndex(file)) as index:
        assert index.standing() is None
        await write(index, row("a", 1))
        assert ids(index.page(NOTE, None, 9)) == ["a"]


async def test_a_file_that_breaks_while_it_is_used_is_told(file: Path) -> None:
    with closing(SqliteIndex(file)) as index:
        await write(index, *(row(f"n{number:04}", number, body=bytes(2000)) for number in range(1, 200)))
    with closing(SqliteIndex(file)) as index:
        ruin_all_but_its_head(file)
        with pytest.raises(IndexRuined):
            index.page(NOTE, None, 500)


def test_a_file_that_cannot_be_had_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(CimError, match="nowhere"):
        SqliteIndex(tmp_path / "nowhere" / "world.sqlite")

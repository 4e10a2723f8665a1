"""What every index must hold: a class of tests to subclass, with a fixture ``index``."""

from collections.abc import Sequence
from dataclasses import replace

from cim.contract.subjects import Ref
from cim.ports.index import UNKEPT, Index, Row, Standing

NOTE, JAR = ("notes", "Note"), ("shop", "Jar")
STRANGE = Ref("", "", "evt.\udcff.x")
"""A stranger's subject, which is no UTF-8."""


def row(
    id: str, first: int, sequence: int = 0, body: bytes | None = b"{}", of: tuple[str, str] = NOTE
) -> Row:
    """The row of an entity whose last commit is its first unless it is said."""
    return Row(Ref(*of, id), first, sequence or first, body)


def at(sequence: int) -> Standing:
    """How an index stands behind the commit of that sequence."""
    return Standing(
        sequence, "evt.notes.Note.a", f"digest {sequence}", "v1", "root", f"all {sequence}", 3, "m"
    )


async def write(index: Index, *rows: Row, sequence: int = 9) -> None:
    """Write rows, and wait until they are there."""
    await index.write(rows, {}, at(sequence))


def ids(rows: Sequence[Row]) -> list[str]:
    """The ids of rows, in their order."""
    return [one.ref.id for one in rows]


class IndexConformance:
    """The promises of :class:`cim.ports.index.Index`. A subclass gives a fixture ``index``, empty."""

    def test_an_empty_one_holds_nothing(self, index: Index) -> None:
        assert index.standing() is None
        assert index.find(Ref(*NOTE, "a")) is None
        assert (index.kinds(), index.count(), index.count(NOTE)) == ([], 0, 0)
        assert (index.page(NOTE, None, 9), index.due(0, 9), index.changed_since(NOTE, 0, 9)) == (
            [],
            [],
            [],
        )
        assert (index.troubled(), index.bodiless(9), index.referring(Ref(*NOTE, "a"))) == ([], [], [])
        assert (index.command("c1"), index.parts()) == (None, [])

    async def test_what_was_written_comes_back(self, index: Index) -> None:
        rows = [row("a", 1, 4, b'{"x":1}'), row("b", 2, body=None), Row(STRANGE, 3, 3, b"\xff", True)]
        await index.write(rows, {}, at(4))
        assert index.standing() == at(4)
        assert [index.find(one.ref) for one in rows] == rows
        assert (index.count(), index.count(NOTE), index.count(("", ""))) == (3, 2, 1)
        assert index.kinds() == [("", ""), NOTE]
        assert index.find(Ref(*JAR, "a")) is None

    async def test_a_later_row_takes_the_place_of_an_older(self, index: Index) -> None:
        await write(index, row("a", 1), row("b", 2, body=None), Row(Ref(*NOTE, "c"), 3, 3, b"", True))
        newer = [row("a", 1, 5, b"new"), row("b", 2, 6), row("c", 3, 7)]
        await write(index, *newer, sequence=7)
        assert index.page(NOTE, None, 9) == newer
        assert (index.count(), index.troubled(), index.bodiless(9), index.standing()) == (3, [], [], at(7))

    async def test_a_kind_is_read_in_pages_in_the_order_of_ids(self, index: Index) -> None:
        await write(index, *(row(id, place) for place, id in enumerate("dacb", 1)), row("a", 9, of=JAR))
        assert ids(index.page(NOTE, None, 3)) == ["a", "b", "c"]
        assert ids(index.page(NOTE, "c", 3)) == ["d"]
        assert ids(index.page(NOTE, "bb", 1)) == ["c"]
        assert ids(index.page(NOTE, "", 1)) == ["a"]
        assert ids(index.page(JAR, None, 9)) == ["a"]

    async def test_a_page_holds_those_that_carry_what_is_asked_for(self, index: Index) -> None:
        shapes = {"a": "T", "b": "TU", "c": "", "d": "U", "e": "TV", "f": "T", "g": "TUV"}
        rows = [
            replace(row(id, place), carries=list(keys)) for place, (id, keys) in enumerate(shapes.items(), 1)
        ]
        await write(index, *rows, replace(row("b", 20, of=JAR), carries=["T"]))
        asked = [(["T"], []), (["T"], ["U"]), ([], ["T"]), (["U", "T"], []), (["W"], []), ([], ["W"])]
        found = ["".join(ids(index.page(NOTE, None, 9, *one))) for one in asked]
        assert found == ["abefg", "aef", "cd", "bg", "", "abcdefg"]
        assert ids(index.page(NOTE, "b", 2, ["T"])) == ["e", "f"]
        assert index.page(NOTE, "b", 1, ["T"]) == [rows[4]]
        await write(index, replace(row("e", 5, 30), carries=["U"]), replace(row("c", 3, 31), carries=["T"]))
        assert ids(index.page(NOTE, None, 9, ["T"])) == ["a", "b", "c", "f", "g"]

    async def test_ids_are_in_the_order_of_text(self, index: Index) -> None:
        names = sorted(["a", "B", "é", "\ud800", "\uffee", "\U0001f600", "", "a\0b", "aa"])
        await write(index, *(row(id, place) for place, id in enumerate(reversed(names), 1)))
        assert ids(index.page(NOTE, None, 99)) == names
        assert ids(index.page(NOTE, "é", 99)) == names[names.index("é") + 1 :]

    async def test_of_those_on_which_there_is_something_to_do_the_oldest_come_first(
        self, index: Index
    ) -> None:
        due = [replace(one, is_due=True) for one in (row("b", 2, of=JAR), row("c", 3), row("a", 1, 8))]
        await write(index, *due, row("d", 4))
        assert (ids(index.due(0, 2)), ids(index.due(2, 2)), index.count_due()) == (["a", "b"], ["c"], 3)
        await write(index, row("a", 1, 9))
        assert (ids(index.due(0, 9)), index.count_due()) == (["b", "c"], 2)

    async def test_what_changed_comes_in_the_order_of_the_changes(self, index: Index) -> None:
        await write(index, row("a", 1, 8), row("b", 2), row("c", 3, 5), row("j", 4, 7, of=JAR))
        assert ids(index.changed_since(NOTE, 2, 9)) == ["c", "a"]
        assert ids(index.changed_since(NOTE, 2, 1)) == ["c"]
        assert ids(index.changed_since(NOTE, 8, 9)) == []

    async def test_what_is_in_trouble_or_not_kept_is_found(self, index: Index) -> None:
        await write(index, Row(STRANGE, 1, 1, b"", True), row("b", 2), row("c", 3, body=None))
        assert index.troubled() == [STRANGE]
        assert index.bodiless(9) == [Ref(*NOTE, "c")]
        assert index.bodiless(0) == []

    async def test_who_refers_to_one_is_found(self, index: Index) -> None:
        jar, other = Ref(*JAR, "j"), Ref(*JAR, "k")
        both = frozenset({jar, other})
        rows = [Row(Ref(*NOTE, id), 9 - place, 9, b"", targets=both) for place, id in enumerate("abc")]
        await write(index, *rows)
        assert [one.id for one in index.referring(jar)] == ["c", "b", "a"]
        await write(index, Row(rows[1].ref, rows[1].first, 10, b"", targets=frozenset({other})))
        assert [one.id for one in index.referring(jar)] == ["c", "a"]
        assert [one.id for one in index.referring(other)] == ["c", "b", "a"]

    async def test_the_command_of_an_id_is_found(self, index: Index) -> None:
        a, b = Ref(*NOTE, "a"), Ref(*JAR, "b")
        await index.write([row("a", 1)], {"c1": (a, "Write/5f"), "c2": (a, None)}, at(1))
        await index.write([row("b", 2, of=JAR)], {"c3": (b, "Put/6a")}, at(2))
        assert [index.command(id) for id in ("c1", "c2", "c3")] == [(a, "Write/5f"), (a, None), (b, "Put/6a")]
        assert index.command("c4") is None

    async def test_parts_come_and_go(self, index: Index) -> None:
        a, b, kind = ("shop.Ship", "a", 0), ("shop.Ship", "a", 1 << 40), ("shop.Ship", "=", 0)
        await index.write([], {}, at(1), {a: b"1", b: b"2", kind: UNKEPT})
        assert dict(index.parts()) == {a: b"1", b: b"2", kind: UNKEPT}
        await index.write([], {}, at(2))
        await index.write([], {}, at(3), {b: None, kind: b"3", ("shop.Pay", "a", 0): None})
        assert dict(index.parts()) == {a: b"1", kind: b"3"}

    async def test_one_that_was_cleared_is_empty(self, index: Index) -> None:
        await index.write([row("a", 1)], {"c1": (Ref(*NOTE, "a"), None)}, at(1), {("n", "a", 0): b"1"})
        index.clear()
        self.test_an_empty_one_holds_nothing(index)
        await write(index, replace(row("b", 1), carries=["T"]))
        assert ids(index.page(NOTE, None, 9, ["T"])) == ["b"]
        assert ids(index.page(NOTE, None, 9)) == ["b"]

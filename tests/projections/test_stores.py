"""What any store of rows must hold, by itself: order, one writer, one moment, all or nothing."""

import threading
from collections.abc import Iterator

import pytest

from cim.ports.rows import Deadline, Layout, RowStore, Session, Table

LAYOUT = Layout(1, (Table("cim_checkpoint", (("k", "TEXT"), ("n", "INTEGER"), ("x", "REAL")), ("k", "n")),))
PUT = "INSERT INTO cim_checkpoint (k, n, x) VALUES (?, ?, ?)"


@pytest.fixture
def opened(rows: RowStore) -> Iterator[Session]:
    """The one place of these tests, open, with a table to be read."""
    made = rows.place("shop.lines").open(LAYOUT, wiping=True)
    made.create(Table("rows", (("k", "TEXT"),), ("k",)))
    yield made
    made.close()


def test_texts_are_in_the_order_of_their_bytes(rows: RowStore, opened: Session) -> None:
    keys = ["a", "B", "Z", "z", "é", "ä", "", " ", "a-b", "ab", "A b", "€", "😀", "\ud7ff"]
    for key in keys:
        for number in (10, -2, 2**63 - 1):
            opened.run(PUT, (key, number, 0.1))
    with rows.place("shop.lines").look() as looking:
        assert looking is not None
        found = [*looking.each("SELECT k, n FROM cim_checkpoint ORDER BY k, n")]
        after = [*looking.each("SELECT k FROM cim_checkpoint WHERE (k, n) > (?, ?) ORDER BY k, n", ("z", 10))]
    wanted = sorted((key.encode(), number) for key in keys for number in (10, -2, 2**63 - 1))
    assert [(key.encode(), number) for key, number in found] == wanted
    assert [key.encode() for (key,) in after] == [key for key, number in wanted if (key, number) > (b"z", 10)]
    assert opened.first("SELECT x FROM cim_checkpoint WHERE k = ? AND n = ?", ("a", 10)) == (0.1,)
    assert opened.first("SELECT x FROM cim_checkpoint WHERE k = ?", ("nobody",)) is None


def test_what_fails_in_a_transaction_leaves_nothing(rows: RowStore, opened: Session) -> None:
    def write() -> None:
        with opened.writing():
            opened.run(PUT, ("a", 1, 0.5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert opened.first("SELECT count(*) FROM cim_checkpoint") == (0,)
    with opened.writing():
        opened.run(PUT, ("a", 1, 0.5))
    with rows.place("shop.lines").look() as looking:
        assert looking is not None
        assert looking.first("SELECT k, n, x FROM cim_checkpoint") == ("a", 1, 0.5)


def test_a_writer_is_alone(rows: RowStore, opened: Session) -> None:
    said: list[str] = []

    def other() -> None:
        session = rows.place("shop.lines").open(LAYOUT, wiping=False)
        with session.writing():
            said.append("the other one")
        session.close()

    thread = threading.Thread(target=other)
    with opened.writing():
        opened.run(PUT, ("a", 1, 0.5))
        thread.start()
        thread.join(0.5)
        assert not said, "two write at one time"
    thread.join(20)
    assert said == ["the other one"]


def test_a_reader_sees_one_moment_and_holds_up_no_writer(rows: RowStore, opened: Session) -> None:
    asked = "SELECT count(*) FROM cim_checkpoint"
    with rows.place("shop.lines").look(Deadline()) as looking:
        assert looking is not None
        assert looking.first(asked) == (0,)
        with opened.writing():
            opened.run(PUT, ("a", 1, 0.5))
        assert (looking.first(asked), opened.first(asked)) == ((0,), (1,))
    with rows.place("shop.lines").look() as looking:
        assert looking is not None
        assert looking.first(asked) == (1,)


def test_places_are_named_thrown_away_and_made_anew(rows: RowStore, opened: Session) -> None:
    assert rows.names() == ["shop.lines"]
    with rows.place("shop.nobody").look() as looking:
        assert looking is None
    opened.close()
    rows.place("shop.lines").discard()
    assert rows.names() == []
    with rows.place("shop.lines").look() as looking:
        assert looking is None

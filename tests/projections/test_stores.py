"""What any store of rows must hold, by itself: order, one writer, one moment, all or nothing."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from cim.ports.rows import Deadline, Layout, Readable, RowStore, Session, Table, TooLate

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


def count_of(place: Readable) -> int | None:
    """How many rows a reader sees; None where there is nothing to be read."""
    with place.look(Deadline()) as looking:
        if looking is None:
            return None
        found = looking.first("SELECT count(*) FROM cim_checkpoint")
        return None if found is None else int(found[0])


def test_a_reader_that_looks_again_sees_what_was_written_meanwhile(rows: RowStore, opened: Session) -> None:
    with closing(rows.reader()) as reader:
        place = reader.place("shop.lines")
        for number in range(3):
            assert count_of(place) == number
            with opened.writing():
                opened.run(PUT, ("a", number, 0.5))


def test_rows_that_nobody_reads_to_their_end_hold_no_later_look_at_their_moment(
    rows: RowStore, opened: Session
) -> None:
    with opened.writing():
        opened.run_each(PUT, [("a", number, 0.5) for number in range(1000)])
    with closing(rows.reader()) as reader:
        place = reader.place("shop.lines")
        with place.look(Deadline()) as looking:
            assert looking is not None
            half_read = looking.each("SELECT k, n FROM cim_checkpoint ORDER BY n")
            assert next(half_read) == ("a", 0)
        with opened.writing():
            opened.run(PUT, ("a", 1000, 0.5))
        assert count_of(place) == 1001
        with pytest.raises(Exception):  # noqa: B017, PT011 - what each store says to that is its own
            list(half_read)
        assert count_of(place) == 1001


def test_two_looks_of_one_reader_are_two_moments(rows: RowStore, opened: Session) -> None:
    asked = "SELECT count(*) FROM cim_checkpoint"
    with closing(rows.reader()) as reader:
        place = reader.place("shop.lines")
        with place.look(Deadline()) as first:
            assert first is not None
            assert first.first(asked) == (0,)
            with opened.writing():
                opened.run(PUT, ("a", 1, 0.5))
            with place.look(Deadline()) as second:
                assert second is not None
                assert (first.first(asked), second.first(asked)) == ((0,), (1,))


def test_a_reader_leaves_what_was_thrown_away_and_harms_nothing_that_took_its_place(
    rows: RowStore, opened: Session
) -> None:
    with opened.writing():
        opened.run(PUT, ("a", 1, 0.5))
    reader = rows.reader()
    place = reader.place("shop.lines")
    assert count_of(place) == 1
    opened.close()
    rows.place("shop.lines").discard()
    assert count_of(place) is None
    anew = rows.place("shop.lines").open(LAYOUT, wiping=False)
    anew.create(Table("rows", (("k", "TEXT"),), ("k",)))
    for number in range(3):
        with anew.writing():
            anew.run(PUT, ("b", number, 0.5))
        assert count_of(place) == number + 1
    reader.close()
    with anew.writing():
        anew.run(PUT, ("b", 3, 0.5))
    assert count_of(rows.place("shop.lines")) == 4
    anew.close()
    assert count_of(rows.place("shop.lines")) == 4


def test_a_reader_keeps_nothing_of_a_look_that_was_late(rows: RowStore, opened: Session) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with closing(rows.reader()) as reader:
        place = reader.place("shop.lines")
        assert count_of(place) == 0
        with place.look(Deadline(time.monotonic() + 0.1)) as looking:
            assert looking is not None
            with pytest.raises(TooLate):
                looking.first(endless)
        assert count_of(place) == 0

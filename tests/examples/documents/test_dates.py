import pytest

from documents.dates import find_date


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("25/12/2018", "2018-12-25"),
        ("25-12-18", "2018-12-25"),
        ("25.12.2018", "2018-12-25"),
        ("25 DEC 2018", "2018-12-25"),
        ("02/JAN/2017", "2017-01-02"),
        ("1st of May\n3rd June 2024", "2024-06-03"),
        ("Dec 25, 2018", "2018-12-25"),
        ("2018-12-25", "2018-12-25"),
        ("Date/Time : 20180428/191204", "2018-04-28"),
        ("03/04/2018", "2018-04-03"),
        ("12/25/2018", "2018-12-25"),
        ("25/l2/2O18", "2018-12-25"),
        ("25 / 12 / 2018", "2018-12-25"),
        ("date 25112/2018", "2018-12-25"),
        ("31/02/2018", None),
        ("99/99/2018", None),
        ("phone 03-7731 8169", None),
        ("12.50 13.90", None),
        ("", None),
    ],
)
def test_ways_to_write_a_day(text: str, day: str | None) -> None:
    assert find_date(text.splitlines()) == day


def test_the_label_beats_the_place() -> None:
    assert find_date(["Printed 01/02/2019", "Invoice date 05/02/2019", "Due date 07/03/2019"]) == "2019-02-05"


def test_a_label_speaks_for_the_next_line() -> None:
    assert find_date(["01/02/2019", "Date", "05/02/2019"]) == "2019-02-05"


def test_without_labels_the_first_day_counts() -> None:
    assert find_date(["14 March 2025", "we met on 3 March 2025"]) == "2025-03-14"


def test_due_dates_count_only_alone() -> None:
    assert find_date(["Due date 05/02/2019", "01/02/2019"]) == "2019-02-01"

import pytest

from documents.dates import find_date


def day_of(text: str) -> str | None:
    found = find_date(text.splitlines())
    return found.value if found else None


def doubt_of(text: str) -> str | None:
    found = find_date(text.splitlines())
    return found.doubt if found else None


@pytest.mark.parametrize(
    "text",
    [
        "25/12/2018",
        "25-12-18",
        "25.12.2018",
        "2018-12-25",
        "2018/12/25",
        "2018.12.25",
        "12/25/2018",
        "12/25/18",
        "20181225",
        "Date/Time : 20181225/191204",
        "25 DEC 2018",
        "25/DEC/2018",
        "25DEC18",
        "25 Dec '18",
        "2018-Dec-25",
        "Dec 25, 2018",
        "December 25th, 2018",
        "25th of December 2018",
        "Tue, 25 Dec 2018",
        "25. Dezember 2018",
        "le 25 décembre 2018",
        "25 de diciembre de 2018",
        "25 dicembre 2018",
        "25 de dezembro de 2018",
        "25 december 2018",
        "25 Disember 2018",
        "25 Desember 2018",
        "2018年12月25日",
        "25/12/2018 14:05",
        "25/12/18 14:05:22",
        "25/12/18 12.17.26",
        "25/12/18 02.17.26 PM",
    ],
)
def test_ways_to_write_a_day(text: str) -> None:
    assert day_of(text) == "2018-12-25"


@pytest.mark.parametrize(
    "text",
    [
        "25/12/20!8",
        "25 DEG 2018",
        "25/l2/2O18",
        "25 / 12 / 2018",
        "date 25112/2018",
        "2S/12/Z018",
        "25/12/20 18 08:18",
        "25/12/201811:43",
    ],
)
def test_a_day_is_read_through_the_mistakes_of_ocr(text: str) -> None:
    assert day_of(text) == "2018-12-25"


@pytest.mark.parametrize(
    "text",
    ["31/02/2018", "99/99/2018", "phone 03-7731 8169", "12.50 13.90", "5 May 10:30", "12.07.26 PM", ""],
)
def test_what_is_no_day(text: str) -> None:
    assert day_of(text) is None


def test_months_of_all_the_languages() -> None:
    for text, day in {
        "14. März 2024": "2024-03-14",
        "1er août 2018": "2018-08-01",
        "3 de março de 2018": "2018-03-03",
        "3 maart 2018": "2018-03-03",
        "3 Ogos 2018": "2018-08-03",
        "3 luglio 2018": "2018-07-03",
        "3 Agustus 2018": "2018-08-03",
        "3 enero 2018": "2018-01-03",
    }.items():
        assert day_of(text) == day, text


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Sunday 05/06/2018", "2018-05-06"),
        ("Tuesday 05/06/2018", "2018-06-05"),
        ("05/06/2018\nprinted 12/25/2018", "2018-05-06"),
        ("05/06/2018\nprinted 25/12/2018", "2018-06-05"),
        ("05/06/2018\nRef 20180506-11", "2018-05-06"),
        ("05/06/2018\nReceipt 7720180506123", "2018-05-06"),
        ("Invoice 05/06/2018\nMay 6, 2018", "2018-05-06"),
        ("Date 05/06/2018\nDue date 06/05/2018", "2018-05-06"),
        ("Springfield, IL 62704\n05/06/2018", "2018-05-06"),
        ("(312) 555-0188\n05/06/18", "2018-05-06"),
        ("05/06/2018\nBread RM 12.00", "2018-06-05"),
        ("Acme GmbH\n05/06/2018", "2018-06-05"),
        ("Date: 18-12-25\n2018-12-25", "2018-12-25"),
    ],
)
def test_the_rest_of_the_paper_tells_which_figures_are_the_month(text: str, day: str) -> None:
    assert day_of(text) == day
    assert doubt_of(text) is None


@pytest.mark.parametrize(
    ("text", "day", "other"),
    [
        ("05/06/2018", "2018-06-05", "2018-05-06"),
        ("18-12-25", "2025-12-18", "2018-12-25"),
        ("Acme GmbH\nSpringfield, IL 62704\n05/06/2018", "2018-05-06", "2018-06-05"),
    ],
)
def test_where_nothing_tells_or_hints_disagree_the_doubt_names_the_other_day(
    text: str, day: str, other: str
) -> None:
    assert day_of(text) == day
    doubt = doubt_of(text)
    assert doubt is not None
    assert day in doubt
    assert other in doubt


def test_figures_that_mean_the_same_day_in_any_order_leave_no_doubt() -> None:
    assert (day_of("06/06/2018"), doubt_of("06/06/2018")) == ("2018-06-06", None)


def test_a_weekday_that_fits_no_reading_is_a_doubt() -> None:
    assert "Tuesday" in (doubt_of("Monday 25 Dec 2018") or "")


def test_a_day_that_was_read_by_guessing_is_a_doubt() -> None:
    assert "not read clearly" in (doubt_of("25/12/Z018") or "")


def test_the_label_beats_the_place() -> None:
    assert day_of("Printed 01/02/2019\nInvoice date 05/02/2019\nDue date 07/03/2019") == "2019-02-05"


def test_a_label_speaks_for_the_next_line() -> None:
    assert day_of("01/02/2019\nDate\n05/02/2019") == "2019-02-05"


def test_two_labels_on_a_line_speak_each_for_their_own_day() -> None:
    assert day_of("Due date: 15/02/2018 Invoice date: 01/02/2018") == "2018-02-01"
    assert day_of("Invoice date Due date\n01/02/2018 15/02/2018") == "2018-02-01"


def test_without_labels_the_first_day_counts() -> None:
    assert day_of("14 March 2025\nwe met on 3 March 2025") == "2025-03-14"


def test_due_dates_count_only_alone() -> None:
    assert day_of("Due date 05/02/2019\n01/02/2019") == "2019-02-01"
    assert day_of("Due date 05/02/2019") == "2019-02-05"


def test_a_year_far_from_the_other_day_of_the_paper_was_misread() -> None:
    assert day_of("Date: 25/10/2077\nPrinted 25/10/2017 11:43") == "2017-10-25"


def test_a_word_that_is_no_month_hides_no_day_behind_it() -> None:
    assert day_of("Table 1 FOO 25 Dec 2018") == "2018-12-25"
    assert day_of("25 FOO 2018") is None


def test_sums_with_points_are_no_days() -> None:
    assert day_of("2 = 07. 23.60 .00") is None
    assert day_of("02-05-18\nGST No. 1\n2 = 07. 23.60 .00") == "2018-05-02"


def test_only_days_in_the_same_form_tell_the_order() -> None:
    assert doubt_of("05/06/2018\nFormula 12-25-18") is not None
    assert doubt_of("05/06/2018\nFormula 12/25/2018") is None

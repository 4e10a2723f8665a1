import pytest

from cim.ports.reading import Word
from receipts import Receipt, TrueLine, error_rate, right_words, true_date, true_total, words_found


def receipt(*lines: TrueLine, **key: str) -> Receipt:
    made = Receipt("000", b"", lines, key)
    made.__dict__["size"] = (100, 100)
    return made


def word(text: str, left: float, top: float) -> Word:
    return Word(text, 0.9, left, top, 0.1, 0.1, 1)


@pytest.mark.parametrize(
    ("true", "read", "rate"),
    [
        ("TOTAL 12.40", "total\n\n12.40", 0.0),
        ("kitten", "sitting", 3 / 6),
        ("abcd", "", 1.0),
        ("ab", "xxabxx", 2.0),
        ("", "", 0.0),
    ],
)
def test_the_error_rate_counts_letters_and_neither_case_nor_blanks(true: str, read: str, rate: float) -> None:
    assert error_rate(true, read) == pytest.approx(rate)


def test_a_word_is_found_as_often_as_it_stands_there() -> None:
    assert words_found("Tea, tea 2.40", "TEA 2.40 2.40") == pytest.approx(2 / 3)


def test_a_word_is_right_only_where_the_true_line_lies() -> None:
    paper = receipt(TrueLine("Tea 2.40", (0, 0, 60, 20)), TrueLine("TOTAL: 2.40", (0, 50, 60, 70)))
    words = [
        word("TEA", 0.0, 0.0),
        word("2.40", 0.4, 0.05),
        word("2.40", 0.45, 0.05),
        word("total", 0.1, 0.9),
    ]
    assert right_words(paper, words) == [True, True, False, False]


def test_the_text_of_a_receipt_goes_row_by_row() -> None:
    paper = receipt(
        TrueLine("2.40", (70, 1, 90, 19)), TrueLine("End", (0, 40, 9, 60)), TrueLine("Tea", (0, 0, 60, 20))
    )
    assert paper.text == "Tea 2.40\nEnd"


@pytest.mark.parametrize(
    ("told", "date"),
    [("06/01/18", "2018-01-06"), ("20180304", "2018-03-04"), ("02/JAN/2017", "2017-01-02"), ("soon", None)],
)
def test_the_true_date_is_read_day_first(told: str, date: str | None) -> None:
    assert true_date(receipt(date=told)) == date


def test_the_true_total_has_two_places() -> None:
    assert true_total(receipt(total="RM 1,029.7")) == "1029.70"
    assert true_total(receipt(total="")) is None

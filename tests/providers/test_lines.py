import pytest

from cim.ports.reading import Word
from cim.providers.calibration import Calibration
from cim.providers.lines import Line, best_of, body_of, confidence_of, reading_of, turned_back


def word(text: str, confidence: float, left: float, top: float, width: float = 0.1) -> Word:
    return Word(text, confidence, left, top, width, 0.02, 1)


def test_the_body_has_a_line_a_line_and_a_gap_between_paragraphs() -> None:
    lines = [
        Line((word("Dear", 1, 0.1, 0.1), word("Ann,", 1, 0.3, 0.1)), 0),
        Line((word("thank", 1, 0.1, 0.2),), 1),
        Line((word("you", 1, 0.1, 0.3),), 1),
    ]
    assert body_of(lines) == "Dear Ann,\n\nthank\nyou"


def test_long_words_weigh_more() -> None:
    assert confidence_of([word("abc", 1.0, 0, 0), word("d", 0.0, 0, 0)]) == 0.75
    assert confidence_of([]) == 0.0


def test_the_surer_word_of_two_readings_is_kept() -> None:
    first = [Line((word("TOTAL", 0.9, 0.1, 0.5), word("8O.9O", 0.4, 0.7, 0.5)), 0)]
    second = [Line((word("T0TA", 0.3, 0.1, 0.5), word("80.90", 0.8, 0.7, 0.5)), 0)]
    assert body_of(best_of(first, second)) == "TOTAL 80.90"
    assert body_of(best_of(second, first)) == "TOTAL 80.90"


def test_a_word_that_one_reading_split_stays_as_the_surer_reading_has_it() -> None:
    split = [Line((word("DIS", 0.6, 0.1, 0.5, 0.19), word("COUNT", 0.42, 0.3, 0.5, 0.2)), 0)]
    assert body_of(best_of([Line((word("DISCOUNT", 0.5, 0.1, 0.5, 0.4),), 0)], split)) == "DISCOUNT"
    surer = [Line((word("DIS", 0.9, 0.1, 0.5, 0.19), word("COUNT", 0.5, 0.3, 0.5, 0.2)), 0)]
    joined = [Line((word("DISCOUNT", 0.6, 0.1, 0.5, 0.4),), 0)]
    assert body_of(best_of(surer, joined)) == "DIS COUNT"


def test_a_word_that_one_reading_split_is_not_taken_twice() -> None:
    first = [Line((word("DISCOUNT", 0.5, 0.1, 0.5, 0.4),), 0)]
    second = [Line((word("DIS", 0.45, 0.1, 0.5, 0.19), word("COUNT", 0.5, 0.3, 0.5, 0.2)), 0)]
    assert body_of(best_of(first, second)) == "DISCOUNT"


def test_a_line_that_one_reading_missed_comes_in_at_its_place() -> None:
    first = [Line((word("Top", 0.9, 0.1, 0.1),), 0), Line((word("End", 0.9, 0.1, 0.9),), 1)]
    second = [Line((word("Middle", 0.8, 0.1, 0.5),), 7)]
    assert body_of(best_of(first, second)) == "Top\nMiddle\n\nEnd"


def test_dirt_that_one_reading_took_for_a_line_stays_out() -> None:
    first = [Line((word("Top", 0.9, 0.1, 0.1),), 0)]
    assert best_of(first, [Line((word("~.", 0.2, 0.1, 0.5),), 0)]) == first
    assert best_of([], []) == []


@pytest.mark.parametrize(
    ("degrees", "left", "top"), [(90, 0.88, 0.1), (180, 0.7, 0.88), (270, 0.1, 0.7), (0, 0.1, 0.1)]
)
def test_words_go_back_to_where_they_stood(degrees: int, left: float, top: float) -> None:
    size = (600, 600)
    line = Line((word("x", 1, 0.1, 0.1, 0.2),), 0)
    back = turned_back(line, degrees, size, size).words[0]
    assert (back.left, back.top) == pytest.approx((left, top))
    assert (back.width, back.height) == pytest.approx((0.2, 0.02) if degrees % 180 == 0 else (0.02, 0.2))


def test_a_reading_has_a_gap_between_pages_and_none_for_a_blank_one() -> None:
    pages = [[Line((word("One", 0.5, 0.1, 0.1),), 0)], [], [Line((word("Two", 1.0, 0.1, 0.1),), 0)]]
    reading = reading_of(pages, Calibration(((0.0, 0.2), (1.0, 0.8))))
    assert reading.body == "One\n\nTwo"
    assert [found.confidence for found in reading.words] == pytest.approx([0.5, 0.8])
    assert reading.confidence == pytest.approx(0.65)
    assert reading_of([[]], Calibration(((0.0, 0.2), (1.0, 0.8)))).confidence == 0.0

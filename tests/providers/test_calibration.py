import random

import pytest

from cim.providers.calibration import RAPID, TESSERACT, Calibration, fitted


def test_a_calibration_is_straight_between_its_knots_and_level_beyond() -> None:
    line = Calibration(((0.2, 0.1), (0.6, 0.5), (0.9, 0.95)))
    assert [line(raw) for raw in (0.0, 0.2, 0.4, 0.6, 0.9, 1.0)] == pytest.approx(
        [0.1, 0.1, 0.3, 0.5, 0.95, 0.95]
    )


@pytest.mark.parametrize(
    "knots", [(), ((0.5, 0.6), (0.9, 0.5)), ((0.5, 0.1), (0.5, 0.2)), ((0.1, 0.2), (0.9, 1.2))]
)
def test_knots_that_fall_or_leave_the_range_are_refused(knots: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="do not rise"):
        Calibration(knots)


def test_of_words_that_are_said_to_be_right_nine_times_in_ten_nine_in_ten_are() -> None:
    chance = random.Random(5)
    raw = [chance.random() for _ in range(8000)]
    right = [chance.random() < value**3 for value in raw]
    line = fitted(raw[:4000], right[:4000])
    said = [(line(value), true) for value, true in zip(raw[4000:], right[4000:], strict=True)]
    for low in (0.0, 0.25, 0.5, 0.75):
        bin = [pair for pair in said if low <= pair[0] < low + 0.25]
        assert sum(said for said, _ in bin) / len(bin) == pytest.approx(
            sum(true for _, true in bin) / len(bin), abs=0.05
        )


def test_where_right_words_grow_fewer_the_line_stays_level() -> None:
    raw = [number / 300 for number in range(300)]
    line = fitted(raw, [number < 100 or number >= 200 for number in range(300)], knots=3)
    assert len(line.knots) == 2
    assert line(0.0) == line(0.3)
    assert line.knots[-1][1] < 1.0


def test_words_all_of_one_confidence_make_one_knot() -> None:
    assert fitted([0.5] * 98, [True] * 98).knots == ((0.5, 0.99),)


def test_confidences_without_their_truth_are_refused() -> None:
    for raw in ([], [0.5]):
        with pytest.raises(ValueError, match="as many of both"):
            fitted(raw, [])


@pytest.mark.parametrize("line", [TESSERACT, RAPID])
def test_what_a_reader_is_surest_of_is_never_certain(line: Calibration) -> None:
    assert line(0.0) < 0.6
    assert 0.9 < line(1.0) < 1.0

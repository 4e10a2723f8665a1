"""A point of a history: by sequence, or by time where clocks differ."""

from dataclasses import replace

import pytest

from cim.cli.moment import moment
from cim.domain.errors import CimError
from cim.testing.log_conformance import commit

TIMES = ["2024-05-06T07:00:00.000000Z", "2024-05-06T09:00:00.000000Z", "2024-05-06T08:00:00.000000Z", ""]
HISTORY = [
    replace(commit("evt.notes.Note.a", f"a{number}"), time=time, sequence=3 * number)
    for number, time in enumerate(TIMES, 1)
]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("3", 1),
        ("5", 1),
        ("12", 4),
        ("2024-05-06", 0),
        ("2024-05-06T07:00:00Z", 1),
        ("2024-05-06T09:00:00+02:00", 1),
        ("2024-05-06T07:59:59.999999", 1),
        ("2024-05-06T08:00:00", 3),  # a commit that was there at eight stands behind the one that says nine
        ("2024-05-07", 3),
    ],
)
def test_what_stood_then_is_a_beginning_of_the_history(text: str, count: int) -> None:
    assert list(moment(text, "--at").part_of(HISTORY)) == HISTORY[:count]


@pytest.mark.parametrize("text", ["", "x", "-1", "٣", "9" * 5000, "2024-13-01", "0001-01-01T00:00+23:00"])
def test_what_is_no_moment_is_told_with_its_option(text: str) -> None:
    with pytest.raises(
        CimError, match=r"--from '.*' is neither a sequence of the log, such as 12, nor a time"
    ):
        moment(text, "--from")

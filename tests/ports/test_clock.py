"""How the time of day is written down."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cim.ports.clock import stamp
from cim.testing.clock import HandClock

NOON = datetime(2026, 11, 26, 12, 0, 0, 123456, UTC)


class At(HandClock):
    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._at = now

    def now(self) -> datetime:
        return self._at


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (NOON, "2026-11-26T12:00:00.123456Z"),
        (NOON.replace(microsecond=0), "2026-11-26T12:00:00.000000Z"),
        (NOON.replace(microsecond=500), "2026-11-26T12:00:00.000500Z"),
        (NOON.astimezone(timezone(timedelta(hours=2))), "2026-11-26T12:00:00.123456Z"),
        (NOON.replace(year=1), "0001-11-26T12:00:00.123456Z"),
    ],
)
def test_a_stamp_is_of_one_length_and_in_utc(now: datetime, said: str) -> None:
    assert stamp(At(now)) == said

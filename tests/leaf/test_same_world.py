"""Two processes over one real log, a connection for each, and one that folds it later: one world."""

from pathlib import Path

import pytest

from cim.adapters.nats.link import connect
from cim.adapters.nats.log import NatsLog
from cim.testing.bare_leaf import bare_leaf
from cim.testing.worlds.life import case, live_over


@pytest.mark.parametrize("seed", [3, 6, 10])
async def test_what_lived_through_it_and_what_folds_the_log_hold_the_same_world(
    tmp_path: Path, seed: int
) -> None:
    played, told = case(seed), list[str]()
    async with (
        bare_leaf(tmp_path / ".cim", told.append) as leaf,
        connect(leaf.server.url, leaf.user, "another", told.append) as other,
    ):
        logs = [await NatsLog.open(leaf.client), await NatsLog.open(other)]
        life = await live_over(played, logs)
        assert life.wrong == ()
        assert life.counted["runs"] > 0
        assert life.counted["crashes"] > 0

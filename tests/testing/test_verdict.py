"""The fault run's judge: what it calls wrong, and what it must not."""

from typing import Any

import pytest

from cim.adapters.memory.log import MemoryLog
from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.log.chain import Head
from cim.testing.faults.verdict import Heard, verdict

REFUSED = {"is": "rejection", "id": "c1", "tries": 1, "rejected": "too much"}
GRANTED = {"is": "receipt", "id": "c1", "tries": 1, "entity": "j1", "sequence": 1}
ASKED = {"is": "asked", "id": "c1", "name": "Put"}


async def stored() -> list[Commit]:
    """A log in which the command c1 stands."""
    log = MemoryLog()
    commit = Commit(
        subject="evt.jars.Jar.j1",
        number=0,
        origin=Origin.root("c1", "person:sender"),
        source="cim:test",
        type="jars.Jar.Committed",
        time="2026-01-02T00:00:00.000000Z",
        schema="cim:0",
        body=codec.encode([]),
        request="Put/00",
    )
    await log.attempt(Head().link(commit), 0)
    return [one async for one in log.read(">")]


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([ASKED, GRANTED], []),
        ([ASKED], []),
        ([ASKED, REFUSED], ["lost: c1 was rejected and is in the log"]),
        # Decided twice: an earlier try may be granted after a later one was refused.
        ([ASKED, {**REFUSED, "tries": 2}], []),
        # Asked again after it was refused, by a sender that heard no second answer or was killed.
        ([ASKED, REFUSED, ASKED], []),
        ([ASKED, {**REFUSED, "tries": 3}, ASKED, REFUSED], []),
        ([ASKED, {**GRANTED, "sequence": 2}], ["lost: c1 is not at sequence 2, as its receipt says"]),
        ([], ["invented: c1 was never asked"]),
    ],
)
async def test_a_command_that_is_in_the_log_is_judged_by_what_was_asked_and_told(
    lines: list[dict[str, Any]], wrong: list[str]
) -> None:
    assert list(verdict(await stored(), Heard.of(lines))) == wrong

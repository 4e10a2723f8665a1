"""Every shape of an agent's journal that was released still reads."""

from pathlib import Path

from cim.agents.steps import Began, Step
from cim.testing.golden import golden


def test_every_shape_of_a_journal_that_was_released_still_reads() -> None:
    golden(Path(__file__).with_name("agents.golden.jsonl"), Began, Step)

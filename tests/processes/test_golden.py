"""Every shape that the machine writes for processes still reads."""

from pathlib import Path

from cim.processes.step import Asks, Cancels, Reacted, Refused, Sets, Settled, Stopped, Takes, Woke
from cim.testing.golden import golden

SHAPES = (Reacted, Woke, Refused, Stopped, Takes, Settled, Asks, Sets, Cancels)


def test_every_shape_that_was_released_still_reads() -> None:
    golden(Path(__file__).with_name("processes.golden.jsonl"), *SHAPES)

"""Every shape that the machine itself released still reads."""

from pathlib import Path

from cim.domain.component import Failed
from cim.log.asking import Answered, Proposed
from cim.log.erasure import Erased
from cim.log.release import Released
from cim.log.retry import Retried
from cim.log.staging import Prompted, Staged
from cim.testing.golden import golden

SHAPES = (Released, Erased, Retried, Failed, Proposed, Answered, Staged, Prompted)


def test_every_shape_that_the_machine_released_still_reads() -> None:
    golden(Path(__file__).with_name("machine.golden.jsonl"), *SHAPES)

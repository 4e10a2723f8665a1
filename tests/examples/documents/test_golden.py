"""Every shape that the documents machine released still reads."""

from pathlib import Path

from cim.testing.golden import golden
from documents import documents
from languages import languages


def test_every_shape_that_was_released_still_reads() -> None:
    golden(Path(__file__).with_name("documents.golden.jsonl"), documents)
    golden(Path(__file__).with_name("languages.golden.jsonl"), languages)

import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from cim.ports.reading import Page, Reading, Word

HEAVY = ("numpy", "PIL", "onnxruntime", "tesserocr", "pypdfium2", "tokenizers")


def test_a_word_and_a_reading_are_values() -> None:
    word = Word("TOTAL", 0.9, 0.1, 0.5, 0.2, 0.02, 1)
    assert Reading("TOTAL", 0.9, (word,)) == Reading("TOTAL", 0.9, (word,))
    with pytest.raises(FrozenInstanceError):
        word.text = "other"  # type: ignore[misc]
    assert Page(1, "text", None) != Page(2, "text", None)


def test_neither_cim_nor_the_contracts_load_what_the_providers_need() -> None:
    program = (
        "import sys, cim, cim.ports.reading, cim.ports.judging\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

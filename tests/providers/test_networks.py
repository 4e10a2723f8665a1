"""Nobody hears of the networks that a machine loads, and each is asked by one thread alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
import os
from cim.providers.minilm import MiniLM
MiniLM().embed(["The dog barks."])
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc/self/task")
def test_the_library_keeps_no_id_of_the_computer_and_no_thread_to_tell_of_it(tmp_path: Path) -> None:
    # A home of its own; without the variables of a CI, in which the library is silent anyway.
    lone = {"HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    asked = subprocess.run(
        [sys.executable, "-c", ASK], env=lone, capture_output=True, text=True, check=True, timeout=60
    )
    assert asked.stdout.split() == ["1"], "threads"
    assert list(tmp_path.iterdir()) == []
